//! The error type of the crate.

mod api;
mod kind;

use std::{borrow::Cow, error, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

pub use self::{api::ApiError, kind::ErrorKind};
pub(crate) use self::{
    api::shorten,
    kind::{Classification, status_text},
};
use crate::{
    generated::types::MessageResponse,
    json::ValidationError,
    response::{Head, RateLimits},
    retry::RetryStop,
};

/// A [`Result`](std::result::Result) with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Length of [`Error::body_prefix`], in bytes.
const PREFIX: usize = 1024;

/// The error of every operation of this crate.
///
/// Match on [`kind`](Error::kind). The other accessors return what is known about the call: status, request id, the error
/// object of the API, the number of attempts, and whether the request may have been processed.
///
/// # Display
///
/// The message is one sentence for people. It includes the message of the API ([`ApiError::message`]) and nothing else of
/// the request or the response. Bodies and headers are available through their accessors only. A credential is never
/// shown, even if a server repeats it.
///
/// # Clone
///
/// Clones share the source, and copy the rest.
///
/// # Source
///
/// The source is the error of the layer below. If the call timed out after an attempt had failed, the source is the `Error`
/// of that attempt, with its status, headers and body:
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
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    /// Our own words: nothing a server or a caller said, so that telemetry can record it.
    sentence: Cow<'static, str>,
    /// The server's words, shortened to one line.
    detail: Option<String>,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
    head: Head,
    body: Bytes,
    retry_after: Option<Duration>,
    retry_stop: Option<RetryStop>,
    api: Option<ApiError>,
    pointer: Option<String>,
    /// Shared only for its drop, which is one function then. A `Box` would put the drop code of every content block into
    /// every place that drops an error.
    partial: Option<Arc<MessageResponse>>,
}

