//! Responses: a value, and the metadata of the HTTP response it came from.

mod headers;
mod rate_limits;

use std::{
    fmt,
    ops::{Deref, DerefMut},
    time::Duration,
};

use http::{HeaderMap, StatusCode};
use serde::{Serialize, Serializer};

pub(crate) use self::headers::PackedHeaders;
pub use self::rate_limits::{RateLimit, RateLimits, to_system_time};

/// The value of a successful call, and the metadata of its HTTP response.
///
/// `Response` dereferences to the value, so the fields and methods of the value can be used directly.
///
/// ```
/// # use anthropic_messages::{Client, types::{AnthropicMessage, MessageCreateRequest}};
/// # async fn sample(client: Client) -> anthropic_messages::Result<()> {
/// let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
/// let reply = client.create_message(&request).await?;
/// println!("{} (request {:?}, {} attempts)", reply.text(), reply.request_id(), reply.attempts());
/// if let Some(remaining) = reply.rate_limits().tokens.remaining {
///     println!("{remaining} tokens left");
/// }
/// let message = reply.into_inner();
/// # let _ = message;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Response<T> {
    value: T,
    head: Head,
}

/// The metadata that [`Response`] and [`Error`](crate::Error) share.
#[derive(Clone, Default)]
pub(crate) struct Head {
    /// `None` if no response arrived.
    pub(crate) status: Option<StatusCode>,
    pub(crate) headers: PackedHeaders,
    /// Number of attempts made.
    pub(crate) attempts: u32,
    /// Time from the start of the call to its end; for a stream, to its start.
    pub(crate) elapsed: Duration,
    /// `true` if the server may have acted on the request in one of the attempts.
    pub(crate) may_have_been_processed: bool,
    /// `true` if it may have done so in an attempt before the last one.
    pub(crate) may_have_been_processed_before: bool,
}

impl Head {
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.headers.text("request-id")
    }

    pub(crate) fn rate_limits(&self) -> RateLimits {
        RateLimits::read(&self.headers)
    }
}

impl<T> Response<T> {
    pub(crate) fn new(value: T, head: Head) -> Self {
        Self { value, head }
    }

    /// Returns the id that the server gave the request. Support asks for it.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.head.request_id()
    }

    /// Returns the number of attempts made: 1 unless the call was retried.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.head.attempts
    }

    /// Returns the time from the start of the call to its end, including delays between attempts. For a stream, the time
    /// to its start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.head.elapsed
    }

    /// Returns the rate limits of the account, as the response headers state them.
    #[must_use]
    pub fn rate_limits(&self) -> RateLimits {
        self.head.rate_limits()
    }

    /// Returns the response headers. The first call builds the map.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.head.headers.map()
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status.unwrap_or_default()
    }

    /// Returns the value alone.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Applies a function to the value and keeps the metadata.
    #[must_use]
    pub fn map<U>(self, function: impl FnOnce(T) -> U) -> Response<U> {
        Response { value: function(self.value), head: self.head }
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    pub(crate) fn into_parts(self) -> (T, Head) {
        (self.value, self.head)
    }
}

/// Creates a response from the parts of an HTTP response, as mocks of a client need it.
///
/// ```
/// use anthropic_messages::{Json, MessageResponse, Response};
///
/// let json = r#"{"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi"}]}"#;
/// let message: MessageResponse = serde_json::from_str(json)?;
/// let reply = Response::from(http::Response::builder().header("request-id", "req_1").body(message)?);
/// assert_eq!((reply.text().as_str(), reply.request_id()), ("Hi", Some("req_1")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<T> From<http::Response<T>> for Response<T> {
    fn from(response: http::Response<T>) -> Self {
        let (parts, value) = response.into_parts();
        let head = Head {
            status: Some(parts.status),
            headers: PackedHeaders::pack(&parts.headers),
            attempts: 1,
            may_have_been_processed: true,
            ..Head::default()
        };
        Self { value, head }
    }
}

/// Serializes the value, without the metadata.
impl<T: Serialize> Serialize for Response<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<T> Deref for Response<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Response<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// Leaves out the value, which may hold a completion. Print `*response` to see it.
impl<T> fmt::Debug for Response<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("request_id", &self.request_id())
            .field("attempts", &self.attempts())
            .field("elapsed", &self.elapsed())
            .finish_non_exhaustive()
    }
}
