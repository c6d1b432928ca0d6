//! The end of a tool run.

use std::{error, fmt, ops::Deref};

use serde::{Serialize, Serializer};

use super::conversation::Conversation;
use crate::{
    error::{Error, ErrorKind},
    generated::types::{MessageResponse, Usage},
    response::Response,
};

/// The outcome of a successful tool run.
///
/// It dereferences to the last reply, so the text, stop reason and usage can be used directly.
///
/// A run succeeds with the first reply that calls no tool and is not paused, whatever its `stop_reason`. Check that to tell
/// an answer from a refusal, or from a text that `max_tokens` cut off.
#[derive(Clone)]
pub struct ToolRunOutcome(Box<Outcome>);

#[derive(Clone)]
struct Outcome {
    message: Response<MessageResponse>,
    conversation: Conversation,
    stopped: bool,
}

impl ToolRunOutcome {
    pub(super) fn new(message: Response<MessageResponse>, conversation: Conversation, stopped: bool) -> Self {
        Self(Box::new(Outcome { message, conversation, stopped }))
    }

    /// Returns the last reply, with the metadata of its response.
    #[must_use]
    pub fn message(&self) -> &Response<MessageResponse> {
        &self.0.message
    }

    /// Returns the last reply, without copying it.
    #[must_use]
    pub fn into_message(self) -> MessageResponse {
        self.0.message.into_inner()
    }

    /// Returns the sum of the usage of all replies of the conversation.
    #[must_use]
    pub fn total_usage(&self) -> Usage {
        self.conversation().total_usage()
    }

    /// Returns `true` if the condition of [`ToolRun::stop_when`](super::ToolRun::stop_when) ended the run. If the last reply
    /// called tools, their results are in the conversation.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped
    }

    /// Returns the conversation, the last reply included.
    #[must_use]
    pub fn conversation(&self) -> &Conversation {
        &self.0.conversation
    }

    /// Returns the conversation, without copying it.
    #[must_use]
    pub fn into_conversation(self) -> Conversation {
        self.0.conversation
    }
}

impl Deref for ToolRunOutcome {
    type Target = Response<MessageResponse>;

    fn deref(&self) -> &Response<MessageResponse> {
        self.message()
    }
}

/// Serializes the last reply.
impl Serialize for ToolRunOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self.message()).serialize(serializer)
    }
}

impl fmt::Debug for ToolRunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolRunOutcome")
            .field("stop_reason", &self.stop_reason)
            .field("is_stopped", &self.is_stopped())
            .field("conversation", self.conversation())
            .finish_non_exhaustive()
    }
}

/// The error of a failed tool run, with the conversation so far. It converts into [`Error`].
///
/// A failing tool doesn't fail the run: the model reads about it. Besides the kinds of a failed request, the kind can be
/// - [`ErrorKind::Contract`]: the type of a tool's input can't be the input of a tool, or two tools have the same name.
///   Nothing was sent.
/// - [`ErrorKind::CutOff`]: a reply calls tools and may be cut off within a call. None of its calls ran.
/// - [`ErrorKind::Tool`]: a call has no id and can't be answered. None of the calls of that reply ran.
/// - [`ErrorKind::ToolLimit`]: the run made [as many requests as it may](super::ToolRun::max_iterations).
pub struct ToolRunError(Box<Failed>);

struct Failed {
    error: Error,
    conversation: Conversation,
}

impl ToolRunError {
    pub(super) fn new(error: Error, conversation: Conversation) -> Self {
        Self(Box::new(Failed { error, conversation }))
    }

    /// Returns the kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.error.kind()
    }

    /// Returns the error, with the status and request id of a failed request.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0.error
    }

    /// Returns the conversation up to the failure.
    #[must_use]
    pub fn conversation(&self) -> &Conversation {
        &self.0.conversation
    }

    /// Returns the error and the conversation.
    #[must_use]
    pub fn into_parts(self) -> (Error, Conversation) {
        (self.0.error, self.0.conversation)
    }
}

impl From<ToolRunError> for Error {
    fn from(failed: ToolRunError) -> Self {
        failed.0.error
    }
}

impl fmt::Display for ToolRunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.error.fmt(f)
    }
}

impl fmt::Debug for ToolRunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolRunError")
            .field("error", &self.0.error)
            .field("conversation", &self.0.conversation)
            .finish()
    }
}

/// The source is that of [`error`](ToolRunError::error), because `Display` already shows the message of that one.
impl error::Error for ToolRunError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        error::Error::source(&self.0.error)
    }
}
