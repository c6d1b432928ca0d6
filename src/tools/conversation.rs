//! The conversation that a tool run leads.

use std::fmt;

use crate::generated::types::{
    AnthropicMessage, ContainerReference, ContentBlock, MessageCreateRequest, MessageResponse,
};

/// All that was said in a tool run, in a form that can be sent again.
///
/// [`messages`](Self::messages) holds whole exchanges only: the turns of the request, then each
/// reply as it came, with every block in its place and unknown ones too, and behind it the results
/// of its tools. A reply that could not be answered, since a call in it was cut off, is the last of
/// [`replies`](Self::replies), and not among the messages.
///
/// Printing it shows how much there is, not what was said.
#[derive(Clone)]
pub struct Conversation {
    request: MessageCreateRequest,
    replies: Vec<MessageResponse>,
}

impl Conversation {
    pub(super) fn new(request: MessageCreateRequest) -> Self {
        Self { request, replies: Vec::new() }
    }

    /// The turns: those of the request, and those of the run.
    #[must_use]
    pub fn messages(&self) -> &[AnthropicMessage] {
        &self.request.messages
    }

    /// The replies in full, with stop reasons and usage, in their order.
    #[must_use]
    pub fn replies(&self) -> &[MessageResponse] {
        &self.replies
    }

    /// The request that the next turn would be sent with: all turns so far, the tools, and the
    /// container that the API gave.
    #[must_use]
    pub fn request(&self) -> &MessageCreateRequest {
        &self.request
    }

    /// That request, to go on with: after a run that came to an end, push a user's turn to its
    /// messages; after one that failed, run it again as it is.
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

    /// Puts the last reply among the messages. The API refuses a turn without content.
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

    /// Has the next request use the container of this one: files and state are in it.
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
