//! A tool: its definition and its handler.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    handler::{ErasedHandler, Next, ToolCall, ToolHandler, erase, wrap},
    output::{ToolFailure, ToolOutput},
};
#[cfg(feature = "schemars")]
use crate::generated::types::AnthropicTool;
use crate::{
    error::{Error, ErrorKind, Result},
    generated::types::ToolUnion,
};

/// A tool that [`run_tools`](crate::Client::run_tools) runs when the model calls it.
///
/// A tool is a name, a definition for the request, and a [handler](ToolHandler). Cloning is cheap.
///
/// ```
/// use anthropic_messages::{schemars::{self, JsonSchema}, tools::Tool};
///
/// #[derive(serde::Deserialize, JsonSchema)]
/// struct GetWeather {
///     /// A city, such as `Paris`.
///     city: String,
/// }
/// let tool = Tool::new("get_weather", "Weather of a city", |input: GetWeather| async move {
///     match input.city.as_str() {
///         "Paris" => Ok("22 degrees, clear"),
///         _ => Err("no such city"),
///     }
/// });
/// assert!(tool.definition().is_ok());
/// ```
#[derive(Clone)]
pub struct Tool {
    name: String,
    /// The definition, or the reason why there is none.
    definition: Result<ToolUnion, String>,
    handler: Arc<dyn ErasedHandler>,
    timeout: Option<Duration>,
    is_restartable: bool,
}

impl Tool {
    /// Creates a tool whose input is a Rust type. [`AnthropicTool::of`] makes the schema, and [`ToolHandler`] lists what
    /// can be a handler.
    ///
    /// The constructor doesn't fail. If the type can't be the input of a tool, [`definition`](Self::definition) returns
    /// the error, and a run fails with it before it sends anything.
    #[cfg(feature = "schemars")]
    pub fn new<Form, Handler>(name: impl Into<String>, description: impl Into<String>, handler: Handler) -> Self
    where
        Form: 'static,
        Handler: ToolHandler<Form>,
        Handler::Input: schemars::JsonSchema,
    {
        let name = name.into();
        let definition = AnthropicTool::of::<Handler::Input>(name.clone(), description);
        Self::from_parts(name, definition.map(ToolUnion::from), handler)
    }

    /// Creates a tool from a definition: a schema written by hand, or a tool that the API defines and the caller runs,
    /// such as `bash` or the memory tool.
    ///
    /// `name` is the name that calls carry. For a toolset it is the name of the toolset, and the handler runs all of its
    /// tools.
    ///
    /// ```
    /// use anthropic_messages::{AnthropicTool, tools::Tool, types::ToolUnionBash20250124};
    /// use serde_json::json;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Bash { command: Option<String> }
    ///
    /// let bash = Tool::defined("bash", ToolUnionBash20250124::new(), |input: Bash| async move {
    ///     format!("would run {:?}", input.command)
    /// });
    ///
    /// let schema = json!({"type": "object", "properties": {"sides": {"type": "integer", "enum": [6, 20]}}});
    /// let dice = Tool::defined("roll", AnthropicTool::new("roll", schema), |_: serde_json::Value| async { "4" });
    /// # let _ = (bash, dice);
    /// ```
    pub fn defined<Form, Handler>(name: impl Into<String>, definition: impl Into<ToolUnion>, handler: Handler) -> Self
    where
        Form: 'static,
        Handler: ToolHandler<Form>,
    {
        Self::from_parts(name.into(), Ok(definition.into()), handler)
    }

    fn from_parts<Form, Handler>(name: String, definition: Result<ToolUnion>, handler: Handler) -> Self
    where
        Form: 'static,
        Handler: ToolHandler<Form>,
    {
        Self {
            name,
            definition: definition.map_err(|error| error.to_string()),
            handler: erase(handler),
            timeout: None,
            is_restartable: false,
        }
    }

    /// Makes the schema strict, so that the API guarantees input that fits it. See [`AnthropicTool::strict_of`]. By
    /// default, the model can write input that doesn't fit, and then reads an error.
    ///
    /// If the type has no strict schema, [`definition`](Self::definition) returns the error. Tools that the API defines
    /// stay as they are.
    #[cfg(feature = "schemars")]
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.definition = self.definition.and_then(|definition| match definition {
            ToolUnion::Custom(tool) => tool.into_strict().map(ToolUnion::from).map_err(|error| error.to_string()),
            other => Ok(other),
        });
        self
    }

    /// Changes the definition, for example to add examples, a cache breakpoint, or allowed callers.
    ///
    /// ```
    /// # use anthropic_messages::{AnthropicTool, tools::Tool, types::ToolUnion};
    /// # use serde_json::json;
    /// # let tool = Tool::defined("roll", AnthropicTool::new("roll", json!({"type": "object"})), |_: serde_json::Value| async { "4" });
    /// let tool = tool.map_definition(|definition| match definition {
    ///     ToolUnion::Custom(tool) => tool.input_examples([json!({"sides": 6})]).into(),
    ///     other => other,
    /// });
    /// # assert!(tool.definition().is_ok());
    /// ```
    #[must_use]
    pub fn map_definition(mut self, change: impl FnOnce(ToolUnion) -> ToolUnion) -> Self {
        self.definition = self.definition.map(change);
        self
    }

    /// Limits the duration of a call. When the limit is exceeded, the call is dropped and the model reads that it took too
    /// long. Defaults to [`ToolRun::tool_timeout`](super::ToolRun::tool_timeout).
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Allows a call of this tool to run again if it was interrupted: a resumed run then restarts the call. By default it
    /// answers the call as interrupted, because the call may have had effects already.
    #[must_use]
    pub fn restartable(mut self) -> Self {
        self.is_restartable = true;
        self
    }

    /// Wraps the tool, for example to log, cache, or authorize its calls. The wrapper runs instead of the tool, and calls
    /// [`Next::run`] to run it.
    ///
    /// ```
    /// # use anthropic_messages::{AnthropicTool, tools::{Next, Tool, ToolCall}};
    /// # let schema = serde_json::json!({"type": "object"});
    /// # let tool = Tool::defined("roll", AnthropicTool::new("roll", schema), |_: serde_json::Value| async { "4" });
    /// let tool = tool.wrap(|call: ToolCall, next: Next| async move {
    ///     let name = call.name().to_owned();
    ///     let result = next.run(call).await;
    ///     println!("{name}: {}", if result.is_ok() { "done" } else { "failed" });
    ///     result
    /// });
    /// # assert!(tool.definition().is_ok());
    /// ```
    #[must_use]
    pub fn wrap<F, Running>(mut self, wrapper: F) -> Self
    where
        F: Fn(ToolCall, Next) -> Running + Send + Sync + 'static,
        Running: Future<Output = Result<ToolOutput, ToolFailure>> + Send + 'static,
    {
        self.handler = wrap(self.handler, wrapper);
        self
    }

    /// Returns the name that the model calls it by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the definition that goes into the request.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Contract`] if the type of the input can't be the input of a tool.
    pub fn definition(&self) -> Result<&ToolUnion> {
        self.definition.as_ref().map_err(|problem| Error::new(ErrorKind::Contract, problem.clone()))
    }

    pub(super) fn time_limit(&self) -> Option<Duration> {
        self.timeout
    }

    pub(super) async fn run(&self, call: ToolCall) -> Result<ToolOutput, ToolFailure> {
        Arc::clone(&self.handler).run(call).await
    }

    pub(super) fn is_restartable(&self) -> bool {
        self.is_restartable
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
