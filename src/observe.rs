//! Watching calls: the observer that a caller sets, and the spans of the `tracing` feature.

mod span;
mod watch;

use std::{error, fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

pub(crate) use self::{span::CallSpan, watch::Watch};
use crate::{
    error::ErrorKind,
    runtime::{Failure, Reason, UnknownPart},
};

/// Is told of every attempt of every call of a client, and may add headers.
///
/// All methods have an empty default. They run on the task of the call, between its steps: they
/// should be quick and not block. Bodies are not shown to them, and the credential is not among
/// the headers.
///
/// The operation that they are told of is the one that is sent: a `create_message` for a long reply
/// is sent as a stream (see [`ClientBuilder::timeout`](crate::ClientBuilder::timeout)), and is
/// `create_message_stream` here.
///
/// ```
/// use anthropic_messages::{Client, Observer, observe};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Tag(AtomicU64);
///
/// impl Observer for Tag {
///     fn request(&self, request: &mut observe::Request<'_>) -> Result<(), observe::Refusal> {
///         let number = self.0.fetch_add(1, Ordering::Relaxed);
///         request.set_header("x-request-number", &number.to_string())
///     }
///     fn error(&self, error: &observe::AttemptError<'_>) {
///         eprintln!("attempt {} of {} failed: {}", error.attempt, error.operation, error.description);
///     }
/// }
///
/// let client = Client::builder().api_key("sk-ant-example").observer(Tag::default()).build()?;
/// # let _ = client;
/// # Ok::<(), anthropic_messages::Error>(())
/// ```
pub trait Observer: Send + Sync + 'static {
    /// An attempt is about to be sent.
    ///
    /// # Errors
    /// Whatever is returned here ends the call with an error of the kind
    /// [`Refused`](crate::ErrorKind::Refused); nothing is sent.
    fn request(&self, _request: &mut Request<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    /// The headers of an answer arrived, whatever its status.
    fn response(&self, _response: &Answer<'_>) {}

    /// An attempt failed: on its way, or because its answer could not be used. Of a stream this is told
    /// up to its last event, with the status and the number of the attempt that began it.
    fn error(&self, _error: &AttemptError<'_>) {}

    /// An answer holds something that this version of the crate has no type for. It is kept in the
    /// value (`extra`, `Unknown`).
    fn unknown(&self, _unknown: &Unknown<'_>) {}
}

/// For an observer that its maker keeps, to ask it what it saw.
#[deny(clippy::missing_trait_methods, reason = "what is not handed on is lost")]
impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn request(&self, request: &mut Request<'_>) -> Result<(), Refusal> {
        (**self).request(request)
    }

    fn response(&self, response: &Answer<'_>) {
        (**self).response(response);
    }

    fn error(&self, error: &AttemptError<'_>) {
        (**self).error(error);
    }

    fn unknown(&self, unknown: &Unknown<'_>) {
        (**self).unknown(unknown);
    }
}

/// An attempt that is about to be sent.
pub struct Request<'a> {
    pub(crate) operation: &'static str,
    pub(crate) attempt: u32,
    pub(crate) headers: &'a mut HeaderMap,
}

/// The headers of an answer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer<'a> {
    /// The operation, in snake case, such as `create_message`.
    pub operation: &'static str,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The status.
    pub status: StatusCode,
    /// The `request-id` that the server gave.
    pub request_id: Option<&'a str>,
    /// The time since the start of the call.
    pub elapsed: Duration,
}

/// An attempt that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct AttemptError<'a> {
    /// The operation, in snake case, such as `create_message`.
    pub operation: &'static str,
    /// The number of the attempt, from 1; 0 where the call ended before the first.
    pub attempt: u32,
    /// What happened, by its class. For labels of metrics: there are fewer than forty.
    pub kind: ErrorKind,
    /// The status of the answer, where there was one.
    pub status: Option<StatusCode>,
    /// What happened, in one sentence that holds nothing of what was said.
    pub description: &'a str,
    /// The wait before the next attempt; `None` when there is none.
    pub retry_in: Option<Duration>,
    /// The time since the start of the call.
    pub elapsed: Duration,
}

/// Something that this version of the crate has no type for.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unknown<'a> {
    /// The operation, in snake case, such as `create_message`.
    pub operation: &'static str,
    /// What kind of thing it is.
    pub item: UnknownItem,
    /// The name of the field, the tag of the variant, or the value of the enumeration.
    pub name: &'a str,
    /// The schema that does not know it; `None` for a field.
    pub schema: Option<&'static str>,
}

impl<'a> Unknown<'a> {
    pub(crate) fn new(operation: &'static str, part: &'a UnknownPart) -> Self {
        let item = if part.field { UnknownItem::Field } else { UnknownItem::Variant };
        Self { operation, item, name: &part.name, schema: part.schema }
    }
}

/// What kind of thing is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnknownItem {
    /// A field.
    Field,
    /// A variant of a union, or a value of an enumeration.
    Variant,
}

impl Request<'_> {
    /// The operation, in snake case, such as `create_message`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The number of the attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The value of a header that will be sent. `None` for the credential and for every header that the
    /// caller set on the client or its options: their values may be secrets. Shown are those that the
    /// crate sets itself and those set [here](Self::set_header).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name).filter(|value| !value.is_sensitive())?;
        value.to_str().ok()
    }

    /// Sets a header of this attempt, in place of one with the same name.
    ///
    /// # Errors
    /// When name or value can't be a header, or the header is one that the crate sets itself:
    /// those of the framing and of the credential.
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let name = HeaderName::try_from(name).map_err(|_| Refusal::new("a header's name is not a name"))?;
        if is_reserved(&name) || is_credential(&name) {
            return Err(Refusal::new("a header was set that the crate sets itself"));
        }
        let value = HeaderValue::try_from(value).map_err(|_| Refusal::new("a header's value can't be sent"))?;
        self.headers.insert(name, value);
        Ok(())
    }
}

/// The names and the number of headers only: a value may be a secret.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("operation", &self.operation)
            .field("attempt", &self.attempt)
            .field("headers", &self.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>())
            .finish()
    }
}

/// Why an observer does not let a request go out.
#[derive(Debug)]
pub struct Refusal(Box<dyn error::Error + Send + Sync>);

impl Refusal {
    /// A reason, in one lower-case sentence.
    pub fn new(reason: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl error::Error for Refusal {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(Reason::Refused).because(refusal)
    }
}

/// Headers that say how a message is framed or routed: setting one would break the request, or
/// smuggle a second one.
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

/// The headers that carry a credential for the API.
pub(crate) fn is_credential(name: &HeaderName) -> bool {
    name == http::header::AUTHORIZATION || name.as_str() == "x-api-key"
}
