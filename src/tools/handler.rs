//! A call of a tool, and the code that runs it.

use std::{any::Any, fmt, marker::PhantomData, pin::Pin, sync::Arc};

use serde::{Serialize, Serializer, de::DeserializeOwned, ser::SerializeStruct as _};

use super::output::{IntoToolResult, ToolError, ToolFailure, ToolFailureKind, ToolOutput};
use crate::{generated::types::ContentBlockToolUse, json::Json};

/// A call of a tool by the model.
///
/// A [`ToolHandler`] receives it with its input. Cloning is cheap. `Debug` prints name and id only, because the model
/// wrote the input.
#[derive(Clone)]
pub struct ToolCall {
    block: Arc<ContentBlockToolUse>,
    context: Option<ToolContext>,
}

/// The value that all tools of a run share.
pub(super) type ToolContext = Arc<dyn Any + Send + Sync>;

impl ToolCall {
    pub(super) fn new(block: ContentBlockToolUse, context: Option<ToolContext>) -> Self {
        Self { block: Arc::new(block), context }
    }

    /// Returns the name of the tool.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.block.name
    }

    /// Returns the id of the call. Its result refers to it.
    #[must_use]
    pub fn id(&self) -> &str {
        self.block.id.as_deref().unwrap_or_default()
    }

    /// Returns the input as the model wrote it.
    #[must_use]
    pub fn input(&self) -> &Json {
        &self.block.input
    }

    /// Returns the content block of the reply.
    #[must_use]
    pub fn block(&self) -> &ContentBlockToolUse {
        &self.block
    }

    /// Returns the value given to [`ToolRun::context`](super::ToolRun::context), or `None` if there is none of this type.
    #[must_use]
    pub fn context<C: Any + Send + Sync>(&self) -> Option<&C> {
        self.context.as_deref()?.downcast_ref()
    }

    /// Returns the same call with another input, for wrappers of tools.
    #[must_use]
    pub fn with_input(mut self, input: Json) -> Self {
        Arc::make_mut(&mut self.block).input = input;
        self
    }

    /// Returns the failure of this call with an error, for wrappers of tools.
    #[must_use]
    pub fn fail(&self, error: impl Into<ToolError>) -> ToolFailure {
        ToolFailure::new(self.name(), ToolFailureKind::Failed(error.into()))
    }

    /// The name to look the tool up by: the name of its toolset if it belongs to one.
    pub(super) fn key(&self) -> &str {
        self.block.toolset_name.as_deref().unwrap_or(&self.block.name)
    }
}

/// Serializes name, id and input.
impl Serialize for ToolCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut call = serializer.serialize_struct("ToolCall", 3)?;
        call.serialize_field("name", self.name())?;
        call.serialize_field("id", self.id())?;
        call.serialize_field("input", self.input())?;
        call.end()
    }
}

impl fmt::Debug for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCall").field("name", &self.name()).field("id", &self.id()).finish_non_exhaustive()
    }
}

/// Code that runs when the model calls a tool.
///
/// Closures implement it: `|input: T| async move { … }`, or `|input: T, call: ToolCall| async move { … }` to receive the
/// call as well. Implement it for a type of your own if the tool has state:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use anthropic_messages::{schemars::{self, JsonSchema}, tools::{Tool, ToolCall, ToolHandler}};
///
/// #[derive(Default)]
/// struct Counter { count: AtomicU64 }
///
/// #[derive(serde::Deserialize, JsonSchema)]
/// struct Add { by: u64 }
///
/// impl ToolHandler for Counter {
///     type Input = Add;
///     type Output = String;
///
///     async fn call(&self, input: Add, _call: ToolCall) -> String {
///         (self.count.fetch_add(input.by, Ordering::Relaxed) + input.by).to_string()
///     }
/// }
/// let tool = Tool::new("add", "Adds to the count and returns the sum", Counter::default());
/// # assert_eq!(tool.name(), "add");
/// ```
///
/// The parameter `Form` keeps the two kinds of closures apart. Leave it out in implementations.
///
/// # Concurrency and cancellation
///
/// Calls run concurrently, on `&self`. Dropping the future cancels the call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be called as a tool",
    note = "a tool is `|input: T| async move {{ … }}` or `|input: T, call: ToolCall| async move {{ … }}`, where `T` is \
            `DeserializeOwned + Send`, the future is `Send`, and the output is text, JSON, blocks, `()`, or a `Result` of \
            these with a `ToolError`, a `&str` or a `String` as its error"
)]
pub trait ToolHandler<Form = ()>: Send + Sync + 'static {
    /// The input, decoded from the JSON that the model wrote.
    type Input: DeserializeOwned + Send;
    /// The result that goes to the model.
    type Output: IntoToolResult;

    /// Runs one call.
    fn call(&self, input: Self::Input, call: ToolCall) -> impl Future<Output = Self::Output> + Send;
}

