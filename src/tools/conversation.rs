//! The conversation of a tool run: everything that a run needs to go on.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    handler::ToolCall,
    output::{ToolFailure, ToolFailureKind},
    step::ToolFinished,
};
use crate::{
    generated::types::{
        AnthropicMessage, ContainerReference, ContentBlock, ContentBlockToolResult, ContentBlockToolUse,
        MessageCreateRequest, MessageResponse, Usage,
    },
    json::{Json, JsonType},
    response::{Head, PackedHeaders, Response},
};

/// The conversation of a tool run, in a form that can be sent again and stored.
///
/// [`messages`](Self::messages) holds complete exchanges only: the turns of the request, then each reply, followed by the
/// results of its tools. The calls of the last reply join them when all have their results. A reply that can't be answered,
/// because a call in it was cut off, is the last of [`replies`](Self::replies) and not among the messages.
///
/// # Storing and resuming
///
/// A conversation implements [`Serialize`] and [`Deserialize`]. Store it after each step of a run, and pass it to
/// [`Client::run_tools`](crate::Client::run_tools) in place of the request to resume the run, in another process if need be.
/// Calls that had returned keep their results. A call that was running is answered as interrupted, because it may have had
/// effects, unless [its tool can be restarted](super::Tool::restartable). Calls that had not started run.
///
/// Of the headers of replies, the request id and those that begin with `anthropic-` are stored.
///
/// ```no_run
/// use anthropic_messages::{Client, tools::{Conversation, Tool, ToolRunError}};
///
/// # async fn sample(client: Client, tools: Vec<Tool>) -> Result<(), Box<dyn std::error::Error>> {
/// let stored: Conversation = serde_json::from_slice(&std::fs::read("run.json")?)?;
/// let mut steps = client.run_tools(stored, tools).steps();
/// while let Some(step) = steps.next().await {
///     step?;
///     std::fs::write("run.json", serde_json::to_vec(steps.conversation())?)?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// `Debug` shows the number of messages and omits their content. Cloning is cheap.
#[derive(Clone)]
pub struct Conversation(Arc<Inner>);

#[derive(Clone, Deserialize, Serialize)]
struct Inner {
    #[serde(with = "shared")]
    request: Arc<MessageCreateRequest>,
    #[serde(with = "stored")]
    replies: Vec<Response<MessageResponse>>,
    next: Next,
    /// The number of replies since the run, or the last turn that was pushed, began.
    iterations: usize,
}

/// The next step after the last reply.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Next {
    Request,
    /// The calls of the last reply, in their order.
    Calls(Vec<CallState>),
    Finish,
}

/// The progress of a call.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CallState {
    Waiting,
    Started,
    Finished(Box<ContentBlockToolResult>),
}

impl Conversation {
    /// Returns the turns: those of the request, then those of the run.
    #[must_use]
    pub fn messages(&self) -> &[AnthropicMessage] {
        &self.0.request.messages
    }

    /// Returns the replies in order, each with the metadata of its response.
    #[must_use]
    pub fn replies(&self) -> &[Response<MessageResponse>] {
        &self.0.replies
    }

    /// Returns the request for the next turn: all turns so far, the tools, and the container that the API assigned.
    #[must_use]
    pub fn request(&self) -> &MessageCreateRequest {
        &self.0.request
    }

    /// Returns the request for the next turn.
    #[must_use]
    pub fn into_request(self) -> MessageCreateRequest {
        let request = match Arc::try_unwrap(self.0) {
            Ok(inner) => inner.request,
            Err(shared) => Arc::clone(&shared.request),
        };
        Arc::unwrap_or_clone(request)
    }

    /// Adds a turn, so that a run with this conversation sends another request. Pass the result of
    /// [`AnthropicMessage::user`] after a run that finished or was interrupted.
    pub fn push(&mut self, message: AnthropicMessage) {
        let inner = self.inner();
        Arc::make_mut(&mut inner.request).messages.push(message);
        (inner.next, inner.iterations) = (Next::Request, 0);
    }

    /// Returns the sum of the usage of all replies.
    #[must_use]
    pub fn total_usage(&self) -> Usage {
        self.replies().iter().filter_map(|reply| reply.usage.as_ref()).sum()
    }

    pub(super) fn next(&self) -> &Next {
        &self.0.next
    }

    pub(super) fn iterations(&self) -> usize {
        self.0.iterations
    }

    pub(super) fn shared_request(&self) -> Arc<MessageCreateRequest> {
        Arc::clone(&self.0.request)
    }

    pub(super) fn request_mut(&mut self) -> &mut MessageCreateRequest {
        Arc::make_mut(&mut self.inner().request)
    }

    /// Adds a reply, and what follows it.
    pub(super) fn add_reply(&mut self, reply: Response<MessageResponse>, next: Next) {
        let inner = self.inner();
        inner.carry_container(&reply);
        inner.replies.push(reply);
        inner.next = next;
        inner.iterations += 1;
    }

    /// Adds the last reply to the messages.
    pub(super) fn echo(&mut self) {
        self.inner().echo();
    }

    pub(super) fn start_call(&mut self, index: usize) {
        if let Some(state) = self.call_mut(index) {
            *state = CallState::Started;
        }
    }

    pub(super) fn finish_call(&mut self, index: usize, result: &ContentBlockToolResult) {
        if let Some(state) = self.call_mut(index) {
            *state = CallState::Finished(Box::new(result.clone()));
        }
    }

