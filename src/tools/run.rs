//! A tool run as its caller sees it: options, then a future or a stream.

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

use super::{
    call,
    conversation::Conversation,
    drive::drive,
    outcome::{ToolRunError, ToolRunOutcome},
    stage::{Slot, Stage},
    step::ToolStep,
    tool::Tool,
};
use crate::generated::{Client, types::MessageCreateRequest};

/// How many tools run side by side, unless [`ToolRun::max_parallel`] says otherwise.
const MAX_PARALLEL: usize = 8;

/// How many requests a run makes at most, unless [`ToolRun::max_iterations`] says otherwise.
const MAX_ITERATIONS: usize = 20;

/// What a run ends with.
type Ended = Result<ToolRunOutcome, ToolRunError>;

impl Client {
    /// Sends a request, runs the tools that the model calls, sends their results, and so on until
    /// the model has its answer.
    ///
    /// The value that comes back is the run to be: set its options, then `.await` it for the
    /// [outcome](ToolRunOutcome), or take its [steps](ToolRun::steps) as a stream. Nothing is sent
    /// before.
    ///
    /// The tools are added to those of the request; what the request says about a tool of the same
    /// name stays. Tools that the API runs itself go into the request and need nothing here.
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
                max_parallel: MAX_PARALLEL,
                max_iterations: MAX_ITERATIONS,
                tool_timeout: None,
                streaming: false,
                context: None,
            },
            stop_when: None,
        }
    }
}

/// A tool run to be; made by [`Client::run_tools`].
///
/// There is no task behind a run: requests and tools go on while the future or the stream is
/// polled, and dropping it stops the request or the tools that are under way.
#[must_use = "a tool run does nothing until it is awaited or its steps are taken"]
pub struct ToolRun {
    pub(super) client: Client,
    pub(super) request: MessageCreateRequest,
    pub(super) tools: Vec<Tool>,
    pub(super) options: RunOptions,
    pub(super) stop_when: Option<StopWhen>,
}

pub(super) struct RunOptions {
    pub(super) max_parallel: usize,
    pub(super) max_iterations: usize,
    pub(super) tool_timeout: Option<Duration>,
    pub(super) streaming: bool,
    pub(super) context: Option<call::Context>,
}

pub(super) type StopWhen = Box<dyn FnMut(&Conversation) -> bool + Send>;

impl ToolRun {
    /// How many calls of one reply run side by side; 0 counts as 1. Defaults to 8.
    pub fn max_parallel(mut self, calls: usize) -> Self {
        self.options.max_parallel = calls.max(1);
        self
    }

    /// How many requests the run may make. One that needs more fails with
    /// [`ErrorKind::ToolLimit`](crate::ErrorKind::ToolLimit). Defaults to 20.
    pub fn max_iterations(mut self, requests: usize) -> Self {
        self.options.max_iterations = requests;
        self
    }

    /// The longest that a call of a tool may take, unless the tool has a
    /// [limit of its own](Tool::timeout). Then the tool's future is dropped, and the model reads
    /// that it took too long. Defaults to no limit.
    pub fn tool_timeout(mut self, limit: Duration) -> Self {
        self.options.tool_timeout = Some(limit);
        self
    }

    /// Whether replies are streamed, so that their events are [steps](ToolStep::Event) and long
    /// ones meet no time limit of their own. Defaults to `false`.
    pub fn streaming(mut self, streaming: bool) -> Self {
        self.options.streaming = streaming;
        self
    }

    /// What the tools share: each call hands it out, see [`ToolCall::context`](super::ToolCall::context).
    /// Defaults to nothing.
    pub fn context(mut self, context: impl Any + Send + Sync) -> Self {
        self.options.context = Some(Arc::new(context));
        self
    }

    /// Ends the run where a condition holds. It is asked whenever another request would be sent:
    /// after a reply, and after its tools have run. The outcome then says that it
    /// [was stopped](ToolRunOutcome::is_stopped). Defaults to never.
    ///
    /// ```
    /// # use anthropic_messages::tools::ToolRun;
    /// # fn sample(run: ToolRun) -> ToolRun {
    /// // When a certain tool has been called.
    /// run.stop_when(|conversation| {
    ///     conversation.replies().last().is_some_and(|reply| reply.tool_uses().any(|call| call.name == "submit"))
    /// })
    /// # }
    /// ```
    pub fn stop_when(mut self, condition: impl FnMut(&Conversation) -> bool + Send + 'static) -> Self {
        self.stop_when = Some(Box::new(condition));
        self
    }

    /// The run as a stream of its steps, for user interfaces. The last one is
    /// [`ToolStep::Finished`]; an error ends the stream.
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
        let slot = Slot::default();
        let run = Box::pin(drive(self, Stage::showing_in(slot.clone())));
        ToolSteps { run: Some(run), slot }
    }
}

impl IntoFuture for ToolRun {
    type Output = Ended;
    type IntoFuture = Pin<Box<dyn Future<Output = Ended> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(drive(self, Stage::dark()))
    }
}

impl fmt::Debug for ToolRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolRun")
            .field("tools", &self.tools)
            .field("max_parallel", &self.options.max_parallel)
            .field("max_iterations", &self.options.max_iterations)
            .field("tool_timeout", &self.options.tool_timeout)
            .field("streaming", &self.options.streaming)
            .finish_non_exhaustive()
    }
}

/// The steps of a tool run; made by [`ToolRun::steps`].
///
/// The run waits with each step until it is taken: one that is not polled does not go on, its tools
/// included.
#[must_use = "a stream does nothing until it is polled"]
pub struct ToolSteps {
    /// `None` when it is over.
    run: Option<Pin<Box<dyn Future<Output = Ended> + Send>>>,
    slot: Slot,
}

impl ToolSteps {
    /// The next step; `None` after the last. Dropping the future loses nothing.
    ///
    /// # Errors
    /// As the last item, when the run fails; see [`ToolRunError`].
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
