//! A call that failed, as the transport knows it.

use std::{error, fmt, time::Duration};

use bytes::Bytes;
use reqwest::{StatusCode, header::HeaderMap};

/// A call that failed: what happened, and everything that is known about it.
///
/// The items of a [`ByteStream`](super::ByteStream) fail with it; it converts into the crate's
/// [`Error`](crate::Error), which tells what there is to tell.
pub struct Failure(Box<Facts>);

/// What is known about a call that failed.
pub(crate) struct Facts {
    /// What happened.
    pub(crate) reason: Reason,
    /// The error of the layer below.
    pub(crate) source: Option<Box<dyn error::Error + Send + Sync>>,
    /// Host and port of the server.
    pub(crate) host: Option<String>,
    /// How often the request was sent, or was tried to be sent.
    pub(crate) attempts: u32,
    /// From the start of the call to its end, waits between attempts included.
    pub(crate) elapsed: Duration,
    /// Whether a server may have acted on the request, in any of the attempts.
    pub(crate) may_have_been_processed: bool,
    /// The status of the answer, where there was one.
    pub(crate) status: Option<StatusCode>,
    /// The headers of the answer.
    pub(crate) headers: HeaderMap,
    /// As much of the answer's body as was read.
    pub(crate) body: Bytes,
    /// How long the server asked to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Why there was no further attempt.
    pub(crate) retry_stop: Option<RetryStop>,
}

/// What happened to a call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Reason {
    /// The options of the call can't be used.
    Options(String),
    /// The call was made outside of a tokio runtime.
    NoRuntime,
    /// No connection could be made: name resolution, refused, TLS.
    Connect,
    /// No connection within the time allowed.
    ConnectTimeout,
    /// The connection ended before an answer began.
    Closed,
    /// No answer began within the time allowed; `None` where the HTTP client has a limit of its own.
    ResponseTimeout(Option<Duration>),
    /// The call took longer than allowed as a whole.
    TotalTimeout(Duration),
    /// What came is not HTTP, or breaks its rules.
    Protocol,
    /// The request could not be sent for another reason.
    Send,
    /// An answer outside of 2xx.
    Status,
    /// A 2xx whose body is an error all the same.
    ErrorBody,
    /// An answer that points elsewhere. Redirects are not followed.
    Redirect,
    /// The answer of another address, to which the HTTP client followed a redirect.
    Followed,
    /// The body is encoded in a way that was not asked for.
    Encoding,
    /// The body ended early.
    Truncated,
    /// The body is longer than allowed, in bytes.
    TooLarge(u64),
    /// An observer refused the request.
    Refused,
}

/// Why a call was not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryStop {
    /// What happened would happen again, or the server asked not to retry.
    Permanent,
    /// The request may have been processed, and the policy is not to send it again then.
    Ambiguous,
    /// All attempts that the policy allows were made.
    Attempts,
    /// The client's retry budget is spent: too many of its calls are failing.
    Budget,
    /// The server asked for a longer wait than the policy allows.
    Delay,
    /// The call's time would be over before the next attempt.
    Deadline,
    /// The request's body can be sent only once. [`retry::decide`](crate::retry::decide) knows no body
    /// and never says so.
    Body,
}

impl Failure {
    /// A failure that is not about any answer.
    #[must_use]
    pub(crate) fn new(reason: Reason) -> Self {
        Self(Box::new(Facts {
            reason,
            source: None,
            host: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            may_have_been_processed: false,
            status: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            retry_after: None,
            retry_stop: None,
        }))
    }

    /// Adds the error of the layer below.
    #[must_use]
    pub(crate) fn because(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What is known.
    #[must_use]
    pub(crate) fn facts(&self) -> &Facts {
        &self.0
    }

    /// What is known, to add to it.
    pub(crate) fn facts_mut(&mut self) -> &mut Facts {
        &mut self.0
    }

    /// Takes the facts out.
    #[must_use]
    pub(crate) fn into_facts(self) -> Facts {
        *self.0
    }
}

/// Headers and body are left out: they may hold what was said.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("reason", &self.0.reason)
            .field("status", &self.0.status)
            .field("attempts", &self.0.attempts)
            .field("elapsed", &self.0.elapsed)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.reason, self.0.status) {
            (Reason::Options(defect), _) => f.write_str(defect),
            (Reason::NoRuntime, _) => f.write_str("the call was made outside of a tokio runtime"),
            (Reason::Connect, _) => f.write_str("no connection could be made"),
            (Reason::ConnectTimeout, _) => f.write_str("no connection was made in time"),
            (Reason::Closed, _) => f.write_str("the connection ended before an answer began"),
            (Reason::ResponseTimeout(Some(limit)), _) => write!(f, "no answer began within {limit:?}"),
            (Reason::ResponseTimeout(None), _) => f.write_str("no answer began in time"),
            (Reason::TotalTimeout(limit), _) => write!(f, "the call was not done within {limit:?}"),
            (Reason::Protocol, _) => f.write_str("the answer breaks the rules of HTTP"),
            (Reason::Send, _) => f.write_str("the request could not be sent"),
            (Reason::Status, Some(status)) => write!(f, "the API answered {}", status.as_u16()),
            (Reason::Status, None) => f.write_str("the API answered with an error"),
            (Reason::ErrorBody, _) => f.write_str("the API answered with an error in a success"),
            (Reason::Redirect, _) => f.write_str("the server redirects, and redirects are not followed"),
            (Reason::Followed, _) => f.write_str("the HTTP client followed a redirect"),
            (Reason::Encoding, _) => f.write_str("the answer is compressed, which was not asked for"),
            (Reason::Truncated, _) => f.write_str("the answer ended early"),
            (Reason::TooLarge(limit), _) => write!(f, "the answer is longer than {limit} bytes"),
            (Reason::Refused, _) => f.write_str("an observer refused the request"),
        }
    }
}

impl error::Error for Failure {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
