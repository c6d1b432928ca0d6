//! The conversation of a tool run.

use std::fmt;

use crate::generated::types::{
    AnthropicMessage, ContainerReference, ContentBlock, MessageCreateRequest, MessageResponse,
};

/// The conversation of a tool run, in a form that can be sent again.
///
/// [`messages`](Self::messages) holds complete exchanges only: the turns of the request, then each reply with all its
/// blocks, unknown ones included, followed by the results of its tools. A reply that can't be answered, because a call in it
/// was cut off, is the last of [`replies`](Self::replies) and not among the messages.
///
/// `Debug` shows the number of messages and omits their content.
#[derive(Clone)]
pub struct Conversation {
    request: MessageCreateRequest,
    replies: Vec<MessageResponse>,
}

impl Conversation {
    pub(super) fn new(request: MessageCreateRequest) -> Self {
        Self { request, replies: Vec::new() }
    }

    /// Returns the turns: those of the request, then those of the run.
    #[must_use]
    pub fn messages(&self) -> &[AnthropicMessage] {
        &self.request.messages
    }

    /// Returns the replies in order, with stop reasons and usage.
    #[must_use]
    pub fn replies(&self) -> &[MessageResponse] {
        &self.replies
    }

    /// Returns the request for the next turn: all turns so far, the tools, and the container that the API assigned.
    #[must_use]
    pub fn request(&self) -> &MessageCreateRequest {
        &self.request
    }

    /// Returns the request for the next turn, without copying it. After a successful run, push a turn of the user to its
    /// messages. After a failed one, run it again as it is.
    #[must_use]
    pub fn into_request(self) -> MessageCreateRequest {
        self.request
    }

    pub(super) fn request_mut(&mut self) -> &mut MessageCreateRequest {
        &mut self.request
    }

    pub(super) fn add_reply(&mut self, reply: MessageResponse) {
        self.carry_container(&reply);
        self.replies.push(reply);
    }

    /// Adds the last reply to the messages, unless it is empty: the API rejects a turn without content.
    pub(super) fn echo(&mut self) {
        if let Some(reply) = self.replies.last()
            && reply.content.as_ref().is_some_and(|content| !content.is_empty())
        {
            self.request.messages.push(reply.clone().into());
        }
    }

    pub(super) fn add_results(&mut self, results: Vec<ContentBlock>) {
        self.request.messages.push(AnthropicMessage::user(results));
    }

    /// Makes the next request use the container of this reply, which holds files and state.
    fn carry_container(&mut self, reply: &MessageResponse) {
        let Some(container) = &reply.container else { return };
        match &mut self.request.container {
            Some(ContainerReference::ContainerConfig(config)) => config.id = Some(container.id.clone()),
            other => *other = Some(ContainerReference::String(container.id.clone())),
        }
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("messages", &self.messages().len())
            .field("replies", &self.replies.len())
            .finish_non_exhaustive()
    }
}
