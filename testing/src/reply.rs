//! Scripted replies.

mod message;
mod options;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::Value;

use crate::events::Event;
use crate::fault::Fault;
use crate::object::JsonObject;
use crate::request::ReceivedRequest;
use crate::wire::{Chunking, Framing};

/// A scripted reply: its content, and the way it is sent.
///
/// A message, whether given whole ([`Reply::text`], [`Reply::message`]) or as events ([`Reply::events`]), is sent as JSON
/// or as a stream, whichever the request asks for.
///
/// A mistake in a script, such as an invalid header, fails the test when the server is dropped.
///
/// ```
/// use std::time::Duration;
/// use anthropic_messages_testing::{At, Chunking, Fault, Reply};
///
/// let call = Reply::text("Let me look.").and_tool_call("weather", serde_json::json!({"city": "Paris"}));
/// let busy = Reply::overloaded().retry_after(Duration::from_secs(2));
/// let cut = Reply::text("Hello").chunked(Chunking::Bytes(7)).fault(Fault::reset(At::AfterEvent(3)));
/// # let _ = (call, busy, cut);
/// ```
#[derive(Clone)]
pub struct Reply {
    pub(crate) content: ReplyContent,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) left_out: Vec<HeaderName>,
    pub(crate) form: ReplyFormat,
    pub(crate) delta_length: usize,
    pub(crate) chunking: Chunking,
    pub(crate) framing: Option<Framing>,
    pub(crate) pause: Duration,
    pub(crate) delay: Duration,
    pub(crate) faults: Vec<Fault>,
    pub(crate) mistake: Option<String>,
}

/// The content of a reply.
#[derive(Clone)]
pub(crate) enum ReplyContent {
    /// The server's own reply to the request.
    Default,
    Message(JsonObject),
    Events(Vec<Event>),
    Error {
        kind: String,
        message: String,
        details: Option<Value>,
    },
    Raw {
        content_type: String,
        body: Bytes,
    },
    /// A result of a batch's request that is neither a message nor an error.
    BatchResult(UnansweredResult),
    Dynamic(Arc<dyn Fn(&ReceivedRequest) -> Reply + Send + Sync>),
}

/// A result of a batch's request that is neither a message nor an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnansweredResult {
    Canceled,
    Expired,
}

/// The format that a message is sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplyFormat {
    AsAsked,
    Json,
    Stream,
}

/// The default length of a delta, in characters.
const DELTA_LENGTH: usize = 16;

