//! Observing calls: the [`Observer`] of a client, and the spans of the `tracing` feature.

mod recorder;
#[cfg(feature = "tracing")]
mod span;

use std::{error, fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

pub(crate) use self::recorder::{CallRecorder, trace_tool};
use crate::{
    error::{Error, ErrorKind},
    generated::types::Usage,
    response::RateLimits,
};

/// Receives an event for each attempt a client makes and for the end of each call, and can add headers.
///
/// Every method has an empty default. The methods run on the task of the call, between its steps, so they should be quick
/// and must not block. They never see a body or the credential.
///
/// The operation is the one that is sent. A `create_message` for a long reply is sent as a stream (see
/// [`ClientBuilder::timeout`](crate::ClientBuilder::timeout)) and appears as `create_message_stream`.
///
/// ```
/// use anthropic_messages::{Client, Observer, observe};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Tag(AtomicU64);
///
/// impl Observer for Tag {
///     fn request(&self, request: &mut observe::Request<'_>) -> Result<(), observe::ObserverError> {
///         let number = self.0.fetch_add(1, Ordering::Relaxed);
///         request.set_header("x-request-number", &number.to_string())
///     }
///     fn error(&self, error: &observe::AttemptError<'_>) {
///         eprintln!("attempt {} of {} failed: {}", error.attempt, error.operation, error.description);
///     }
///     fn finished(&self, call: &observe::Finished<'_>) {
///         println!("{} on {}: {:?} in {:?}", call.operation, call.server, call.outcome, call.elapsed);
///     }
/// }
///
/// let client = Client::builder().api_key("sk-ant-example").observer(Tag::default()).build()?;
/// # let _ = client;
/// # Ok::<(), anthropic_messages::Error>(())
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Called before an attempt is sent.
    ///
    /// # Errors
    /// An error ends the call with [`ErrorKind::Refused`]; nothing is sent.
    fn request(&self, _request: &mut Request<'_>) -> Result<(), ObserverError> {
        Ok(())
    }

    /// Called when the headers of a response arrive, whatever its status.
    fn response(&self, _response: &ResponseInfo<'_>) {}

    /// Called when an attempt fails: while it is sent, or because its response cannot be used. For a stream, a failure at
    /// any of its events counts as a failure of the attempt that started it.
    fn error(&self, _error: &AttemptError<'_>) {}

    /// Called when a response contains something this version of the crate has no type for. The value keeps it, in `extra`
    /// or in an `Unknown` variant.
    fn unknown(&self, _unknown: &Unknown<'_>) {}

    /// Called exactly once for every call, when it ends: with a value, with an error, or because its future or its stream
    /// was dropped. A streamed call ends with its stream.
    fn finished(&self, _call: &Finished<'_>) {}
}

/// Shares an observer with the code that reads what it recorded.
#[deny(clippy::missing_trait_methods, reason = "a method that is not forwarded loses its events")]
impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn request(&self, request: &mut Request<'_>) -> Result<(), ObserverError> {
        (**self).request(request)
    }

    fn response(&self, response: &ResponseInfo<'_>) {
        (**self).response(response);
    }

    fn error(&self, error: &AttemptError<'_>) {
        (**self).error(error);
    }

    fn unknown(&self, unknown: &Unknown<'_>) {
        (**self).unknown(unknown);
    }

    fn finished(&self, call: &Finished<'_>) {
        (**self).finished(call);
    }
}

/// An attempt that is about to be sent.
pub struct Request<'a> {
    call_id: u64,
    operation: &'static str,
    attempt: u32,
    headers: &'a mut HeaderMap,
}

/// The headers of a response.
#[derive(Debug)]
#[non_exhaustive]
pub struct ResponseInfo<'a> {
    /// Number of the call, unique in this process.
    pub call_id: u64,
    /// Operation in snake case, such as `create_message`.
    pub operation: &'static str,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// HTTP status.
    pub status: StatusCode,
    /// The server's `request-id`.
    pub request_id: Option<&'a str>,
    /// Time since the start of the call.
    pub elapsed: Duration,
}

/// A failed attempt.
#[derive(Debug)]
#[non_exhaustive]
pub struct AttemptError<'a> {
    /// Number of the call, unique in this process.
    pub call_id: u64,
    /// Operation in snake case, such as `create_message`.
    pub operation: &'static str,
    /// Host and port of the server.
    pub server: &'a str,
    /// Model of the request.
    pub model: Option<&'a str>,
    /// Number of the attempt, from 1, or 0 if the call ended before the first one.
    pub attempt: u32,
    /// Kind of failure. It is suitable as a metric label: there are fewer than forty.
    pub kind: ErrorKind,
    /// HTTP status, if a response arrived.
    pub status: Option<StatusCode>,
    /// The server's `request-id`.
    pub request_id: Option<&'a str>,
    /// Description of the failure in one sentence, without the words of the server.
    pub description: &'a str,
    /// Delay before the next attempt, or `None` if there is none.
    pub retry_in: Option<Duration>,
    /// Time since the start of the call.
    pub elapsed: Duration,
}

