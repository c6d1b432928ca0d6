#![doc = include_str!("docs/tools.md")]

mod conversation;
mod execute;
mod handler;
mod outcome;
mod output;
mod run_loop;
mod step;
mod tool;

use std::{
    any::Any,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;

pub use self::{
    conversation::Conversation,
    execute::Verdict,
    handler::{Next, ToolCall, ToolHandler},
    outcome::{ToolRunError, ToolRunOutcome},
    output::{IntoToolResult, ToolError, ToolFailure, ToolFailureKind, ToolOutput},
    step::{ToolFinished, ToolStep},
    tool::Tool,
};
use self::{
    execute::ExecuteOptions,
    run_loop::{RunLoop, RunOptions, RunResult},
};
use crate::{
    error::{Error, ErrorKind},
    generated::{Client, types::MessageCreateRequest},
};

/// The default of [`ToolRun::max_parallel`].
const MAX_PARALLEL: usize = 8;

/// The default of [`ToolRun::max_iterations`].
const MAX_ITERATIONS: usize = 20;

impl Client {
    /// Sends a request, runs the tools that the model calls, sends their results, and repeats until the model answers.
    ///
    /// Returns a [`ToolRun`]: set its options, then `.await` it for the [outcome](ToolRunOutcome), or read its
    /// [steps](ToolRun::steps) as a stream. Nothing is sent before.
    ///
    /// The definitions of the tools are added to the request. If the request already defines a tool of the same name, that
    /// definition is sent. Tools that the API runs itself belong into the request alone.
    ///
    /// The first argument is a [`MessageCreateRequest`], or the [`Conversation`] of another run to go on with: one that was
    /// stored, interrupted, or continued with another turn.
    ///
    /// ```no_run
    /// use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest, tools::Tool};
    /// use anthropic_messages::schemars::{self, JsonSchema};
    ///
    /// #[derive(serde::Deserialize, JsonSchema)]
    /// struct GetWeather { city: String }
    ///
    /// # async fn sample(client: Client) -> anthropic_messages::Result<()> {
    /// let weather = Tool::new("get_weather", "Weather of a city", |input: GetWeather| async move {
    ///     format!("22 degrees in {}", input.city)
    /// });
    /// let question = [AnthropicMessage::user("Do I need a coat in Paris?")];
    /// let request = MessageCreateRequest::new("claude-sonnet-5", question, 1024);
    /// let outcome = client.run_tools(request, [weather]).max_iterations(5).await?;
    /// println!("{}", outcome.text());
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_tools(&self, conversation: impl Into<Conversation>, tools: impl IntoIterator<Item = Tool>) -> ToolRun {
        let options = RunOptions {
            max_iterations: MAX_ITERATIONS,
            streaming: false,
            eager: false,
            execute: ExecuteOptions {
                max_parallel: MAX_PARALLEL,
                tool_timeout: None,
                context: None,
                before_tool: None,
            },
            stop_when: None,
            before_request: None,
            has_steps: false,
        };
        let run = RunLoop::new(self.clone(), conversation.into(), tools.into_iter().collect(), options);
        ToolRun(Box::new(run))
    }
}

/// A tool run. Created by [`Client::run_tools`].
///
/// A run is a future. Nothing is spawned: requests and tools make progress only while it is polled. Dropping the run cancels
/// the request or the tools that are running.
///
/// # Interrupting
///
/// To stop waiting without losing the run, await `&mut run`. The run keeps its progress and can be awaited again, or ended
/// with [`interrupt`](Self::interrupt):
///
/// ```no_run
/// # use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest, tools::{Tool, ToolRunError}};
/// # async fn sample(client: Client, request: MessageCreateRequest, tools: Vec<Tool>) -> Result<(), ToolRunError> {
/// let mut run = client.run_tools(request, tools).streaming(true);
/// tokio::select! {
///     outcome = &mut run => println!("{}", outcome?.text()),
///     _ = tokio::signal::ctrl_c() => {
///         let mut conversation = run.interrupt();
///         conversation.push(AnthropicMessage::user("Stop. Use the other file."));
///         let outcome = client.run_tools(conversation, []).await?;
/// #       let _ = outcome;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a tool run does nothing until it is awaited or its steps are read"]
pub struct ToolRun(Box<RunLoop>);

impl ToolRun {
    /// Sets the number of calls of one reply that run concurrently. 0 counts as 1. Defaults to 8.
    pub fn max_parallel(mut self, calls: usize) -> Self {
        self.0.options.execute.max_parallel = calls.max(1);
        self
    }

    /// Limits the number of requests. A run that needs more fails with
    /// [`ErrorKind::ToolLimit`]. Defaults to 20.
    pub fn max_iterations(mut self, requests: usize) -> Self {
        self.0.options.max_iterations = requests;
        self
    }

    /// Limits the duration of a tool call, unless the tool has a [limit of its own](Tool::timeout). When the limit is
    /// exceeded, the future of the tool is dropped and the model reads that it took too long. Defaults to no limit.
    pub fn tool_timeout(mut self, limit: Duration) -> Self {
        self.0.options.execute.tool_timeout = Some(limit);
        self
    }

    /// Streams the replies. Their events are [steps](ToolStep::Event), and a long reply meets no overall timeout. Defaults
    /// to `false`.
    pub fn streaming(mut self, streaming: bool) -> Self {
        self.0.options.streaming = streaming;
        self
    }

    /// Sets a value that all tools share, see [`ToolCall::context`]. Defaults to none.
    pub fn context(mut self, context: impl Any + Send + Sync) -> Self {
        self.0.options.execute.context = Some(Arc::new(context));
        self
    }

    /// Ends the run when a condition holds. The condition is evaluated before each request but the first, when the tools of
    /// the last reply have run. The outcome of such a run [is stopped](ToolRunOutcome::is_stopped). Defaults to none.
    ///
    /// ```
    /// # use anthropic_messages::tools::ToolRun;
    /// # fn sample(run: ToolRun) -> ToolRun {
    /// // Ends the run when the model has called `submit`.
    /// run.stop_when(|conversation| {
    ///     conversation.replies().last().is_some_and(|reply| reply.tool_uses().any(|call| call.name == "submit"))
    /// })
    /// # }
    /// ```
    pub fn stop_when(mut self, condition: impl FnMut(&Conversation) -> bool + Send + 'static) -> Self {
        self.0.options.stop_when = Some(Box::new(condition));
        self
    }

    /// Starts a tool when the block of its call is complete, while the reply is still being streamed. Implies
    /// [`streaming`](Self::streaming). Results keep the order of the calls. Defaults to `false`.
    ///
    /// If the reply turns out to be cut off or refused, calls that started early are dropped together with their results, and
    /// a [`ToolStep::ToolDiscarded`] says so. Use it with tools that have no effects, or whose effects may be wasted.
    pub fn eager(mut self, eager: bool) -> Self {
        self.0.options.eager = eager;
        self
    }

    /// Sets a hook that decides about each call before its tool runs: to ask the user, to check a policy, or to correct the
    /// input. Other calls run meanwhile. Defaults to none.
    ///
    /// ```
    /// # use anthropic_messages::tools::{ToolCall, ToolRun, Verdict};
    /// # fn sample(run: ToolRun) -> ToolRun {
    /// run.before_tool(|call: ToolCall| async move {
    ///     match call.name() {
    ///         "delete_file" => Verdict::Deny("the user doesn't allow that".to_owned()),
    ///         _ => Verdict::Allow,
    ///     }
    /// })
    /// # }
    /// ```
    pub fn before_tool<F, Deciding>(mut self, hook: F) -> Self
    where
        F: Fn(ToolCall) -> Deciding + Send + Sync + 'static,
        Deciding: Future<Output = Verdict> + Send + 'static,
    {
        self.0.options.execute.before_tool = Some(Arc::new(move |call| Box::pin(hook(call))));
        self
    }

    /// Sets a hook that can change each request before it is sent, for example to add a cache breakpoint or to leave out
    /// old turns. The change applies to this request only: the conversation stays as it is. Defaults to none.
    pub fn before_request(mut self, hook: impl FnMut(&mut MessageCreateRequest) + Send + 'static) -> Self {
        self.0.options.before_request = Some(Box::new(hook));
        self
    }

    /// Returns the conversation so far.
    #[must_use]
    pub fn conversation(&self) -> &Conversation {
        self.0.conversation()
    }

    /// Ends the run and returns its conversation in a form that can be sent. Calls that have no result are answered as
    /// interrupted. A reply that is being streamed is kept up to its last complete block.
    #[must_use]
    pub fn interrupt(self) -> Conversation {
        self.0.interrupt()
    }

    /// Returns the run as a stream of steps, for user interfaces. The last one is [`ToolStep::Finished`]. An error ends the
    /// stream.
    ///
    /// ```no_run
    /// # use anthropic_messages::tools::{ToolRun, ToolStep};
    /// # async fn sample(run: ToolRun) -> Result<(), anthropic_messages::tools::ToolRunError> {
    /// let mut steps = run.steps();
    /// while let Some(step) = steps.next().await {
    ///     match step? {
    ///         ToolStep::ToolCalled(call) => println!("calls {}", call.name()),
    ///         ToolStep::Finished(outcome) => println!("{}", outcome.text()),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn steps(mut self) -> ToolSteps {
        self.0.options.has_steps = true;
        ToolSteps(self.0)
    }
}

