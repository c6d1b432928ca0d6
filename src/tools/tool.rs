//! A tool: its definition, and what runs when it is called.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    call::ToolCall,
    handler::{AnyHandler, Formed, ToolHandler},
    output::ToolOutput,
    step::ToolFailure,
};
#[cfg(feature = "schemars")]
use crate::generated::types::AnthropicTool;
use crate::{
    error::{Error, ErrorKind, Result},
    generated::types::ToolUnion,
};

/// A tool that [`run_tools`](crate::Client::run_tools) runs when the model calls it. Cloning it is
/// cheap.
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
    /// The definition, or what is wrong with it.
    definition: Result<ToolUnion, String>,
    handler: Arc<dyn AnyHandler>,
    timeout: Option<Duration>,
}

impl Tool {
    /// A tool whose input is a Rust type, see [`AnthropicTool::of`]. The handler is a closure or a
    /// type of your own, see [`ToolHandler`].
    ///
    /// A type that can't be the input of a tool is reported by [`definition`](Self::definition),
    /// and by the run before it sends anything.
    #[cfg(feature = "schemars")]
    pub fn new<Form, Handler>(name: impl Into<String>, description: impl Into<String>, handler: Handler) -> Self
    where
        Form: 'static,
        Handler: ToolHandler<Form>,
        Handler::Input: schemars::JsonSchema,
    {
        let name = name.into();
        let definition = AnthropicTool::of::<Handler::Input>(name.clone(), description);
        Self::made(name, definition.map(ToolUnion::from), handler)
    }

    /// A tool with a definition of its own: a schema written by hand, or a tool that the API
    /// defines and the caller runs, such as `bash` or the memory tool.
    ///
    /// `name` is what the model calls the tool by; for a toolset, that runs all of its tools, the
    /// name of the toolset as calls carry it.
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
        Self::made(name.into(), Ok(definition.into()), handler)
    }

    fn made<Form, Handler>(name: String, definition: Result<ToolUnion>, handler: Handler) -> Self
    where
        Form: 'static,
        Handler: ToolHandler<Form>,
    {
        Self {
            name,
            definition: definition.map_err(|error| error.to_string()),
            handler: Arc::new(Formed::<Handler, Form>::new(handler)),
            timeout: None,
        }
    }

    /// Makes the schema strict, see [`AnthropicTool::strict_of`]: the API then holds the model to
    /// it. By default the model may write input that does not fit, which is told to it when it
    /// does.
    ///
    /// A type without a strict schema is reported as in [`new`](Self::new). It has no effect on
    /// tools that the API defines.
    #[cfg(feature = "schemars")]
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.definition = self.definition.and_then(|definition| match definition {
            ToolUnion::Custom(tool) => tool.into_strict().map(ToolUnion::from).map_err(|error| error.to_string()),
            other => Ok(other),
        });
        self
    }

    /// Changes the definition, to add what it says beside its schema: examples, a cache breakpoint,
    /// who may call it.
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

    /// The longest that a call may take; then it is dropped, and the model reads that it took too
    /// long. Defaults to [`ToolRun::tool_timeout`](super::ToolRun::tool_timeout).
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// The name that the model calls it by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the request says of it.
    ///
    /// # Errors
    /// [`ErrorKind::Contract`] when its input is of a type that a tool can't have.
    pub fn definition(&self) -> Result<&ToolUnion> {
        self.definition.as_ref().map_err(|problem| Error::new(ErrorKind::Contract, problem.clone()))
    }

    pub(super) fn time_limit(&self) -> Option<Duration> {
        self.timeout
    }

    pub(super) async fn run(&self, call: ToolCall) -> Result<ToolOutput, ToolFailure> {
        self.handler.run(call).await
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