impl Error {
    /// Returns the kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns `true` if the same call may succeed later: for the kinds [`Connect`], [`Timeout`], [`Closed`], [`Conflict`],
    /// [`RateLimit`], [`Overloaded`], [`ServerTimeout`], [`Server`], [`Truncated`], [`Incomplete`] and [`Stalled`].
    ///
    /// The client has retried where [`retry`](crate::retry) allows it. Calling again may bill the request twice if
    /// [`may_have_been_processed`](Self::may_have_been_processed) returns `true`.
    ///
    /// [`Connect`]: ErrorKind::Connect
    /// [`Timeout`]: ErrorKind::Timeout
    /// [`Closed`]: ErrorKind::Closed
    /// [`Conflict`]: ErrorKind::Conflict
    /// [`RateLimit`]: ErrorKind::RateLimit
    /// [`Overloaded`]: ErrorKind::Overloaded
    /// [`ServerTimeout`]: ErrorKind::ServerTimeout
    /// [`Server`]: ErrorKind::Server
    /// [`Truncated`]: ErrorKind::Truncated
    /// [`Incomplete`]: ErrorKind::Incomplete
    /// [`Stalled`]: ErrorKind::Stalled
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind().is_transient()
    }

    /// Returns `true` if the request, the credential, the account or the settings have to change: for the kinds
    /// [`Configuration`], [`Contract`], [`NoRuntime`], [`BadRequest`], [`Authentication`], [`Billing`], [`Permission`],
    /// [`NotFound`], [`RequestTooLarge`], [`Redirect`] and [`BodyTooLarge`].
    ///
    /// [`Configuration`]: ErrorKind::Configuration
    /// [`Contract`]: ErrorKind::Contract
    /// [`NoRuntime`]: ErrorKind::NoRuntime
    /// [`BadRequest`]: ErrorKind::BadRequest
    /// [`Authentication`]: ErrorKind::Authentication
    /// [`Billing`]: ErrorKind::Billing
    /// [`Permission`]: ErrorKind::Permission
    /// [`NotFound`]: ErrorKind::NotFound
    /// [`RequestTooLarge`]: ErrorKind::RequestTooLarge
    /// [`Redirect`]: ErrorKind::Redirect
    /// [`BodyTooLarge`]: ErrorKind::BodyTooLarge
    #[must_use]
    pub fn is_client_fault(&self) -> bool {
        self.kind().is_client_fault()
    }

    /// Returns `true` if the API or a gateway in front of it failed or violated the contract: for the kinds [`Overloaded`],
    /// [`ServerTimeout`], [`Server`], [`Http`], [`ContentType`], [`ContentEncoding`], [`Decode`], [`UnexpectedStatus`],
    /// [`Protocol`] and [`Tool`].
    ///
    /// [`Overloaded`]: ErrorKind::Overloaded
    /// [`ServerTimeout`]: ErrorKind::ServerTimeout
    /// [`Server`]: ErrorKind::Server
    /// [`Http`]: ErrorKind::Http
    /// [`ContentType`]: ErrorKind::ContentType
    /// [`ContentEncoding`]: ErrorKind::ContentEncoding
    /// [`Decode`]: ErrorKind::Decode
    /// [`UnexpectedStatus`]: ErrorKind::UnexpectedStatus
    /// [`Protocol`]: ErrorKind::Protocol
    /// [`Tool`]: ErrorKind::Tool
    #[must_use]
    pub fn is_server_fault(&self) -> bool {
        self.kind().is_server_fault()
    }

    /// Returns the HTTP status, or `None` if no response arrived. It can be a success, for example if the body of the
    /// response could not be decoded.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.head.status
    }

    /// Returns the error object of the API, if the response contained one.
    #[must_use]
    pub fn api_error(&self) -> Option<&ApiError> {
        self.0.api.as_ref()
    }

    /// Returns the request id that the server assigned. Include it when you contact support. It comes from the header `request-id`, else
    /// from the error object of the API.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.head.request_id().or_else(|| self.api_error()?.request_id())
    }

    /// Returns how long the server asked to wait before the next attempt, even if that was longer than the client waits.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns why the call wasn't retried, or `None` if it didn't get that far: it never reached the network, its timeout
    /// ended, or the failure came after a successful response.
    #[must_use]
    pub fn retry_stop(&self) -> Option<RetryStop> {
        self.0.retry_stop
    }

    /// Returns the number of attempts made, or 0 if the call failed before the first one. An attempt that an
    /// [`Observer`](crate::Observer) refused counts.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.head.attempts
    }

    /// Returns the duration of the call, including delays between attempts.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.head.elapsed
    }

    /// Returns `true` if the server may have acted on the request in one of the attempts, and billed it.
    ///
    /// That is the case if the connection or the timeout ended after the request was sent, if a response began, and for the
    /// statuses 500, 502 and 504. It returns `false` if no connection was made or the server rejected the request.
    #[must_use]
    pub fn may_have_been_processed(&self) -> bool {
        self.0.head.may_have_been_processed
    }

    /// Returns the rate limits of the account, as the response headers state them.
    #[must_use]
    pub fn rate_limits(&self) -> RateLimits {
        self.0.head.rate_limits()
    }

    /// Returns the part of the message that had arrived when its stream failed.
    #[must_use]
    pub fn partial_message(&self) -> Option<&MessageResponse> {
        self.0.partial.as_deref()
    }

    /// Returns the part of the message that had arrived when its stream failed, without copying it.
    #[must_use]
    pub fn into_partial_message(self) -> Option<MessageResponse> {
        self.0.partial.and_then(Arc::into_inner)
    }

    /// Returns the response headers, or an empty map if no response arrived.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.0.head.headers.map()
    }

    /// Returns the response body as far as it was read, within the limits of the client. It may contain a prompt or a
    /// completion.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// Returns the first 1024 bytes of the body as text, for logs that may contain prompts and completions.
    #[must_use]
    pub fn body_prefix(&self) -> Cow<'_, str> {
        let body = self.body();
        String::from_utf8_lossy(body.get(..PREFIX).unwrap_or(body))
    }

    /// Returns the place of the failure as a JSON pointer (RFC 6901): in the request for [`ErrorKind::Contract`], in the
    /// response for [`ErrorKind::Decode`].
    #[must_use]
    pub fn pointer(&self) -> Option<&str> {
        self.0.pointer.as_deref()
    }
}