impl Reply {
    /// Creates a message with one text block.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::blocks().and_text(text)
    }

    /// Creates a message that calls a tool.
    #[must_use]
    pub fn tool_call(name: impl Into<String>, input: impl Serialize) -> Self {
        Self::blocks().and_tool_call(name, input)
    }

    /// Creates a message that begins with a thinking block.
    #[must_use]
    pub fn thinking(thinking: impl Into<String>, signature: impl Into<String>) -> Self {
        Self::blocks().and_thinking(thinking, signature)
    }

    /// Creates a message from anything that serializes to a JSON object, such as a
    /// [`MessageResponse`](anthropic_messages::types::MessageResponse) or a `serde_json::Value`.
    ///
    /// Adds the fields that the object lacks: `id`, `type`, `role`, the `model` of the request, empty `content`,
    /// `stop_reason`, `stop_sequence`, and a `usage` estimated as a quarter of the bytes. Use [`Reply::json`] to send a
    /// body unchanged.
    #[must_use]
    pub fn message(message: impl Serialize) -> Self {
        match JsonObject::from_serialize(&message) {
            Ok(message) => Self::from_content(ReplyContent::Message(message)),
            Err(error) => Self::mistaken(format!("a message can't be serialized to a JSON object: {error}")),
        }
    }

    /// Creates a message from the events of a stream. Each is anything that serializes to a JSON object, and its `type` is
    /// the name of the event. Adds nothing to them.
    ///
    /// A request without `stream` receives the message that the events add up to.
    #[must_use]
    pub fn events<E: Serialize>(events: impl IntoIterator<Item = E>) -> Self {
        let events: Result<Vec<Event>, _> =
            events.into_iter().map(|event| JsonObject::from_serialize(&event).map(Event::new)).collect();
        match events {
            Ok(events) => Self::from_content(ReplyContent::Events(events)),
            Err(error) => Self::mistaken(format!("an event can't be serialized to a JSON object: {error}")),
        }
    }

    /// Creates an error as the API sends it.
    #[must_use]
    pub fn error(status: u16, kind: impl Into<String>, message: impl Into<String>) -> Self {
        let content = ReplyContent::Error { kind: kind.into(), message: message.into(), details: None };
        Self::from_content(content).with_status(status)
    }

    /// Creates an error of the API with the error type and a message for the status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let message = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let message = message.unwrap_or(if status == 529 { "Overloaded" } else { "Error" });
        Self::error(status, error_type(status), message)
    }

    /// Creates a `rate_limit_error` with status 429.
    #[must_use]
    pub fn rate_limited() -> Self {
        Self::status(429)
    }

    /// Creates an `overloaded_error` with status 529.
    #[must_use]
    pub fn overloaded() -> Self {
        Self::status(529)
    }

    /// Creates the result `expired` of a request of a batch. It can't reply to a request that isn't in a batch.
    ///
    /// ```
    /// use anthropic_messages_testing::{Matcher, Reply, Server};
    ///
    /// let server = Server::start()?;
    /// server.when(Matcher::custom_id("late")).reply(Reply::expired()).any_times();
    /// # Ok::<(), anthropic_messages_testing::StartError>(())
    /// ```
    #[must_use]
    pub fn expired() -> Self {
        Self::from_content(ReplyContent::BatchResult(UnansweredResult::Expired))
    }

    /// Creates the result `canceled` of a request of a batch. It can't reply to a request that isn't in a batch.
    #[must_use]
    pub fn canceled() -> Self {
        Self::from_content(ReplyContent::BatchResult(UnansweredResult::Canceled))
    }

    /// Creates an HTML page such as proxies in front of the API send.
    #[must_use]
    pub fn gateway_page(status: u16) -> Self {
        let page = format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n\
             <hr><center>gateway</center>\r\n</body>\r\n</html>\r\n"
        );
        Self::raw(status, "text/html", page)
    }

    /// Creates a reply with a JSON body, which is sent unchanged.
    #[must_use]
    pub fn json(status: u16, body: impl Serialize) -> Self {
        match serde_json::to_vec(&body) {
            Ok(body) => Self::raw(status, "application/json", body),
            Err(error) => Self::mistaken(format!("a body can't be serialized: {error}")),
        }
    }

    /// Creates a reply with a body that is sent unchanged. With the content type `text/event-stream`, each blank line in it
    /// ends an event for [`Chunking`] and [`Fault`]. With `application/x-jsonl`, each line is an event.
    #[must_use]
    pub fn raw(status: u16, content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let content_type = content_type.into();
        let mistake = HeaderValue::from_str(&content_type).is_err();
        let mut reply = Self::from_content(ReplyContent::Raw { content_type, body: body.into() }).with_status(status);
        if mistake {
            reply.mistake("a content type can't be a header value");
        }
        reply
    }

    /// Creates a reply without a body or a content type. Add [`Reply::header`] for a redirect.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self::raw(status, "", Bytes::new()).without_header("content-type")
    }

    /// Creates the server's default reply.
    ///
    /// To a message request, it echoes the last user text or tool result. If the request has tools, and `tool_choice` or
    /// the text asks for one by its name or by the word `tool`, it calls that tool with the smallest input that matches its
    /// schema. The usage is estimated as a quarter of the bytes.
    ///
    /// To requests about batches, models and files, it replies from what the server keeps: see
    /// [`ServerBuilder`](crate::ServerBuilder). To any other operation, it replies with a small value that matches the
    /// response schema of the contract.
    #[must_use]
    pub fn echo() -> Self {
        Self::from_content(ReplyContent::Default)
    }

    /// Creates a reply that a closure returns for each request.
    ///
    /// Headers and faults set on this reply are added to those of the closure's. Other settings override the closure's. If
    /// the closure panics, the server replies with a 500 and fails the test when it is dropped.
    #[must_use]
    pub fn from_request(make: impl Fn(&ReceivedRequest) -> Self + Send + Sync + 'static) -> Self {
        Self::from_content(ReplyContent::Dynamic(Arc::new(make)))
    }

    /// Sets the `details` of an API error.
    #[must_use]
    pub fn details(mut self, details: impl Into<Value>) -> Self {
        match &mut self.content {
            ReplyContent::Error { details: current, .. } => *current = Some(details.into()),
            _ => self.mistake("only an API error has details"),
        }
        self
    }

    fn blocks() -> Self {
        Self::from_content(ReplyContent::Message(JsonObject::default()))
    }

    fn from_content(content: ReplyContent) -> Self {
        Self {
            content,
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            left_out: Vec::new(),
            form: ReplyFormat::AsAsked,
            delta_length: DELTA_LENGTH,
            chunking: Chunking::default(),
            framing: None,
            pause: Duration::ZERO,
            delay: Duration::ZERO,
            faults: Vec::new(),
            mistake: None,
        }
    }

    /// Adds the settings of the reply whose closure made this one.
    pub(crate) fn with_settings_of(mut self, other: Self) -> Self {
        let unset = Self::from_content(ReplyContent::Default);
        for (name, value) in &other.headers {
            self.headers.append(name, value.clone());
        }
        self.left_out.extend(other.left_out);
        self.faults.extend(other.faults);
        self.mistake = self.mistake.or(other.mistake);
        self.framing = other.framing.or(self.framing);
        override_unless(&mut self.status, other.status, unset.status);
        override_unless(&mut self.form, other.form, unset.form);
        override_unless(&mut self.delta_length, other.delta_length, unset.delta_length);
        override_unless(&mut self.chunking, other.chunking, unset.chunking);
        override_unless(&mut self.pause, other.pause, unset.pause);
        override_unless(&mut self.delay, other.delay, unset.delay);
        self
    }

    fn mistaken(mistake: String) -> Self {
        Self::from_content(ReplyContent::Default).with_mistake(mistake)
    }

    fn with_mistake(mut self, mistake: String) -> Self {
        self.mistake(&mistake);
        self
    }

    /// Records a mistake, and keeps the first: others often follow from it.
    fn mistake(&mut self, mistake: &str) {
        self.mistake.get_or_insert_with(|| mistake.to_owned());
    }

    fn with_status(mut self, status: u16) -> Self {
        match StatusCode::from_u16(status) {
            Ok(status) => self.status = status,
            Err(_) => self.mistake("a status is not between 100 and 999"),
        }
        self
    }
}

/// Returns the error type of a status.
fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// Returns the status of an error type.
pub(crate) fn error_status(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "timeout_error" => 504,
        _ => [401, 402, 403, 404, 409, 413, 429, 529]
            .into_iter()
            .find(|status| error_type(*status) == kind)
            .unwrap_or(500),
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

/// Replaces a value if the other one was set.
fn override_unless<T: PartialEq>(value: &mut T, other: T, unset: T) {
    if other != unset {
        *value = other;
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = match &self.content {
            ReplyContent::Default => "default",
            ReplyContent::Message(_) => "message",
            ReplyContent::Events(_) => "events",
            ReplyContent::Error { .. } => "error",
            ReplyContent::Raw { .. } => "verbatim",
            ReplyContent::BatchResult(_) => "batch result",
            ReplyContent::Dynamic(_) => "dynamic",
        };
        f.debug_struct("Reply")
            .field("content", &content)
            .field("status", &self.status)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