impl Future for ToolRun {
    type Output = RunResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<RunResult> {
        loop {
            return match self.0.poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Ok(ToolStep::Finished(outcome)))) => Poll::Ready(Ok(outcome)),
                Poll::Ready(Some(Ok(_))) => continue,
                Poll::Ready(Some(Err(error))) => Poll::Ready(Err(error)),
                Poll::Ready(None) => {
                    let error = Error::new(ErrorKind::Tool, "the run is over");
                    Poll::Ready(Err(ToolRunError::new(error, self.conversation().clone())))
                }
            };
        }
    }
}

impl fmt::Debug for ToolRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.0.options;
        f.debug_struct("ToolRun")
            .field("conversation", self.conversation())
            .field("max_parallel", &options.execute.max_parallel)
            .field("max_iterations", &options.max_iterations)
            .field("tool_timeout", &options.execute.tool_timeout)
            .field("streaming", &options.streaming)
            .field("eager", &options.eager)
            .finish_non_exhaustive()
    }
}

/// The steps of a tool run. Created by [`ToolRun::steps`].
///
/// The run makes progress only while the stream is polled, its tools included.
#[must_use = "a stream does nothing until it is polled"]
pub struct ToolSteps(Box<RunLoop>);

impl ToolSteps {
    /// Returns the next step, or `None` after the last one. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Fails if the run fails, see [`ToolRunError`]. Nothing follows the error.
    pub async fn next(&mut self) -> Option<Result<ToolStep, ToolRunError>> {
        poll_fn(|context| self.0.poll(context)).await
    }

    /// Returns the conversation so far. Store it after each step to be able to resume the run.
    #[must_use]
    pub fn conversation(&self) -> &Conversation {
        self.0.conversation()
    }

    /// Ends the run, as [`ToolRun::interrupt`] does.
    #[must_use]
    pub fn interrupt(self) -> Conversation {
        self.0.interrupt()
    }
}

impl Stream for ToolSteps {
    type Item = Result<ToolStep, ToolRunError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll(context)
    }
}

impl fmt::Debug for ToolSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolSteps").field("is_over", &self.0.is_over()).finish_non_exhaustive()
    }
}
