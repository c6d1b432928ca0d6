//! What runs when a tool is called.

use std::{marker::PhantomData, pin::Pin};

use serde::de::DeserializeOwned;

use super::{
    call::ToolCall,
    output::{IntoToolResult, ToolOutput},
    step::ToolFailure,
};

/// What runs when a tool is called.
///
/// Closures implement it: `|input: T| async move { … }`, and `|input: T, call: ToolCall| async move
/// { … }` where the call matters. A tool with state of its own implements it by hand and leaves
/// `Form` out, which only tells the two closures apart:
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
/// let tool = Tool::new("add", "Adds to a count and tells it", Counter::default());
/// # assert_eq!(tool.name(), "add");
/// ```
///
/// Calls may run side by side, on `&self`. Dropping the future cancels the call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be called as a tool",
    note = "a tool is `|input: T| async move {{ … }}` or `|input: T, call: ToolCall| async move {{ … }}`, where `T` is \
            `DeserializeOwned + Send`, the future is `Send`, and the output is text, JSON, blocks, `()`, or a `Result` of \
            these with a `ToolError`, a `&str` or a `String` as its error"
)]
pub trait ToolHandler<Form = ()>: Send + Sync + 'static {
    /// What the model writes.
    type Input: DeserializeOwned + Send;
    /// What the model gets.
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

/// A handler whose types are forgotten.
pub(super) trait AnyHandler: Send + Sync {
    /// Decodes the input and runs the call.
    fn run(&self, call: ToolCall) -> Pin<Box<dyn Future<Output = Result<ToolOutput, ToolFailure>> + Send + '_>>;
}

/// A handler with the form that it is called in.
pub(super) struct Formed<H, Form>(H, PhantomData<fn() -> Form>);

impl<H, Form> Formed<H, Form> {
    pub(super) fn new(handler: H) -> Self {
        Self(handler, PhantomData)
    }
}

impl<Form: 'static, H: ToolHandler<Form>> AnyHandler for Formed<H, Form> {
    fn run(&self, call: ToolCall) -> Pin<Box<dyn Future<Output = Result<ToolOutput, ToolFailure>> + Send + '_>> {
        Box::pin(async move {
            let input = call.input().to().map_err(ToolFailure::Undecodable)?;
            let output = self.0.call(input, call).await;
            output.into_tool_result().map_err(ToolFailure::Failed)
        })
    }
}
