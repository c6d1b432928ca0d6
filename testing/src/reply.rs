//! What the server answers.

mod errors;
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

pub(crate) use self::errors::error_status;
use self::errors::error_type;
use super::delivery::{Chunking, Framing};
use super::events::Event;
use super::fault::Fault;
use super::object::Object;
use super::request::ReceivedRequest;

/// A scripted answer: what it says, and how it goes over the wire.
///
/// A reply that is a message, told whole ([`Reply::text`], [`Reply::message`]) or as events
/// ([`Reply::events`]), is sent as JSON or as a stream, whichever the request asks for.
///
/// Mistakes in a script, such as a header that can't be one, fail the test when the server is
/// dropped.
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
    pub(crate) content: Content,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) left_out: Vec<HeaderName>,
    pub(crate) form: Form,
    pub(crate) delta_length: usize,
    pub(crate) chunking: Chunking,
    pub(crate) framing: Option<Framing>,
    pub(crate) pause: Duration,
    pub(crate) delay: Duration,
    pub(crate) faults: Vec<Fault>,
    pub(crate) mistake: Option<String>,
}

/// What a reply says.
#[derive(Clone)]
pub(crate) enum Content {
    /// What the server makes of the request by itself.
    Default,
    Message(Object),
    Events(Vec<Event>),
    Error {
        kind: String,
        message: String,
        details: Option<Value>,
    },
    Verbatim {
        content_type: String,
        body: Bytes,
    },
    Made(Arc<dyn Fn(&ReceivedRequest) -> Reply + Send + Sync>),
}

/// Whether a message is sent as JSON or as a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    AsAsked,
    Json,
    Stream,
}

/// The characters in a text or JSON delta, unless a reply says otherwise.
const DELTA_LENGTH: usize = 16;