/// A call that has ended, and all that a record of it needs.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished<'a> {
    /// Number of the call, unique in this process.
    pub call_id: u64,
    /// Operation in snake case, such as `create_message`.
    pub operation: &'static str,
    /// Host and port of the server.
    pub server: &'a str,
    /// Model of the request.
    pub model: Option<&'a str>,
    /// `true` if the response was read as a stream.
    pub streaming: bool,
    /// ID of the reply.
    pub response_id: Option<&'a str>,
    /// Model that wrote the reply.
    pub response_model: Option<&'a str>,
    /// Token usage of the reply as far as it is known: also of a stream that failed or was dropped.
    pub usage: Option<&'a Usage>,
    /// Stop reason of the reply.
    pub stop_reason: Option<&'a str>,
    /// Rate limits from the last response.
    pub rate_limits: RateLimits,
    /// HTTP status of the last response.
    pub status: Option<StatusCode>,
    /// The server's `request-id` of the last response.
    pub request_id: Option<&'a str>,
    /// Number of attempts made.
    pub attempts: u32,
    /// Duration of the call.
    pub elapsed: Duration,
    /// Time from the start of the call to the first event of a streamed message.
    pub time_to_first_chunk: Option<Duration>,
    /// The end of the call: completed, failed or dropped.
    pub outcome: Outcome<'a>,
}

/// The end of a call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// With a value.
    Completed,
    /// With an error.
    Failed(&'a Error),
    /// Its future or its stream was dropped before its end.
    Dropped,
}

/// Something this version of the crate has no type for.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unknown<'a> {
    /// Operation in snake case, such as `create_message`.
    pub operation: &'static str,
    /// Kind of item.
    pub item: UnknownItem,
    /// Name of the field, tag of the variant, or value of the enumeration.
    pub name: &'a str,
    /// Schema that does not define it, or `None` for a field.
    pub schema: Option<&'static str>,
}

/// The kind of an [`Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnknownItem {
    /// A field.
    Field,
    /// A variant of a union, or a value of an enumeration.
    Variant,
}

impl Request<'_> {
    /// Returns the number of the call, unique in this process.
    #[must_use]
    pub fn call_id(&self) -> u64 {
        self.call_id
    }

    /// Returns the operation in snake case, such as `create_message`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Returns the number of the attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the value of a header that will be sent. Returns `None` for the credential and for headers set on the client
    /// or its options, whose values may be secrets.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name).filter(|value| !value.is_sensitive())?;
        value.to_str().ok()
    }

    /// Sets a header of this attempt, replacing one with the same name.
    ///
    /// # Errors
    /// Fails if the name or the value is not valid in a header, and for the headers of framing and of the credential, which
    /// the crate sets itself.
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<(), ObserverError> {
        let name = HeaderName::try_from(name).map_err(|_| ObserverError::new("invalid header name"))?;
        if is_reserved(&name) || is_credential(&name) {
            return Err(ObserverError::new("the crate sets this header itself"));
        }
        let value = HeaderValue::try_from(value).map_err(|_| ObserverError::new("invalid header value"))?;
        self.headers.insert(name, value);
        Ok(())
    }
}

/// Leaves out header values, which may be secrets.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("operation", &self.operation)
            .field("attempt", &self.attempt)
            .field("headers", &self.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>())
            .finish()
    }
}

/// The reason an observer refused a request.
#[derive(Debug)]
pub struct ObserverError(Box<dyn error::Error + Send + Sync>);

impl ObserverError {
    /// Creates an error from a reason.
    pub fn new(reason: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for ObserverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl error::Error for ObserverError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source()
    }
}

/// Returns `true` for headers of framing and routing. Setting one would break the request, or smuggle a second one.
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    const RESERVED: [&str; 12] = [
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    RESERVED.contains(&name.as_str())
}

/// Returns `true` for headers that carry a credential for the API.
pub(crate) fn is_credential(name: &HeaderName) -> bool {
    name == http::header::AUTHORIZATION || name.as_str() == "x-api-key"
}
