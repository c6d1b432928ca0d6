//! The steps of a run, and their way from the run to its consumer.

use std::{
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use super::{handler::ToolCall, outcome::ToolRunOutcome, output::ToolFailure};
use crate::generated::types::{ContentBlockToolResult, MessageResponse, StreamEvent};

/// A step of a tool run, from [`ToolRun::steps`](super::ToolRun::steps).
///
/// A run is a sequence of requests, each with a reply: `RequestStarted`, the `Event`s of the reply if it is streamed, and
/// `Reply`. If the reply calls tools, a `ToolCalled` and a `ToolFinished` follow for each call. Calls run concurrently and
/// finish in any order. `Finished` is the last step.
///
/// `Debug` shows what happened and omits everything that was said.
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "a run has few steps, and they are handed on one at a time")]
pub enum ToolStep {
    /// A request is about to be sent.
    RequestStarted {
        /// The number of the request, from 1.
        iteration: usize,
    },
    /// An event of a streamed reply arrived.
    Event(Box<StreamEvent>),
    /// A reply is complete.
    Reply(Box<MessageResponse>),
    /// A tool starts to run.
    ToolCalled(ToolCall),
    /// A tool returned or failed.
    ToolFinished(ToolFinished),
    /// The run is over.
    Finished(ToolRunOutcome),
}

/// The end of a tool call.
///
/// `Debug` omits the result.
#[non_exhaustive]
pub struct ToolFinished {
    /// The call.
    pub call: ToolCall,
    /// The result that the model reads. Its `is_error` is set if the call failed.
    pub result: ContentBlockToolResult,
    /// The failure, or `None` if the call succeeded.
    pub failure: Option<ToolFailure>,
    /// The duration of the call.
    pub elapsed: Duration,
}

impl fmt::Debug for ToolStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestStarted { iteration } => {
                f.debug_struct("RequestStarted").field("iteration", iteration).finish()
            }
            Self::Event(_) => f.write_str("Event(..)"),
            Self::Reply(reply) => {
                f.debug_struct("Reply").field("stop_reason", &reply.stop_reason).finish_non_exhaustive()
            }
            Self::ToolCalled(call) => f.debug_tuple("ToolCalled").field(call).finish(),
            Self::ToolFinished(finished) => finished.fmt(f),
            Self::Finished(outcome) => f.debug_tuple("Finished").field(outcome).finish(),
        }
    }
}

impl fmt::Debug for ToolFinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolFinished")
            .field("call", &self.call)
            .field("failure", &self.failure)
            .field("elapsed", &self.elapsed)
            .finish_non_exhaustive()
    }
}

/// The sending half of the steps. It holds one step, and the run waits until that is taken, so that it never runs ahead of
/// its consumer. Disabled, it makes no steps.
pub(super) struct StepSink(Option<StepSlot>);

/// The receiving half of the steps.
#[derive(Clone, Default)]
pub(super) struct StepSlot(Arc<Mutex<Option<ToolStep>>>);

impl StepSink {
    pub(super) fn disabled() -> Self {
        Self(None)
    }

    pub(super) fn into_slot(slot: StepSlot) -> Self {
        Self(Some(slot))
    }

    /// Emits a step, and waits until it is taken.
    pub(super) async fn emit(&self, step: impl FnOnce() -> ToolStep) {
        let Some(slot) = &self.0 else { return };
        slot.put(step());
        // The consumer polls the run again after taking the step, so no waker is needed.
        poll_fn(|_| if slot.is_empty() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

impl StepSlot {
    pub(super) fn take(&self) -> Option<ToolStep> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, step: ToolStep) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}
