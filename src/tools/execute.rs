//! Running the calls of a reply.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, Sleep, sleep};

use super::{
    handler::{ToolCall, ToolContext},
    output::{ToolFailure, ToolFailureKind, ToolOutput},
    step::ToolFinished,
    tool::Tool,
};
use crate::{
    error::{Error, ErrorKind, Result},
    generated::types::{MessageCreateRequest, ToolUnion},
    json::{Json, JsonType},
    observe::trace_tool,
};

/// The decision of a [`before_tool`](super::ToolRun::before_tool) hook about a call.
#[derive(Clone)]
#[non_exhaustive]
pub enum Verdict {
    /// Runs the call.
    Allow,
    /// Doesn't run the call. The model reads this message as an error.
    Deny(String),
    /// Runs the call with another input. The conversation keeps the input that the model wrote.
    ReplaceInput(Json),
}

/// Omits the message and the input.
impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "Allow",
            Self::Deny(_) => "Deny(..)",
            Self::ReplaceInput(_) => "ReplaceInput(..)",
        })
    }
}

pub(super) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub(super) type BeforeTool = Arc<dyn Fn(ToolCall) -> BoxFuture<Verdict> + Send + Sync>;

/// Options for executing the calls of a run.
pub(super) struct ExecuteOptions {
    /// The number of calls that run concurrently.
    pub(super) max_parallel: usize,
    /// The limit for tools that have none of their own.
    pub(super) tool_timeout: Option<Duration>,
    pub(super) context: Option<ToolContext>,
    pub(super) before_tool: Option<BeforeTool>,
}

/// The tools of a run. Their names are unique.
pub(super) struct ToolSet(Vec<Tool>);

impl ToolSet {
    /// # Errors
    /// Fails if two tools have the same name.
    pub(super) fn new(tools: Vec<Tool>) -> Result<Self> {
        let repeated = tools
            .iter()
            .enumerate()
            .find(|(index, tool)| tools.iter().take(*index).any(|earlier| earlier.name() == tool.name()));
        match repeated {
            Some((_, tool)) => {
                Err(Error::new(ErrorKind::Contract, format!("two tools have the name `{}`", tool.name())))
            }
            None => Ok(Self(tools)),
        }
    }

    /// Adds the definitions to a request, except for those that it has already.
    ///
    /// # Errors
    /// Fails if a tool has no definition.
    pub(super) fn define_in(&self, request: &mut MessageCreateRequest) -> Result<()> {
        let mut missing = Vec::new();
        let defined: Vec<_> = request.tools.iter().flatten().map(DefinitionKey::new).collect();
        for tool in &self.0 {
            let definition = tool.definition()?;
            let key = DefinitionKey::new(definition);
            if !defined.iter().any(|other| key.matches(other)) {
                missing.push(definition.clone());
            }
        }
        if !missing.is_empty() {
            request.tools.get_or_insert_with(Vec::new).extend(missing);
        }
        Ok(())
    }

    pub(super) fn get(&self, call: &ToolCall) -> Option<&Tool> {
        self.0.iter().find(|tool| tool.name() == call.key())
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|tool| tool.name().to_owned()).collect()
    }
}

/// The calls of one reply that have not finished.
pub(super) struct Execution {
    waiting: VecDeque<(usize, ToolCall)>,
    /// Calls whose tool is about to run.
    allowed: VecDeque<(usize, ToolCall)>,
    running: FuturesUnordered<BoxFuture<(usize, Event)>>,
    clock: PollClock,
}

/// Progress of a call. The number is its position among the calls of the reply.
enum Event {
    Decided(ToolCall, Verdict),
    Finished(Box<ToolFinished>),
}

/// Progress of the calls.
pub(super) enum Progress {
    /// The tool is about to run. It does so after the next poll.
    Starting(usize, ToolCall),
    Finished(usize, Box<ToolFinished>),
}

impl Execution {
    pub(super) fn new() -> Self {
        let (waiting, allowed, running) = (VecDeque::new(), VecDeque::new(), FuturesUnordered::new());
        Self { waiting, allowed, running, clock: PollClock::default() }
    }

    pub(super) fn add(&mut self, index: usize, call: ToolCall) {
        self.waiting.push_back((index, call));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.allowed.is_empty() && self.running.is_empty()
    }

