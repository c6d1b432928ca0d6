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
    handler::{ToolCall, ToolHandler},
    outcome::{ToolRunError, ToolRunOutcome},
    output::{IntoToolResult, ToolError, ToolFailure, ToolFailureKind, ToolOutput},
    step::{ToolFinished, ToolStep},
    tool::Tool,
};
use self::{
    execute::ExecuteOptions,
    run_loop::{RunOptions, run},
    step::{StepSink, StepSlot},
};
use crate::generated::{Client, types::MessageCreateRequest};

/// The default of [`ToolRun::max_parallel`].
const MAX_PARALLEL: usize = 8;

/// The default of [`ToolRun::max_iterations`].
const MAX_ITERATIONS: usize = 20;

type RunResult = Result<ToolRunOutcome, ToolRunError>;

type RunFuture = Pin<Box<dyn Future<Output = RunResult> + Send>>;

impl Client {
    /// Sends a request, runs the tools that the model calls, sends their results, and repeats until the model answers.
    ///
    /// Returns a [`ToolRun`]: set its options, then `.await` it for the [outcome](ToolRunOutcome), or read its
    /// [steps](ToolRun::steps) as a stream. Nothing is sent before.
    ///
    /// The definitions of the tools are added to the request. If the request already defines a tool of the same name, that
    /// definition is sent. Tools that the API runs itself belong into the request alone.
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
    pub fn run_tools(&self, request: MessageCreateRequest, tools: impl IntoIterator<Item = Tool>) -> ToolRun {
        ToolRun {
            client: self.clone(),
            request,
            tools: tools.into_iter().collect(),
            options: RunOptions {
                max_iterations: MAX_ITERATIONS,
                streaming: false,
                execute: ExecuteOptions { max_parallel: MAX_PARALLEL, tool_timeout: None, context: None },
                stop_when: None,
            },
        }
    }
}

/// A tool run that has not started. Created by [`Client::run_tools`].
///
/// Nothing is spawned: requests and tools make progress only while the future or the stream is polled. Dropping it cancels
/// the request or the tools that are running.
#[must_use = "a tool run does nothing until it is awaited or its steps are read"]
pub struct ToolRun {
    client: Client,
    request: MessageCreateRequest,
    tools: Vec<Tool>,
    options: RunOptions,
}

impl ToolRun {
    /// Sets the number of calls of one reply that run concurrently. 0 counts as 1. Defaults to 8.
    pub fn max_parallel(mut self, calls: usize) -> Self {
        self.options.execute.max_parallel = calls.max(1);
        self
    }

    /// Limits the number of requests. A run that needs more fails with
    /// [`ErrorKind::ToolLimit`](crate::ErrorKind::ToolLimit). Defaults to 20.
    pub fn max_iterations(mut self, requests: usize) -> Self {
        self.options.max_iterations = requests;
        self
    }

    /// Limits the duration of a tool call, unless the tool has a [limit of its own](Tool::timeout). When the limit is
    /// exceeded, the future of the tool is dropped and the model reads that it took too long. Defaults to no limit.
    pub fn tool_timeout(mut self, limit: Duration) -> Self {
        self.options.execute.tool_timeout = Some(limit);
        self
    }

    /// Streams the replies. Their events are [steps](ToolStep::Event), and a long reply meets no overall timeout. Defaults
    /// to `false`.
    pub fn streaming(mut self, streaming: bool) -> Self {
        self.options.streaming = streaming;
        self
    }

    /// Sets a value that all tools share, see [`ToolCall::context`]. Defaults to none.
    pub fn context(mut self, context: impl Any + Send + Sync) -> Self {
        self.options.execute.context = Some(Arc::new(context));
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
        self.options.stop_when = Some(Box::new(condition));
        self
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
    pub fn steps(self) -> ToolSteps {
        let slot = StepSlot::default();
        let run = self.start(StepSink::into_slot(slot.clone()));
        ToolSteps { run: Some(run), slot }
    }

    fn start(self, steps: StepSink) -> RunFuture {
        Box::pin(run(self.client, self.request, self.tools, self.options, steps))
    }
}

impl IntoFuture for ToolRun {
    type Output = RunResult;
    type IntoFuture = RunFuture;

    fn into_future(self) -> Self::IntoFuture {
        self.start(StepSink::disabled())
    }
}

impl fmt::Debug for ToolRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolRun")
            .field("tools", &self.tools)
            .field("max_parallel", &self.options.execute.max_parallel)
            .field("max_iterations", &self.options.max_iterations)
            .field("tool_timeout", &self.options.execute.tool_timeout)
            .field("streaming", &self.options.streaming)
            .finish_non_exhaustive()
    }
}

/// The steps of a tool run. Created by [`ToolRun::steps`].
///
/// The run makes progress only while the stream is polled, its tools included.
#[must_use = "a stream does nothing until it is polled"]
pub struct ToolSteps {
    /// `None` after the last step.
    run: Option<RunFuture>,
    slot: StepSlot,
}

impl ToolSteps {
    /// Returns the next step, or `None` after the last one. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Fails if the run fails, see [`ToolRunError`]. Nothing follows the error.
    pub async fn next(&mut self) -> Option<Result<ToolStep, ToolRunError>> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ToolStep, ToolRunError>>> {
        let Some(run) = &mut self.run else { return Poll::Ready(None) };
        match run.as_mut().poll(context) {
            Poll::Ready(ended) => {
                self.run = None;
                Poll::Ready(Some(ended.map(ToolStep::Finished)))
            }
            Poll::Pending => match self.slot.take() {
                Some(step) => Poll::Ready(Some(Ok(step))),
                None => Poll::Pending,
            },
        }
    }
}

impl Stream for ToolSteps {
    type Item = Result<ToolStep, ToolRunError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl fmt::Debug for ToolSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolSteps").field("is_over", &self.run.is_none()).finish_non_exhaustive()
    }
}