impl Reply {
    /// A message with one text block.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::blocks().and_text(text)
    }

    /// A message that calls a tool.
    #[must_use]
    pub fn tool_call(name: impl Into<String>, input: impl Serialize) -> Self {
        Self::blocks().and_tool_call(name, input)
    }

    /// A message that begins with a thinking block.
    #[must_use]
    pub fn thinking(thinking: impl Into<String>, signature: impl Into<String>) -> Self {
        Self::blocks().and_thinking(thinking, signature)
    }

    /// A message given as anything that serialises to a JSON object: a
    /// [`MessageResponse`](anthropic_messages::types::MessageResponse), a `serde_json::Value`.
    ///
    /// What a message must have and the object lacks is filled in: `id`, `type`, `role`, the
    /// `model` of the request, empty `content`, `stop_reason`, `stop_sequence`, and a `usage` that
    /// is a rough guess (a quarter of the bytes). Use [`Reply::json`] for a body that shall stay as
    /// it is.
    #[must_use]
    pub fn message(message: impl Serialize) -> Self {
        match Object::of(&message) {
            Ok(message) => Self::of(Content::Message(message)),
            Err(error) => Self::mistaken(format!("a message can't be written as a JSON object: {error}")),
        }
    }

    /// A message told as the events of a stream, each anything that serialises to a JSON object;
    /// its `type` is the event's name. Nothing is filled in.
    ///
    /// A request that asks for no stream gets the message that the events add up to.
    #[must_use]
    pub fn events<E: Serialize>(events: impl IntoIterator<Item = E>) -> Self {
        let events: Result<Vec<Event>, _> =
            events.into_iter().map(|event| Object::of(&event).map(Event::new)).collect();
        match events {
            Ok(events) => Self::of(Content::Events(events)),
            Err(error) => Self::mistaken(format!("an event can't be written as a JSON object: {error}")),
        }
    }

    /// An API error in the API's envelope.
    #[must_use]
    pub fn error(status: u16, kind: impl Into<String>, message: impl Into<String>) -> Self {
        let content = Content::Error { kind: kind.into(), message: message.into(), details: None };
        Self::of(content).with_status(status)
    }

    /// An API error with the error type and a message that go with the status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let message = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let message = message.unwrap_or(if status == 529 { "Overloaded" } else { "Error" });
        Self::error(status, error_type(status), message)
    }

    /// 429 `rate_limit_error`.
    #[must_use]
    pub fn rate_limited() -> Self {
        Self::status(429)
    }

    /// 529 `overloaded_error`.
    #[must_use]
    pub fn overloaded() -> Self {
        Self::status(529)
    }

    /// A gateway's HTML page, as proxies in front of the API send it.
    #[must_use]
    pub fn gateway_page(status: u16) -> Self {
        let page = format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n\
             <hr><center>gateway</center>\r\n</body>\r\n</html>\r\n"
        );
        Self::raw(status, "text/html", page)
    }

    /// JSON as it is.
    #[must_use]
    pub fn json(status: u16, body: impl Serialize) -> Self {
        match serde_json::to_vec(&body) {
            Ok(body) => Self::raw(status, "application/json", body),
            Err(error) => Self::mistaken(format!("a body can't be written as JSON: {error}")),
        }
    }

    /// A body as it is. If the content type is `text/event-stream`, it counts as the events that
    /// its blank lines end.
    #[must_use]
    pub fn raw(status: u16, content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let content_type = content_type.into();
        let mistake = HeaderValue::from_str(&content_type).is_err();
        let mut reply = Self::of(Content::Verbatim { content_type, body: body.into() }).with_status(status);
        if mistake {
            reply.mistake("a content type can't be a header value");
        }
        reply
    }

    /// No body and no content type: with [`Reply::header`], for example a redirect.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self::raw(status, "", Bytes::new()).without_header("content-type")
    }

    /// What the server answers by itself. To a message it echoes the last user text, or the result
    /// of a tool. If tools are given and `tool_choice` or the text asks for one, by its name or by
    /// the word `tool`, it calls that tool with the smallest input that fits its schema. The usage
    /// is a rough guess, a quarter of the bytes. To any other operation it answers a small value
    /// that fits the response schema of the contract.
    #[must_use]
    pub fn echo() -> Self {
        Self::of(Content::Default)
    }

    /// A reply that a closure makes from the request. What is set on it besides, such as a fault or a
    /// header, is added to what the closure makes, and overrides what can only be one thing. A panic of
    /// the closure is answered with a 500 and fails the test that owns the server, when the server is
    /// dropped.
    #[must_use]
    pub fn from_request(make: impl Fn(&ReceivedRequest) -> Self + Send + Sync + 'static) -> Self {
        Self::of(Content::Made(Arc::new(make)))
    }

    /// Sets the `details` of an API error.
    #[must_use]
    pub fn details(mut self, details: impl Into<Value>) -> Self {
        match &mut self.content {
            Content::Error { details: current, .. } => *current = Some(details.into()),
            _ => self.mistake("only an API error has details"),
        }
        self
    }

    fn blocks() -> Self {
        Self::of(Content::Message(Object::default()))
    }

    fn of(content: Content) -> Self {
        Self {
            content,
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            left_out: Vec::new(),
            form: Form::AsAsked,
            delta_length: DELTA_LENGTH,
            chunking: Chunking::default(),
            framing: None,
            pause: Duration::ZERO,
            delay: Duration::ZERO,
            faults: Vec::new(),
            mistake: None,
        }
    }

    /// Adds what was set on the reply that this one was made for.
    pub(crate) fn with_options_of(mut self, other: Self) -> Self {
        let unset = Self::of(Content::Default);
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
        Self::of(Content::Default).with_mistake(mistake)
    }

    fn with_mistake(mut self, mistake: String) -> Self {
        self.mistake(&mistake);
        self
    }

    /// Keeps the first mistake; the others often follow from it.
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

/// Takes the other value, if it is another one than what stands where nothing was set.
fn override_unless<T: PartialEq>(value: &mut T, other: T, unset: T) {
    if other != unset {
        *value = other;
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = match &self.content {
            Content::Default => "default",
            Content::Message(_) => "message",
            Content::Events(_) => "events",
            Content::Error { .. } => "error",
            Content::Verbatim { .. } => "verbatim",
            Content::Made(_) => "made from the request",
        };
        formatter
            .debug_struct("Reply")
            .field("content", &content)
            .field("status", &self.status)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
