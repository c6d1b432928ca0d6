//! What can go wrong with a call, and what is known about it then.

mod api;
mod convert;
mod kind;

use std::{borrow::Cow, error, fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

pub(crate) use self::api::{error_type_of, shown};
pub use self::{api::ApiError, kind::ErrorKind};
pub use crate::runtime::RetryStop;
use crate::{
    generated::types::MessageResponse,
    runtime::{Facts, REQUEST_ID},
};

/// A [`Result`](std::result::Result) with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How much of a body [`Error::body_prefix`] shows, in bytes.
const PREFIX: usize = 1024;

/// Why a call, a stream, a tool or the building of a client failed.
///
/// [`kind`](Error::kind) says what happened and is what code should match on. Whatever is known
/// about the answer stands beside it: status, request id, the API's own error object, how often
/// the request was sent, and whether it may have been processed.
///
/// The message is one sentence for people. It shows what the API says about an error
/// ([`ApiError::message`]), and nothing else of a request or an answer: bodies and headers are
/// reachable by their accessors only, and a credential is never shown, not even when a server
/// repeats it.
///
/// The source is the error of the layer below. Where the time of the whole call ended after an attempt
/// had failed, it is the `Error` of that attempt, with status, headers and body:
/// `error.source().and_then(|source| source.downcast_ref::<anthropic_messages::Error>())`.
///
/// ```
/// use anthropic_messages::{Client, ErrorKind, types::{AnthropicMessage, MessageCreateRequest}};
///
/// # async fn sample(client: Client) -> anthropic_messages::Result<()> {
/// let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
/// match client.create_message(&request).await {
///     Ok(reply) => println!("{}", reply.text()),
///     Err(error) => match error.kind() {
///         ErrorKind::RateLimit | ErrorKind::Overloaded => println!("later: {:?}", error.retry_after()),
///         ErrorKind::Authentication => println!("check the API key"),
///         _ if error.may_have_been_processed() => println!("it may have been billed: {error}"),
///         _ => return Err(error),
///     },
/// }
/// # Ok(())
/// # }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn error::Error + Send + Sync>>,
    call: Call,
    api: Option<ApiError>,
    pointer: Option<String>,
    partial: Option<Box<MessageResponse>>,
}

/// What is known about the call.
#[derive(Default)]
struct Call {
    attempts: u32,
    elapsed: Duration,
    may_have_been_processed: bool,
    status: Option<StatusCode>,
    headers: HeaderMap,
    body: Bytes,
    retry_after: Option<Duration>,
    retry_stop: Option<RetryStop>,
}

impl From<Facts> for Call {
    fn from(facts: Facts) -> Self {
        Self {
            attempts: facts.attempts,
            elapsed: facts.elapsed,
            may_have_been_processed: facts.may_have_been_processed,
            status: facts.status,
            headers: facts.headers,
            body: facts.body,
            retry_after: facts.retry_after,
            retry_stop: facts.retry_stop,
        }
    }
}

