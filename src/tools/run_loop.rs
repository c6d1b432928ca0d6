//! The loop of a run: request, reply, tools, and the next request.
//!
//! It is a state machine instead of an async function, so that the conversation can be read between two polls, and nothing is
//! lost when the caller stops to wait.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures_core::Stream;
use futures_util::FutureExt;
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    conversation::{CallState, Conversation, Next},
    execute::{BoxFuture, ExecuteOptions, Execution, Progress, ToolSet},
    handler::ToolCall,
    outcome::{ToolRunError, ToolRunOutcome},
    output::{ToolFailure, ToolFailureKind},
    step::{ToolFinished, ToolStep},
    tool::Tool,
};
use crate::{
    error::{Error, ErrorKind, Result},
    generated::{
        Client,
        types::{
            ContentBlock, ContentBlockDelta, ContentBlockToolUse, MessageCreateRequest, MessageResponse, StreamEvent,
        },
    },
    json::{Json, JsonType},
    response::Response,
    stream::MessageStream,
};

/// The settings of a run.
pub(super) struct RunOptions {
    pub(super) max_iterations: usize,
    pub(super) streaming: bool,
    pub(super) eager: bool,
    pub(super) execute: ExecuteOptions,
    pub(super) stop_when: Option<StopWhen>,
    pub(super) before_request: Option<BeforeRequest>,
    /// Emits steps before the last one.
    pub(super) has_steps: bool,
}

pub(super) type StopWhen = Box<dyn FnMut(&Conversation) -> bool + Send>;

pub(super) type BeforeRequest = Box<dyn FnMut(&mut MessageCreateRequest) + Send>;

pub(super) type RunResult = Result<ToolRunOutcome, ToolRunError>;

/// A run and its progress.
pub(super) struct RunLoop {
    client: Client,
    tools: Result<Arc<ToolSet>, Option<Error>>,
    pub(super) options: RunOptions,
    conversation: Conversation,
    activity: Activity,
    execution: Execution,
    /// The calls of the reply that is being streamed, and their states.
    early: BTreeMap<usize, (ToolCall, CallState)>,
    /// The number of closed blocks of that reply.
    closed_blocks: usize,
    queue: VecDeque<ToolStep>,
    wake_time: Arc<WakeTime>,
}

/// The current activity of a run, apart from its tools.
enum Activity {
    /// Nothing yet.
    New,
    /// Waits for its tools, if there are any.
    Idle,
    Requesting(BoxFuture<Result<Response<MessageResponse>>>),
    Opening(BoxFuture<Result<MessageStream>>),
    Streaming(Box<MessageStream>),
    /// Hands out the last steps.
    Ending(Box<RunResult>),
    Ended,
}

impl RunLoop {
    pub(super) fn new(client: Client, conversation: Conversation, tools: Vec<Tool>, options: RunOptions) -> Self {
        Self {
            client,
            tools: ToolSet::new(tools).map(Arc::new).map_err(Some),
            options,
            conversation,
            activity: Activity::New,
            execution: Execution::new(),
            early: BTreeMap::new(),
            closed_blocks: 0,
            queue: VecDeque::new(),
            wake_time: Arc::default(),
        }
    }

