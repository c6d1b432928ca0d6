//! An answer's value, with what else the answer said.

mod rate_limits;

use std::{
    fmt,
    ops::{Deref, DerefMut},
    time::Duration,
};

use http::{HeaderMap, StatusCode};

pub use self::rate_limits::{RateLimit, RateLimits};
use crate::runtime::{PackedHeaders, ResponseValue};

/// The value of a successful call, with what else the answer said.
///
/// It dereferences to the value, so its fields and methods are at hand:
///
/// ```
/// # use anthropic_messages::{Client, types::{AnthropicMessage, MessageCreateRequest}};
/// # async fn sample(client: Client) -> anthropic_messages::Result<()> {
/// let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
/// let reply = client.create_message(&request).await?;
/// println!("{} (request {:?}, sent {} times)", reply.text(), reply.request_id(), reply.attempts());
/// if let Some(left) = reply.rate_limits().tokens.remaining {
///     println!("{left} tokens left");
/// }
/// let message = reply.into_inner();
/// # let _ = message;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Response<T> {
    value: T,
    status: StatusCode,
    headers: PackedHeaders,
    attempts: u32,
    elapsed: Duration,
}

impl<T> Response<T> {
    /// The id that the server gave the request: what support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.headers.request_id()
    }

    /// How often the request was sent: 1 unless it was retried.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// From the start of the call to its answer, waits between attempts included. For a stream, to
    /// its start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// What the answer says about the account's rate limits.
    #[must_use]
    pub fn rate_limits(&self) -> RateLimits {
        RateLimits::read(&self.headers)
    }

    /// The headers. They are kept packed, and a map of them is made by the first call.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.headers.map()
    }

    pub(crate) fn packed_headers(&self) -> &PackedHeaders {
        &self.headers
    }

    #[must_use]
    pub(crate) fn with_elapsed(mut self, elapsed: Duration) -> Self {
        self.elapsed = elapsed;
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The value alone.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Makes another value of the value, and keeps the rest.
    #[must_use]
    pub fn map<U>(self, function: impl FnOnce(T) -> U) -> Response<U> {
        Response {
            value: function(self.value),
            status: self.status,
            headers: self.headers,
            attempts: self.attempts,
            elapsed: self.elapsed,
        }
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

impl<T> From<ResponseValue<T>> for Response<T> {
    fn from(value: ResponseValue<T>) -> Self {
        let (value, reply) = value.into_parts();
        let (attempts, elapsed) = (reply.attempts(), reply.elapsed());
        let (status, headers) = reply.into_head();
        Self { value, status, headers, attempts, elapsed }
    }
}

/// The value is left out: print `*response` to see what was said.
impl<T> fmt::Debug for Response<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("request_id", &self.request_id())
            .field("attempts", &self.attempts)
            .field("elapsed", &self.elapsed)
            .finish_non_exhaustive()
    }
}