/// Constructors for the layers below this one in the table of layers.
impl Error {
    pub(crate) fn new(kind: ErrorKind, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            sentence: sentence.into(),
            detail: None,
            source: None,
            head: Head::default(),
            body: Bytes::new(),
            retry_after: None,
            retry_stop: None,
            api: None,
            pointer: None,
            partial: None,
        }))
    }

    /// The error of a client that cannot be built.
    pub(crate) fn configuration(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Configuration, sentence)
    }

    /// The error of a file that cannot be read or written.
    pub(crate) fn file(sentence: impl Into<Cow<'static, str>>, source: std::io::Error) -> Self {
        Self::new(ErrorKind::File, sentence).with_source(source)
    }

    /// The error of a stream that ended before its message.
    pub(crate) fn incomplete() -> Self {
        Self::new(ErrorKind::Incomplete, "stream ended before the message was complete")
    }

    /// The error of a response that was cut off while it was read.
    pub(crate) fn truncated(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Truncated, "connection closed before the response was complete").with_source(source)
    }

    /// The error of a response that exceeds a limit in bytes.
    pub(crate) fn too_large(limit: u64) -> Self {
        Self::new(ErrorKind::BodyTooLarge, format!("response exceeds the limit of {limit} bytes"))
    }

    /// The error of a stream on which nothing arrived for too long.
    pub(crate) fn stalled(limit: Duration) -> Self {
        Self::new(ErrorKind::Stalled, format!("no data on the stream for {limit:?}"))
    }

    /// The error of a call that exceeded its timeout.
    pub(crate) fn timed_out(limit: Duration) -> Self {
        Self::new(ErrorKind::Timeout, format!("call exceeded its timeout of {limit:?}"))
    }

    /// The error of a document that cannot be decoded. It keeps the document and the place in it.
    pub(crate) fn undecodable(document: &str, pointer: &str, body: Bytes) -> Self {
        Self::new(ErrorKind::Decode, format!("failed to decode {document}")).with_pointer(pointer).with_body(body)
    }

    /// The error that an error object of the API reports.
    pub(crate) fn of_api(kind: ErrorKind, sentence: impl Into<Cow<'static, str>>, api: Option<ApiError>) -> Self {
        let mut error = Self::new(kind, sentence);
        error.0.detail = api.as_ref().map(ApiError::summary).filter(|summary| !summary.is_empty());
        error.0.api = api;
        error
    }

    /// Sets the error of the layer below.
    #[must_use]
    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Sets what a server said, in one line.
    #[must_use]
    pub(crate) fn with_detail(mut self, detail: String) -> Self {
        self.0.detail = Some(detail);
        self
    }

    /// Sets the body of the response.
    #[must_use]
    pub(crate) fn with_body(mut self, body: Bytes) -> Self {
        self.0.body = body;
        self
    }

    /// Sets the place in a document.
    #[must_use]
    pub(crate) fn with_pointer(mut self, pointer: &str) -> Self {
        self.0.pointer = Some(pointer.to_owned());
        self
    }

    /// Sets the part of the message that had arrived.
    #[must_use]
    pub(crate) fn with_partial(mut self, message: MessageResponse) -> Self {
        self.0.partial = Some(Arc::new(message));
        self
    }

    /// Sets the metadata of the call.
    #[must_use]
    pub(crate) fn with_head(mut self, head: Head) -> Self {
        self.0.head = head;
        self
    }

    /// Sets what the call decided about another attempt.
    #[must_use]
    pub(crate) fn with_retry(mut self, retry_after: Option<Duration>, retry_stop: Option<RetryStop>) -> Self {
        (self.0.retry_after, self.0.retry_stop) = (retry_after, retry_stop);
        self
    }

    pub(crate) fn head(&self) -> &Head {
        &self.0.head
    }

    pub(crate) fn head_mut(&mut self) -> &mut Head {
        &mut self.0.head
    }

    /// The message without the words of a server.
    pub(crate) fn sentence(&self) -> &str {
        &self.0.sentence
    }
}

/// Creates an error of a kind, without a response, as tests of code that handles errors need it.
///
/// ```
/// use anthropic_messages::{Error, ErrorKind};
///
/// let error = Error::from(ErrorKind::RateLimit);
/// assert!(error.is_transient());
/// ```
impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind, kind.sentence())
    }
}

impl From<ValidationError> for Error {
    fn from(violation: ValidationError) -> Self {
        Self::new(ErrorKind::Contract, format!("invalid request: {violation}")).with_pointer(violation.pointer())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.sentence)?;
        if let Some(pointer) = self.pointer().filter(|pointer| self.kind() == ErrorKind::Decode && !pointer.is_empty())
        {
            write!(f, " at `{}`", api::shorten(pointer, 200))?;
        }
        if let Some(detail) = &self.0.detail {
            write!(f, ": {detail}")?;
        }
        let attempts = (self.attempts() > 1)
            .then(|| format!("{} attempts in {:.1} s", self.attempts(), self.elapsed().as_secs_f64()));
        let request = self.request_id().map(|id| format!("request {}", api::shorten(id, 64)));
        match (request, attempts) {
            (Some(request), Some(attempts)) => write!(f, " ({request}, {attempts})"),
            (Some(only), None) | (None, Some(only)) => write!(f, " ({only})"),
            (None, None) => Ok(()),
        }
    }
}

/// Leaves out body, headers and partial message, which may contain prompts and completions.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.to_string())
            .field("status", &self.0.head.status)
            .field("request_id", &self.request_id())
            .field("attempts", &self.0.head.attempts)
            .field("elapsed", &self.0.head.elapsed)
            .field("may_have_been_processed", &self.0.head.may_have_been_processed)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