    /// Drops all calls.
    pub(super) fn clear(&mut self) {
        (self.waiting, self.allowed, self.running) = Default::default();
    }

    /// The clock of the limits. It must know of every poll.
    pub(super) fn clock(&mut self) -> &mut PollClock {
        &mut self.clock
    }

    /// Polls the calls. `Pending` if no call makes progress, or there is none.
    pub(super) fn poll(
        &mut self,
        tools: &Arc<ToolSet>,
        options: &ExecuteOptions,
        context: &mut Context<'_>,
    ) -> Poll<Progress> {
        loop {
            if let Some((index, call)) = self.allowed.pop_front() {
                let run = run(Arc::clone(tools), call.clone(), options.tool_timeout, self.clock.clone());
                self.running.push(Box::pin(async move { (index, Event::Finished(Box::new(run.await))) }));
                return Poll::Ready(Progress::Starting(index, call));
            }
            while self.running.len() < options.max_parallel
                && let Some((index, call)) = self.waiting.pop_front()
            {
                match &options.before_tool {
                    Some(before_tool) => {
                        let verdict = before_tool(call.clone());
                        self.running.push(Box::pin(async move { (index, Event::Decided(call, verdict.await)) }));
                    }
                    None => {
                        self.allowed.push_back((index, call));
                        break;
                    }
                }
            }
            if !self.allowed.is_empty() {
                continue;
            }
            match self.running.poll_next_unpin(context) {
                Poll::Ready(Some((index, Event::Decided(call, verdict)))) => match verdict {
                    Verdict::Allow => self.allowed.push_back((index, call)),
                    Verdict::ReplaceInput(input) => self.allowed.push_back((index, call.with_input(input))),
                    Verdict::Deny(message) => {
                        let failure = ToolFailure::new(call.name(), ToolFailureKind::Denied(message));
                        let finished = ToolFinished::failed(call, failure, Duration::ZERO);
                        return Poll::Ready(Progress::Finished(index, Box::new(finished)));
                    }
                },
                Poll::Ready(Some((index, Event::Finished(finished)))) => {
                    return Poll::Ready(Progress::Finished(index, finished));
                }
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Runs one call and makes its result.
async fn run(tools: Arc<ToolSet>, call: ToolCall, limit: Option<Duration>, clock: PollClock) -> ToolFinished {
    let started = Instant::now();
    match outcome(&tools, call.clone(), limit, clock).await {
        Ok(output) => ToolFinished::succeeded(call, output, started.elapsed()),
        Err(failure) => ToolFinished::failed(call, failure, started.elapsed()),
    }
}

async fn outcome(
    tools: &ToolSet,
    call: ToolCall,
    limit: Option<Duration>,
    clock: PollClock,
) -> Result<ToolOutput, ToolFailure> {
    let name = call.name().to_owned();
    let failed = |kind| ToolFailure::new(name, kind);
    let Some(tool) = tools.get(&call) else {
        return Err(failed(ToolFailureKind::Unknown { known: tools.names() }));
    };
    if call.input().json_type() != JsonType::Object {
        return Err(failed(ToolFailureKind::InvalidJson));
    }
    let (name, id) = (tool.name().to_owned(), call.id().to_owned());
    trace_tool(&name, &id, async {
        let outcome = run_tool(tool, call, limit, clock).await;
        let error = outcome.as_ref().err().map(|failure| error_type(failure.kind()));
        (outcome, error)
    })
    .await
}

async fn run_tool(
    tool: &Tool,
    call: ToolCall,
    limit: Option<Duration>,
    clock: PollClock,
) -> Result<ToolOutput, ToolFailure> {
    let name = call.name().to_owned();
    let failed = |kind| ToolFailure::new(name, kind);
    // Only the tool's own state can be left inconsistent by a panic, and Rust's locks are poisoned then.
    let running = AssertUnwindSafe(tool.run(call)).catch_unwind();
    let ended = match tool.time_limit().or(limit) {
        Some(limit) => match Limited::new(Box::pin(running), limit, clock).await {
            Some(ended) => ended,
            None => return Err(failed(ToolFailureKind::TimedOut(limit))),
        },
        None => running.await,
    };
    ended.unwrap_or_else(|panic| Err(failed(ToolFailureKind::Panicked(text_of(&*panic)))))
}

/// Returns the kind of a failure in snake case, for the span of the tool.
fn error_type(kind: &ToolFailureKind) -> &'static str {
    match kind {
        ToolFailureKind::Unknown { .. } => "unknown",
        ToolFailureKind::Undecodable(_) => "undecodable",
        ToolFailureKind::Failed(_) => "failed",
        ToolFailureKind::Panicked(_) => "panicked",
        ToolFailureKind::TimedOut(_) => "timed_out",
        ToolFailureKind::InvalidJson => "invalid_json",
        ToolFailureKind::Denied(_) => "denied",
        ToolFailureKind::Interrupted => "interrupted",
    }
}

fn text_of(panic: &(dyn Any + Send)) -> Option<String> {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
}

/// Measures the time in which nobody polls a run, which is not the tools' own.
#[derive(Clone, Default)]
pub(super) struct PollClock {
    /// The time so far, in nanoseconds.
    away: Arc<AtomicU64>,
    /// The end of the last poll, if the run had more to do then.
    left: Option<Instant>,
}

impl PollClock {
    /// Notes that a poll begins.
    pub(super) fn enter(&mut self) {
        if let Some(left) = self.left.take() {
            self.add(left.elapsed());
        }
    }

    /// Notes that a poll ended although the run had more to do.
    pub(super) fn leave(&mut self) {
        self.left = Some(Instant::now());
    }

    /// Adds time in which the run waited to be polled.
    pub(super) fn add(&self, time: Duration) {
        self.away.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn away(&self) -> Duration {
        Duration::from_nanos(self.away.load(Ordering::Relaxed))
    }
}

/// A future with a limit on its own time. `None` if it exceeds the limit.
struct Limited<F> {
    future: Pin<Box<F>>,
    limit: Duration,
    clock: PollClock,
    started: Instant,
    /// The time on the clock at the start.
    away: Duration,
    timer: Pin<Box<Sleep>>,
}

impl<F> Limited<F> {
    fn new(future: Pin<Box<F>>, limit: Duration, clock: PollClock) -> Self {
        let (away, timer) = (clock.away(), Box::pin(sleep(Duration::ZERO)));
        Self { future, limit, clock, started: Instant::now(), away, timer }
    }
}

impl<F: Future> Future for Limited<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        if let Poll::Ready(output) = self.future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        let own = self.limit.saturating_add(self.clock.away().saturating_sub(self.away));
        // `Duration::MAX` disables the limit.
        let Some(end) = self.started.checked_add(own) else { return Poll::Pending };
        if self.timer.deadline() != end {
            self.timer.as_mut().reset(end);
        }
        self.timer.as_mut().poll(context).map(|()| None)
    }
}

/// Identifies the definition of a tool in a request: by its name, or as a whole if it has none.
struct DefinitionKey {
    name: Option<String>,
    definition: Option<Json>,
}

impl DefinitionKey {
    fn new(definition: &ToolUnion) -> Self {
        #[derive(serde::Deserialize)]
        struct Named {
            name: Option<String>,
        }
        let definition = Json::from_serialize(definition).ok();
        let named = definition.as_ref().and_then(|definition| definition.decode::<Named>().ok());
        Self { name: named.and_then(|named| named.name), definition }
    }

    fn matches(&self, other: &Self) -> bool {
        match (&self.name, &other.name) {
            (Some(own), Some(name)) => own == name,
            (None, None) => self.definition == other.definition,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_polls_is_not_the_tools_own() {
        for is_counted in [false, true] {
            let mut clock = PollClock::default();
            let future = async {
                sleep(Duration::from_secs(20)).await;
                sleep(Duration::from_secs(20)).await;
            };
            let mut limited = Limited::new(Box::pin(future), LIMIT, clock.clone());
            assert!((&mut limited).now_or_never().is_none());
            if !is_counted {
                clock.leave();
            }
            tokio::time::advance(Duration::from_secs(3600)).await;
            clock.enter();
            let polled = (&mut limited).now_or_never();
            assert_eq!(matches!(polled, Some(None)), is_counted);
            if !is_counted {
                assert_eq!(limited.await, Some(()));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_without_end_is_none() {
        let limited =
            Limited::new(Box::pin(sleep(Duration::from_secs(1_000_000))), Duration::MAX, PollClock::default());
        assert_eq!(limited.await, Some(()));
    }
}