    /// Adds the last reply and the results of its calls to the messages, once all calls have finished.
    pub(super) fn answer_calls(&mut self) {
        let inner = self.inner();
        let Next::Calls(calls) = std::mem::replace(&mut inner.next, Next::Request) else { return };
        let results = calls.into_iter().filter_map(|call| match call {
            CallState::Finished(result) => Some(ContentBlock::from(*result)),
            _ => None,
        });
        let results: Vec<_> = results.collect();
        inner.echo();
        Arc::make_mut(&mut inner.request).messages.push(AnthropicMessage::user(results));
    }

    /// Answers the calls that have no result as interrupted, so that the conversation can be sent.
    pub(super) fn interrupt_calls(&mut self) {
        let Next::Calls(states) = self.next() else { return };
        let calls: Vec<_> = self.replies().last().into_iter().flat_map(|reply| reply.tool_uses().cloned()).collect();
        let is_open = |state: &CallState| !matches!(state, CallState::Finished(_));
        let open: Vec<_> =
            states.iter().enumerate().filter(|(_, state)| is_open(state)).map(|(index, _)| index).collect();
        for index in open {
            if let Some(call) = calls.get(index) {
                let call = ToolCall::new(call.clone(), None);
                let failure = ToolFailure::new(call.name(), ToolFailureKind::Interrupted);
                self.finish_call(index, &ToolFinished::failed(call, failure, Duration::ZERO).result);
            }
        }
        self.answer_calls();
    }

    fn call_mut(&mut self, index: usize) -> Option<&mut CallState> {
        match &mut self.inner().next {
            Next::Calls(calls) => calls.get_mut(index),
            _ => None,
        }
    }

    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }
}

impl Inner {
    /// Adds the last reply to the messages, unless it is empty: the API rejects a turn without content.
    fn echo(&mut self) {
        let Some(reply) = self.replies.last() else { return };
        let mut turn = AnthropicMessage::from((**reply).clone());
        for block in &mut turn.content {
            if let ContentBlock::ToolUse(call) = block {
                wrap_invalid_input(call);
            }
        }
        if !turn.content.is_empty() {
            Arc::make_mut(&mut self.request).messages.push(turn);
        }
    }

    /// Makes the next request use the container of this reply, which holds files and state.
    fn carry_container(&mut self, reply: &MessageResponse) {
        let Some(container) = &reply.container else { return };
        match &mut Arc::make_mut(&mut self.request).container {
            Some(ContainerReference::ContainerConfig(config)) => config.id = Some(container.id.clone()),
            other => *other = Some(ContainerReference::String(container.id.clone())),
        }
    }
}

/// Puts an input that is not JSON into an object, because the API accepts nothing else. The name is that of the API's
/// documentation on fine-grained tool streaming.
fn wrap_invalid_input(call: &mut ContentBlockToolUse) {
    if call.input.json_type() == JsonType::String
        && let Ok(input) = Json::parse(&format!(r#"{{"INVALID_JSON":{}}}"#, call.input.as_str()))
    {
        call.input = input;
    }
}

/// Starts a conversation with a request.
impl From<MessageCreateRequest> for Conversation {
    fn from(request: MessageCreateRequest) -> Self {
        let next = Next::Request;
        Self(Arc::new(Inner { request: Arc::new(request), replies: Vec::new(), next, iterations: 0 }))
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("messages", &self.messages().len())
            .field("replies", &self.replies().len())
            .finish_non_exhaustive()
    }
}

impl Serialize for Conversation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Conversation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Inner::deserialize(deserializer).map(|inner| Self(Arc::new(inner)))
    }
}

mod shared {
    use super::{Arc, Deserialize, Deserializer, MessageCreateRequest, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        request: &Arc<MessageCreateRequest>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (**request).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<MessageCreateRequest>, D::Error> {
        MessageCreateRequest::deserialize(deserializer).map(Arc::new)
    }
}

mod stored {
    use super::{
        Deserialize, Deserializer, Duration, Head, HeaderMap, HeaderName, HeaderValue, MessageResponse, PackedHeaders,
        Response, Serialize, Serializer, StatusCode,
    };

    /// A reply as it is stored.
    #[derive(Deserialize, Serialize)]
    struct Stored {
        message: MessageResponse,
        status: u16,
        attempts: u32,
        elapsed: Duration,
        headers: Vec<(String, String)>,
    }

    impl From<&Response<MessageResponse>> for Stored {
        fn from(reply: &Response<MessageResponse>) -> Self {
            let is_kept = |name: &HeaderName| name == "request-id" || name.as_str().starts_with("anthropic-");
            let headers = reply
                .headers()
                .iter()
                .filter(|(name, _)| is_kept(name))
                .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
            Self {
                message: (**reply).clone(),
                status: reply.status().as_u16(),
                attempts: reply.attempts(),
                elapsed: reply.elapsed(),
                headers: headers.collect(),
            }
        }
    }

    impl From<Stored> for Response<MessageResponse> {
        fn from(stored: Stored) -> Self {
            let mut headers = HeaderMap::new();
            for (name, value) in stored.headers {
                if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                    headers.append(name, value);
                }
            }
            let head = Head {
                status: StatusCode::from_u16(stored.status).ok(),
                headers: PackedHeaders::pack(&headers),
                attempts: stored.attempts,
                elapsed: stored.elapsed,
                may_have_been_processed: true,
                ..Head::default()
            };
            Self::new(stored.message, head)
        }
    }

    pub(super) fn serialize<S: Serializer>(
        replies: &[Response<MessageResponse>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(replies.iter().map(Stored::from))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Response<MessageResponse>>, D::Error> {
        Ok(Vec::<Stored>::deserialize(deserializer)?.into_iter().map(Response::from).collect())
    }
}