impl<F, Input, Running, Output> ToolHandler<(Input,)> for F
where
    F: Fn(Input) -> Running + Send + Sync + 'static,
    Input: DeserializeOwned + Send,
    Running: Future<Output = Output> + Send,
    Output: IntoToolResult,
{
    type Input = Input;
    type Output = Output;

    fn call(&self, input: Input, _call: ToolCall) -> impl Future<Output = Output> + Send {
        self(input)
    }
}

impl<F, Input, Running, Output> ToolHandler<(Input, ToolCall)> for F
where
    F: Fn(Input, ToolCall) -> Running + Send + Sync + 'static,
    Input: DeserializeOwned + Send,
    Running: Future<Output = Output> + Send,
    Output: IntoToolResult,
{
    type Input = Input;
    type Output = Output;

    fn call(&self, input: Input, call: ToolCall) -> impl Future<Output = Output> + Send {
        self(input, call)
    }
}

/// The tool within a wrapper, see [`Tool::wrap`](super::Tool::wrap).
#[derive(Clone)]
pub struct Next(Arc<dyn ErasedHandler>);

impl Next {
    /// Runs the call.
    ///
    /// # Errors
    /// Fails if the tool fails, or if the input does not fit its type.
    pub async fn run(self, call: ToolCall) -> Result<ToolOutput, ToolFailure> {
        self.0.run(call).await
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}

/// A handler whose types are erased.
pub(super) trait ErasedHandler: Send + Sync {
    /// Decodes the input and runs the call.
    fn run(self: Arc<Self>, call: ToolCall) -> CallFuture;
}

type CallFuture = Pin<Box<dyn Future<Output = Result<ToolOutput, ToolFailure>> + Send>>;

/// Puts a wrapper around a handler.
pub(super) fn wrap<F, Running>(inner: Arc<dyn ErasedHandler>, wrapper: F) -> Arc<dyn ErasedHandler>
where
    F: Fn(ToolCall, Next) -> Running + Send + Sync + 'static,
    Running: Future<Output = Result<ToolOutput, ToolFailure>> + Send + 'static,
{
    struct Wrapped<F>(Arc<dyn ErasedHandler>, F);

    impl<F, Running> ErasedHandler for Wrapped<F>
    where
        F: Fn(ToolCall, Next) -> Running + Send + Sync + 'static,
        Running: Future<Output = Result<ToolOutput, ToolFailure>> + Send + 'static,
    {
        fn run(self: Arc<Self>, call: ToolCall) -> CallFuture {
            Box::pin(async move { (self.1)(call, Next(Arc::clone(&self.0))).await })
        }
    }

    Arc::new(Wrapped(inner, wrapper))
}

/// Erases the types of a handler.
pub(super) fn erase<Form: 'static>(handler: impl ToolHandler<Form>) -> Arc<dyn ErasedHandler> {
    Arc::new(WithForm(handler, PhantomData))
}

/// A handler and its form, which a trait object has no parameter for.
struct WithForm<H, Form>(H, PhantomData<fn() -> Form>);

impl<Form: 'static, H: ToolHandler<Form>> ErasedHandler for WithForm<H, Form> {
    fn run(self: Arc<Self>, call: ToolCall) -> CallFuture {
        Box::pin(async move {
            let name = call.name().to_owned();
            let result = match call.input().decode() {
                Ok(input) => self.0.call(input, call).await.into_tool_result().map_err(ToolFailureKind::Failed),
                Err(error) => Err(ToolFailureKind::Undecodable(error)),
            };
            result.map_err(|kind| ToolFailure::new(name, kind))
        })
    }
}