    pub(super) fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.activity, Activity::Ended)
    }

    /// Ends the run. Calls without a result are answered as interrupted, and a reply that is being streamed is kept up to its
    /// last complete block.
    pub(super) fn interrupt(mut self) -> Conversation {
        if let Activity::Streaming(stream) = &self.activity {
            let mut reply = stream.message().clone();
            let head = stream.response().map(|response| response.head().clone()).unwrap_or_default();
            keep_complete_blocks(&mut reply, self.closed_blocks);
            if reply.content.as_ref().is_some_and(|content| !content.is_empty()) {
                let calls = reply.tool_uses().count();
                let states: Vec<_> = (0..calls).map(|index| self.take_early(index)).collect();
                let is_answered = calls == 0;
                self.conversation.add_reply(
                    Response::new(reply, head),
                    if is_answered { Next::Request } else { Next::Calls(states) },
                );
                if is_answered {
                    self.conversation.echo();
                }
            }
        }
        self.conversation.interrupt_calls();
        self.conversation
    }

    /// Makes progress until the next step. The last one is [`ToolStep::Finished`].
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ToolStep, ToolRunError>>> {
        self.execution.clock().enter();
        if let Some(waited) = self.wake_time.take() {
            self.execution.clock().add(waited);
        }
        let waker = Waker::from(self.wake_time.wrap(context.waker()));
        let polled = self.poll_within(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            self.execution.clock().leave();
        }
        polled
    }

    fn poll_within(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ToolStep, ToolRunError>>> {
        loop {
            if let Some(step) = self.queue.pop_front() {
                return Poll::Ready(Some(Ok(step)));
            }
            if let Ok(tools) = &self.tools
                && let Poll::Ready(progress) = self.execution.poll(tools, &self.options.execute, context)
            {
                self.note(progress);
                continue;
            }
            if let Err(error) = self.poll_activity(context) {
                match error {
                    Wait::Pending => return Poll::Pending,
                    Wait::Failed(error) => self.fail(*error),
                    Wait::Over(result) => return Poll::Ready(result.map(|result| result.map(ToolStep::Finished))),
                }
            }
        }
    }

    fn poll_activity(&mut self, context: &mut Context<'_>) -> Result<(), Wait> {
        match &mut self.activity {
            Activity::New => {
                self.activity = Activity::Idle;
                self.begin().map_err(Wait::failed)
            }
            Activity::Idle => self.go_on(),
            Activity::Requesting(request) => match request.as_mut().poll(context) {
                Poll::Pending => Err(Wait::Pending),
                Poll::Ready(reply) => self.take_reply(reply.map_err(Wait::failed)?).map_err(Wait::failed),
            },
            Activity::Opening(request) => match request.as_mut().poll(context) {
                Poll::Pending => Err(Wait::Pending),
                Poll::Ready(stream) => {
                    self.activity = Activity::Streaming(Box::new(stream.map_err(Wait::failed)?));
                    Ok(())
                }
            },
            Activity::Streaming(stream) => match Pin::new(&mut **stream).poll_next(context) {
                Poll::Pending => Err(Wait::Pending),
                Poll::Ready(Some(event)) => {
                    let event = event.map_err(Wait::failed)?;
                    self.take_event(event);
                    Ok(())
                }
                Poll::Ready(None) => {
                    // The stream has ended, so that nothing is waited for.
                    let Some(message) = stream.final_message().now_or_never() else { return Err(Wait::Pending) };
                    let head = stream.response().map(|response| response.head().clone()).unwrap_or_default();
                    let message = message.map_err(Wait::failed)?;
                    self.take_reply(Response::new(message, head)).map_err(Wait::failed)
                }
            },
            Activity::Ending(_) => match std::mem::replace(&mut self.activity, Activity::Ended) {
                Activity::Ending(result) => Err(Wait::Over(Some(*result))),
                _ => Err(Wait::Over(None)),
            },
            Activity::Ended => Err(Wait::Over(None)),
        }
    }

    /// Adds the tools to the request, and the calls that a resumed conversation left open.
    fn begin(&mut self) -> Result<()> {
        let tools = match &mut self.tools {
            Ok(tools) => Arc::clone(tools),
            Err(error) => return Err(error.take().unwrap_or_else(|| Error::new(ErrorKind::Tool, "the run is over"))),
        };
        tools.define_in(self.conversation.request_mut())?;
        let Next::Calls(states) = self.conversation.next() else { return Ok(()) };
        let states = states.clone();
        let calls: Vec<_> =
            self.conversation.replies().last().into_iter().flat_map(|reply| reply.tool_uses().cloned()).collect();
        for (index, (call, state)) in calls.into_iter().zip(states).enumerate() {
            let call = self.call(call);
            let is_restartable = tools.get(&call).is_some_and(Tool::is_restartable);
            match state {
                CallState::Finished(_) => {}
                CallState::Started if !is_restartable => {
                    let failure = ToolFailure::new(call.name(), ToolFailureKind::Interrupted);
                    self.note(Progress::Finished(index, Box::new(ToolFinished::failed(call, failure, Duration::ZERO))));
                }
                _ => self.execution.add(index, call),
            }
        }
        Ok(())
    }

    /// Starts what follows when no request is under way.
    fn go_on(&mut self) -> Result<(), Wait> {
        match self.conversation.next() {
            Next::Calls(_) if !self.execution.is_empty() => Err(Wait::Pending),
            Next::Calls(_) => {
                self.conversation.answer_calls();
                Ok(())
            }
            Next::Finish => {
                self.end(false);
                Ok(())
            }
            Next::Request => self.request().map_err(Wait::failed),
        }
    }

    fn request(&mut self) -> Result<()> {
        let iterations = self.conversation.iterations();
        if iterations > 0
            && let Some(stop_when) = &mut self.options.stop_when
            && stop_when(&self.conversation)
        {
            self.end(true);
            return Ok(());
        }
        if iterations >= self.options.max_iterations {
            let head = self.conversation.replies().last().map(|reply| reply.head().clone()).unwrap_or_default();
            let sentence = format!("tool run stopped after {} requests", self.options.max_iterations);
            return Err(Error::new(ErrorKind::ToolLimit, sentence).with_head(head));
        }
        let mut request = self.conversation.shared_request();
        if let Some(before_request) = &mut self.options.before_request {
            before_request(Arc::make_mut(&mut request));
        }
        let client = self.client.clone();
        self.activity = if self.options.streaming || self.options.eager {
            Activity::Opening(Box::pin(async move { client.stream_message(&request).await }))
        } else {
            Activity::Requesting(Box::pin(async move { client.create_message(&request).await }))
        };
        self.emit(|| ToolStep::RequestStarted { iteration: iterations + 1 });
        Ok(())
    }

    /// Hands an event on, and starts the call that it completes.
    fn take_event(&mut self, event: StreamEvent) {
        if let StreamEvent::ContentBlockStop(stop) = &event {
            self.closed_blocks += 1;
            if self.options.eager {
                self.start_early(stop.index);
            }
        }
        if !self.options.has_steps {
            return;
        }
        let text = match &event {
            StreamEvent::ContentBlockDelta(event) => match &event.delta {
                ContentBlockDelta::TextDelta(delta) => Some(delta.text.clone()),
                _ => None,
            },
            _ => None,
        };
        self.queue.push_back(ToolStep::Event(Box::new(event)));
        self.queue.extend(text.filter(|text| !text.is_empty()).map(ToolStep::Text));
    }

    /// Starts the call whose block is closed, if its input is complete.
    fn start_early(&mut self, block: i64) {
        let Activity::Streaming(stream) = &self.activity else { return };
        if !matches!(stream.tool_input(block), Some(Ok(_))) {
            return;
        }
        // Blocks are closed in their order, so that the call is the last one.
        let Some((index, call)) = stream.message().tool_uses().cloned().enumerate().last() else { return };
        if self.early.contains_key(&index) || call.id.as_ref().is_none_or(String::is_empty) {
            return;
        }
        let call = self.call(call);
        self.early.insert(index, (call.clone(), CallState::Waiting));
        self.execution.add(index, call);
    }

    fn take_reply(&mut self, reply: Response<MessageResponse>) -> Result<()> {
        let was_streamed = matches!(self.activity, Activity::Streaming(_));
        self.activity = Activity::Idle;
        self.closed_blocks = 0;
        if self.options.has_steps && !was_streamed {
            let texts = reply.content.iter().flatten().filter_map(|block| match block {
                ContentBlock::Text(block) if !block.text.is_empty() => Some(ToolStep::Text(block.text.clone())),
                _ => None,
            });
            self.queue.extend(texts);
        }
        self.emit(|| ToolStep::Reply(Box::new(reply.clone())));
        let action = NextAction::after(&reply).map_err(|error| error.with_head(reply.head().clone()));
        match action {
            Err(error) => {
                self.conversation.add_reply(reply, Next::Request);
                return Err(error);
            }
            Ok(NextAction::Finish) => {
                self.discard_early();
                // The API takes neither the remains of a refused call nor a truncated call of a server's tool.
                let is_sendable = reply.tool_uses().next().is_none() && !has_truncated_input(&reply);
                self.conversation.add_reply(reply, Next::Finish);
                if is_sendable {
                    self.conversation.echo();
                }
            }
            Ok(NextAction::Continue) => {
                self.conversation.add_reply(reply, Next::Request);
                self.conversation.echo();
            }
            Ok(NextAction::RunTools(calls)) => {
                let states: Vec<_> = (0..calls.len()).map(|index| self.early_state(index)).collect();
                self.conversation.add_reply(reply, Next::Calls(states));
                for (index, call) in calls.into_iter().enumerate() {
                    if !self.early.contains_key(&index) {
                        let call = self.call(call);
                        self.execution.add(index, call);
                    }
                }
                self.early.clear();
            }
        }
        Ok(())
    }

    /// Records the progress of a call.
    fn note(&mut self, progress: Progress) {
        match progress {
            Progress::Starting(index, call) => {
                match self.early.get_mut(&index) {
                    Some((_, state)) => *state = CallState::Started,
                    None => self.conversation.start_call(index),
                }
                self.emit(|| ToolStep::ToolCalled(call));
            }
            Progress::Finished(index, finished) => {
                match self.early.get_mut(&index) {
                    Some((_, state)) => *state = CallState::Finished(Box::new(finished.result.clone())),
                    None => self.conversation.finish_call(index, &finished.result),
                }
                self.emit(|| ToolStep::ToolFinished(*finished));
            }
        }
    }

    fn early_state(&self, index: usize) -> CallState {
        self.early.get(&index).map_or(CallState::Waiting, |(_, state)| state.clone())
    }

    fn take_early(&mut self, index: usize) -> CallState {
        self.early.remove(&index).map_or(CallState::Waiting, |(_, state)| state)
    }

    /// Takes calls back that were started for a reply that can't be answered.
    fn discard_early(&mut self) {
        if self.early.is_empty() {
            return;
        }
        self.execution.clear();
        for (call, state) in std::mem::take(&mut self.early).into_values() {
            if !matches!(state, CallState::Waiting) {
                self.emit(|| ToolStep::ToolDiscarded(call));
            }
        }
    }

    fn fail(&mut self, error: Error) {
        self.discard_early();
        self.closed_blocks = 0;
        self.activity = Activity::Ending(Box::new(Err(ToolRunError::new(error, self.conversation.clone()))));
    }

    fn end(&mut self, is_stopped: bool) {
        let result = match self.conversation.replies().last() {
            Some(reply) => Ok(ToolRunOutcome::new(reply.clone(), self.conversation.clone(), is_stopped)),
            None => {
                Err(ToolRunError::new(Error::new(ErrorKind::Tool, "the run has no reply"), self.conversation.clone()))
            }
        };
        self.activity = Activity::Ending(Box::new(result));
    }

    fn call(&self, block: ContentBlockToolUse) -> ToolCall {
        ToolCall::new(block, self.options.execute.context.clone())
    }

    fn emit(&mut self, step: impl FnOnce() -> ToolStep) {
        if self.options.has_steps {
            self.queue.push_back(step());
        }
    }
}

