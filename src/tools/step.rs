//! The steps of a run.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};

use super::{
    handler::ToolCall,
    outcome::ToolRunOutcome,
    output::{ToolFailure, ToolOutput},
};
use crate::{
    generated::types::{ContentBlockToolResult, MessageResponse, StreamEvent},
    json::Empty,
    response::Response,
};

/// A step of a tool run, from [`ToolRun::steps`](super::ToolRun::steps).
///
/// A run is a sequence of requests, each with a reply: `RequestStarted`, the `Event`s of the reply if it is streamed, its
/// `Text`, and `Reply`. If the reply calls tools, a `ToolCalled` and a `ToolFinished` follow for each call. Calls run
/// concurrently and finish in any order. `Finished` is the last step.
///
/// `Debug` shows what happened and omits everything that was said. `Serialize` includes it, for user interfaces: it writes an
/// object with the name of the step in `type`, such as `tool_called`, and its value in `data`.
#[derive(Clone, Serialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
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
    /// A piece of text arrived: a delta if the reply is streamed, else a whole block.
    Text(String),
    /// A reply is complete.
    Reply(#[serde(serialize_with = "message")] Box<Response<MessageResponse>>),
    /// A tool starts to run. From now on, a resumed run considers the call as interrupted.
    ToolCalled(ToolCall),
    /// A tool returned or failed, or its call was denied.
    ToolFinished(ToolFinished),
    /// A call that [started early](super::ToolRun::eager) is taken back, because its reply turned out to be cut off or
    /// refused. Its result is dropped.
    ToolDiscarded(ToolCall),
    /// The run is over.
    Finished(ToolRunOutcome),
}

/// The end of a tool call.
///
/// `Debug` omits the result.
#[derive(Clone, Serialize)]
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

impl ToolFinished {
    pub(super) fn succeeded(call: ToolCall, output: ToolOutput, elapsed: Duration) -> Self {
        Self { result: result(&call, output, false), failure: None, call, elapsed }
    }

    pub(super) fn failed(call: ToolCall, failure: ToolFailure, elapsed: Duration) -> Self {
        Self { result: result(&call, failure.output(), true), failure: Some(failure), call, elapsed }
    }
}

fn result(call: &ToolCall, output: ToolOutput, is_error: bool) -> ContentBlockToolResult {
    ContentBlockToolResult {
        tool_use_id: call.id().to_owned(),
        content: output.into_content(),
        is_error: is_error.then_some(true),
        toolset_name: call.block().toolset_name.clone(),
        ..ContentBlockToolResult::empty()
    }
}

fn message<S: Serializer>(reply: &Response<MessageResponse>, serializer: S) -> Result<S::Ok, S::Error> {
    (**reply).serialize(serializer)
}

impl fmt::Debug for ToolStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestStarted { iteration } => {
                f.debug_struct("RequestStarted").field("iteration", iteration).finish()
            }
            Self::Event(_) => f.write_str("Event(..)"),
            Self::Text(_) => f.write_str("Text(..)"),
            Self::Reply(reply) => {
                f.debug_struct("Reply").field("stop_reason", &reply.stop_reason).finish_non_exhaustive()
            }
            Self::ToolCalled(call) => f.debug_tuple("ToolCalled").field(call).finish(),
            Self::ToolFinished(finished) => finished.fmt(f),
            Self::ToolDiscarded(call) => f.debug_tuple("ToolDiscarded").field(call).finish(),
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
