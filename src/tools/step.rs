//! What a tool run tells while it goes on.

use std::{error, fmt, time::Duration};

use super::{
    call::ToolCall,
    outcome::ToolRunOutcome,
    output::{ToolError, ToolOutput},
};
use crate::{
    generated::types::{ContentBlockToolResult, MessageResponse, StreamEvent},
    json::DecodeError,
};

/// A step of a tool run, from [`ToolRun::steps`](super::ToolRun::steps).
///
/// A run is requests, each with a reply: `RequestStarted`, the `Event`s of the reply where it is
/// streamed, and `Reply`. A reply that calls tools is followed by a `ToolCalled` and a
/// `ToolFinished` for each call; calls run side by side, so that these mingle, and finish in any
/// order. `Finished` is the last step.
///
/// Printing one shows what happened, and nothing that was said.
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "a run has few steps, and they are handed on one at a time")]
pub enum ToolStep {
    /// A request is about to be sent.
    RequestStarted {
        /// Which one, counted from 1.
        iteration: usize,
    },
    /// An event of a streamed reply came.
    Event(Box<StreamEvent>),
    /// A reply is complete.
    Reply(Box<MessageResponse>),
    /// A tool starts to run.
    ToolCalled(ToolCall),
    /// A tool ended, well or not.
    ToolFinished(ToolFinished),
    /// The run is over.
    Finished(ToolRunOutcome),
}

/// How the call of a tool ended. Printing it leaves out the result.
#[non_exhaustive]
pub struct ToolFinished {
    /// The call.
    pub call: ToolCall,
    /// What the model reads of it; `is_error` is set when it failed.
    pub result: ContentBlockToolResult,
    /// Why it failed; `None` when it went well.
    pub failure: Option<ToolFailure>,
    /// How long it took.
    pub elapsed: Duration,
}

/// Why the call of a tool failed. The model is told in each case; the run goes on. Printing it
/// leaves out the message of a panic, which may repeat the input.
#[non_exhaustive]
pub enum ToolFailure {
    /// The run has no tool of this name. The model reads which ones there are.
    Unknown {
        /// The names of the run's tools.
        known: Vec<String>,
    },
    /// The input does not fit the tool's type. The model reads what was expected, and where.
    Undecodable(DecodeError),
    /// The tool returned an error. The model reads its output.
    Failed(ToolError),
    /// The tool panicked, with this message if it is text. The model reads that it failed, not the
    /// message. Where panics abort the process, they do so here as well.
    Panicked(Option<String>),
    /// The tool took longer than this. The model reads that it did.
    TimedOut(Duration),
}

impl ToolFailure {
    /// What the model reads.
    pub(super) fn output(&self, call: &ToolCall) -> ToolOutput {
        let name = call.name();
        match self {
            Self::Unknown { known } if known.is_empty() => format!("there is no tool `{name}`").into(),
            Self::Unknown { known } => {
                format!("there is no tool `{name}`; the tools are `{}`", known.join("`, `")).into()
            }
            Self::Undecodable(error) => format!("the input of `{name}` does not fit its schema: {error}").into(),
            Self::Failed(error) => error.output().clone(),
            Self::Panicked(_) => format!("`{name}` failed unexpectedly").into(),
            Self::TimedOut(limit) => format!("`{name}` took longer than {limit:?} and was stopped").into(),
        }
    }
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

impl fmt::Debug for ToolFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { known } => f.debug_struct("Unknown").field("known", known).finish(),
            Self::Undecodable(error) => f.debug_tuple("Undecodable").field(error).finish(),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::Panicked(_) => f.write_str("Panicked(..)"),
            Self::TimedOut(limit) => f.debug_tuple("TimedOut").field(limit).finish(),
        }
    }
}

impl fmt::Display for ToolFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { .. } => f.write_str("the model called a tool that the run does not have"),
            Self::Undecodable(_) => f.write_str("the input of a tool does not fit its type"),
            Self::Failed(_) => f.write_str("a tool returned an error"),
            Self::Panicked(_) => f.write_str("a tool panicked"),
            Self::TimedOut(limit) => write!(f, "a tool took longer than {limit:?}"),
        }
    }
}

impl error::Error for ToolFailure {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Undecodable(error) => Some(error),
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}