/// The reason a poll makes no more progress.
enum Wait {
    Pending,
    Failed(Box<Error>),
    Over(Option<RunResult>),
}

impl Wait {
    fn failed(error: Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// The action that a reply asks for.
enum NextAction {
    /// End the run: the reply is the answer, or there will be none.
    Finish,
    /// Send the reply back as it is.
    Continue,
    /// Run these calls and send their results.
    RunTools(Vec<ContentBlockToolUse>),
}

impl NextAction {
    /// Decides what follows a reply.
    ///
    /// # Errors
    /// Fails if the reply calls tools and can't be answered.
    fn after(reply: &MessageResponse) -> Result<Self> {
        let reason = reply.stop_reason.as_ref();
        if reason.is_some_and(|reason| reason.is_refusal()) {
            return Ok(Self::Finish);
        }
        let calls: Vec<_> = reply.tool_uses().cloned().collect();
        if calls.is_empty() {
            return Ok(if reason.is_some_and(|reason| reason.is_pause()) { Self::Continue } else { Self::Finish });
        }
        if let Some(problem) = truncation(reply) {
            return Err(Error::new(ErrorKind::CutOff, problem));
        }
        if let Some(call) = calls.iter().find(|call| call.id.as_ref().is_none_or(String::is_empty)) {
            let sentence = format!("the call of tool `{}` has no id and can't be answered", call.name);
            return Err(Error::new(ErrorKind::Tool, sentence));
        }
        Ok(Self::RunTools(calls))
    }
}

/// Returns the reason why the calls of a reply may be incomplete. Only three stop reasons are known to leave calls complete.
fn truncation(reply: &MessageResponse) -> Option<String> {
    match &reply.stop_reason {
        Some(reason) if matches!(reason.as_str(), "tool_use" | "end_turn" | "pause_turn") => None,
        Some(reason) => Some(format!("the reply stopped with `{reason}` and may be cut off within a tool call")),
        None => Some("the reply has no stop reason and may be cut off within a tool call".to_owned()),
    }
}

/// Returns `true` if a call that the caller doesn't run, such as one of a server's tool, was cut off. Its input is then the
/// text that had arrived.
fn has_truncated_input(reply: &MessageResponse) -> bool {
    #[derive(Deserialize)]
    struct Call {
        input: Option<Json>,
    }
    reply.content.iter().flatten().any(|block| match block {
        ContentBlock::ServerToolUse(call) => call.incomplete_input().is_some(),
        ContentBlock::Unknown(block) => {
            block.decode().is_ok_and(|Call { input }| input.is_some_and(|input| input.json_type() == JsonType::String))
        }
        _ => false,
    })
}

/// Removes the blocks that were not closed, and those that can't end a turn: thinking, and calls of a server's tool without
/// their result.
fn keep_complete_blocks(reply: &mut MessageResponse, closed: usize) {
    let Some(content) = &mut reply.content else { return };
    content.truncate(closed);
    if let Some(cut) = content.iter().position(
        |block| matches!(block, ContentBlock::ToolUse(call) if call.incomplete_input().is_some() || call.id.is_none()),
    ) {
        content.truncate(cut);
    }
    while let Some(ContentBlock::Thinking(_) | ContentBlock::RedactedThinking(_) | ContentBlock::ServerToolUse(_)) =
        content.last()
    {
        content.pop();
    }
}

/// The moment at which a run was woken, to know how long nobody polled it.
#[derive(Default)]
struct WakeTime(Mutex<Option<Instant>>);

struct TimedWaker {
    time: Arc<WakeTime>,
    inner: Waker,
}

impl WakeTime {
    /// Returns a waker that notes when it is used first.
    fn wrap(self: &Arc<Self>, inner: &Waker) -> Arc<TimedWaker> {
        Arc::new(TimedWaker { time: Arc::clone(self), inner: inner.clone() })
    }

    /// Returns the time since the run was woken.
    fn take(&self) -> Option<Duration> {
        Some(self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?.elapsed())
    }
}

impl Wake for TimedWaker {
    fn wake(self: Arc<Self>) {
        self.time.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
        self.inner.wake_by_ref();
    }
}