impl Error {
    /// What happened.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The HTTP status, where an answer came: also of a success that could not be read.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.call.status
    }

    /// What the API says about the error, where the answer is an error of the API.
    #[must_use]
    pub fn api_error(&self) -> Option<&ApiError> {
        self.0.api.as_ref()
    }

    /// The id that the server gave the request: what support asks for. From the header
    /// `request-id`, else from the body of an API error.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        let header = self.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
        header.or_else(|| self.api_error()?.request_id())
    }

    /// How long the server asked to wait before the next try. It is set also when the wait was
    /// longer than the client may wait by itself.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.call.retry_after
    }

    /// Why the call was not tried again. `None` where that was not decided: the call never reached
    /// the network, its time as a whole was over, or its answer was a success of a status, content
    /// type or content that could not be used.
    #[must_use]
    pub fn retry_stop(&self) -> Option<RetryStop> {
        self.0.call.retry_stop
    }

    /// How often the request was sent, or was tried to be sent. 0 when it was refused before the first
    /// attempt; an attempt that an [`Observer`](crate::Observer) refused counts.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.call.attempts
    }

    /// How long the call took, waits between attempts included.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.call.elapsed
    }

    /// Whether the server may have acted on the request in one of the attempts, and billed it.
    ///
    /// `true` when the connection or the time ended after the request was sent, when an answer
    /// began, and for the statuses 500, 502 and 504. `false` when no connection was made and when
    /// the server rejected the request.
    #[must_use]
    pub fn may_have_been_processed(&self) -> bool {
        self.0.call.may_have_been_processed
    }

    /// What had arrived of a message when its stream failed.
    #[must_use]
    pub fn partial_message(&self) -> Option<&MessageResponse> {
        self.0.partial.as_deref()
    }

    /// What had arrived of a message when its stream failed, without copying it.
    #[must_use]
    pub fn into_partial_message(self) -> Option<MessageResponse> {
        self.0.partial.map(|message| *message)
    }

    /// The headers of the answer; empty where none came. They are shown nowhere else.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.0.call.headers
    }

    /// The body of the answer as far as it was read: all of it up to the client's limits. It is
    /// shown nowhere else, and may hold what was said.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.0.call.body
    }

    /// The first 1024 bytes of the body as text, for a log that may hold what was said.
    #[must_use]
    pub fn body_prefix(&self) -> Cow<'_, str> {
        let body = self.body();
        String::from_utf8_lossy(body.get(..PREFIX).unwrap_or(body))
    }

    /// The place that the error is about, as a JSON pointer (RFC 6901): in the request for
    /// [`ErrorKind::Contract`], in the answer for [`ErrorKind::Decode`].
    #[must_use]
    pub fn pointer(&self) -> Option<&str> {
        self.0.pointer.as_deref()
    }
}

/// Constructors for the layers below this one in the table of layers.
impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            source: None,
            call: Call::default(),
            api: None,
            pointer: None,
            partial: None,
        }))
    }

    /// A client can't be built this way.
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration, message)
    }

    /// Adds the error of the layer below.
    #[must_use]
    pub(crate) fn because(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds what came instead of what was asked for.
    #[must_use]
    pub(crate) fn with_body(mut self, body: Bytes) -> Self {
        self.0.call.body = body;
        self
    }

    /// Adds what could not be read, and the place in it.
    #[must_use]
    pub(crate) fn in_document(mut self, pointer: &str, body: Bytes) -> Self {
        self.0.pointer = Some(pointer.to_owned());
        self.with_body(body)
    }

    /// Adds what had arrived of a message.
    #[must_use]
    pub(crate) fn with_partial(mut self, message: MessageResponse) -> Self {
        self.0.partial = Some(Box::new(message));
        self
    }

    /// Adds what is known of the answer that a stream came in, and the time since the start of the
    /// call. It was a success: the request has been processed.
    #[must_use]
    pub(crate) fn of_answer(
        mut self,
        status: StatusCode,
        headers: &HeaderMap,
        attempts: u32,
        elapsed: Duration,
    ) -> Self {
        self.0.call.status = Some(status);
        self.0.call.headers = headers.clone();
        self.0.call.attempts = attempts;
        self.0.call.elapsed = elapsed;
        self.0.call.may_have_been_processed = true;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let attempts = (self.attempts() > 1)
            .then(|| format!("{} attempts in {:.1} s", self.attempts(), self.elapsed().as_secs_f64()));
        let request = self.request_id().map(|id| format!("request {}", api::shown(id, 64)));
        match (request, attempts) {
            (Some(request), Some(attempts)) => write!(f, " ({request}, {attempts})"),
            (Some(only), None) | (None, Some(only)) => write!(f, " ({only})"),
            (None, None) => Ok(()),
        }
    }
}

/// Body and headers are left out, and so is a partial message: they may hold what was said.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("status", &self.0.call.status)
            .field("request_id", &self.request_id())
            .field("attempts", &self.0.call.attempts)
            .field("elapsed", &self.0.call.elapsed)
            .field("may_have_been_processed", &self.0.call.may_have_been_processed)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
