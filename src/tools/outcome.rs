//! How a tool run ends.

use std::{error, fmt, ops::Deref};

use super::conversation::Conversation;
use crate::{
    error::{Error, ErrorKind},
    generated::types::MessageResponse,
};

/// What came of a tool run. It dereferences to the last reply, so that its text, stop reason and
/// usage are at hand.
///
/// A run ends well with the first reply that calls no tool and is not paused, whatever its
/// `stop_reason`: look at it to tell an answer from a refusal, or from a text that `max_tokens` cut
/// off.
pub struct ToolRunOutcome(Box<Outcome>);

struct Outcome {
    message: MessageResponse,
    conversation: Conversation,
    stopped: bool,
}

impl ToolRunOutcome {
    pub(super) fn new(message: MessageResponse, conversation: Conversation, stopped: bool) -> Self {
        Self(Box::new(Outcome { message, conversation, stopped }))
    }

    /// The last reply.
    #[must_use]
    pub fn message(&self) -> &MessageResponse {
        &self.0.message
    }

    /// The last reply, to keep.
    #[must_use]
    pub fn into_message(self) -> MessageResponse {
        self.0.message
    }

    /// Whether the condition of [`ToolRun::stop_when`](super::ToolRun::stop_when) ended the run.
    /// The last reply may then have called tools; their results are in the conversation.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped
    }

    /// All that was said, the last reply included.
    #[must_use]
    pub fn conversation(&self) -> &Conversation {
        &self.0.conversation
    }

    /// All that was said, to go on with.
    #[must_use]
    pub fn into_conversation(self) -> Conversation {
        self.0.conversation
    }
}

impl Deref for ToolRunOutcome {
    type Target = MessageResponse;

    fn deref(&self) -> &MessageResponse {
        self.message()
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

/// Why a tool run failed, with all that was said until then. It converts into [`Error`] where the
/// conversation does not matter.
///
/// A failing tool is none of the reasons: the model is told, and the run goes on. Beside the kinds
/// of a failed request these are
/// - [`ErrorKind::Contract`]: a tool's input is of a type that a tool can't have, or two tools have
///   the same name; nothing was sent,
/// - [`ErrorKind::CutOff`]: a reply calls tools, and may have ended in the middle of a call; none of
///   its calls ran,
/// - [`ErrorKind::Tool`]: a call has no id, so that it can't be answered; none of the reply's calls
///   ran,
/// - [`ErrorKind::ToolLimit`]: the run made as many requests as it may.
pub struct ToolRunError(Box<Failed>);

struct Failed {
    error: Error,
    conversation: Conversation,
}

impl ToolRunError {
    pub(super) fn new(error: Error, conversation: Conversation) -> Self {
        Self(Box::new(Failed { error, conversation }))
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.error.kind()
    }

    /// The error itself: status, request id, and whatever else is known of a failed request.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0.error
    }

    /// All that was said until then.
    #[must_use]
    pub fn conversation(&self) -> &Conversation {
        &self.0.conversation
    }

    /// Both, to go on with.
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

/// The source is that of the error that it stands for, so that a chain has no sentence twice.
impl error::Error for ToolRunError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        error::Error::source(&self.0.error)
    }
}
