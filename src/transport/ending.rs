//! How an attempt ended: from the errors of the HTTP client to what a server can have seen.

use std::{error::Error, io, time::Duration};

use http::StatusCode;

use crate::{
    retry::Outcome,
    runtime::{Failure, Reason},
};

/// An attempt that failed.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) ending: Ending,
}

/// How an attempt ended, by what the server can have seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    NotSent {
        permanent: bool,
    },
    /// With the status that decides about another attempt.
    Rejected(StatusCode),
    Closed,
    TimedOut,
    Committed,
}

impl Ending {
    pub(super) fn outcome<'a>(&self, failure: &'a Failure) -> Outcome<'a> {
        match *self {
            Self::NotSent { permanent } => Outcome::NotSent { permanent },
            Self::Rejected(status) => Outcome::Rejected { status, headers: &failure.facts().headers },
            Self::Closed => Outcome::Closed,
            Self::TimedOut => Outcome::TimedOut,
            Self::Committed => Outcome::Committed,
        }
    }

    /// Whether the server may have acted on the request.
    pub(super) fn may_have_been_processed(&self) -> bool {
        match self {
            Self::NotSent { .. } => false,
            // A gateway says so when the server behind it had the request.
            Self::Rejected(status) => matches!(status.as_u16(), 500 | 502 | 504),
            Self::Closed | Self::TimedOut | Self::Committed => true,
        }
    }
}

/// No answer began within the limit.
pub(super) fn timed_out(limit: Duration) -> Failed {
    Failed { failure: Failure::new(Reason::ResponseTimeout(Some(limit))), ending: Ending::TimedOut }
}

/// Sorts an error of the HTTP client.
pub(super) fn of_error(error: reqwest::Error) -> Failed {
    // The address may hold what the caller put into the query.
    let error = error.without_url();
    let (reason, ending) = if error.is_connect() {
        let reason = if error.is_timeout() { Reason::ConnectTimeout } else { Reason::Connect };
        (reason, Ending::NotSent { permanent: is_permanent(&error) })
    } else if error.is_builder() {
        (Reason::Send, Ending::NotSent { permanent: true })
    } else if error.is_timeout() {
        (Reason::ResponseTimeout(None), Ending::TimedOut)
    } else {
        exchange(&error)
    };
    Failed { failure: Failure::new(reason).because(error), ending }
}

/// Sorts an error that came after a connection was there.
fn exchange(error: &reqwest::Error) -> (Reason, Ending) {
    #[cfg(feature = "http2")]
    if let Some(sorted) = causes(error).find_map(|cause| http2(cause.downcast_ref()?)) {
        return sorted;
    }
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            if error.is_canceled() {
                // The connection was gone before the request was written.
                return (Reason::Closed, Ending::NotSent { permanent: false });
            }
            if error.is_parse() {
                return (Reason::Protocol, Ending::Committed);
            }
            if error.is_incomplete_message() || error.is_closed() || error.is_body_write_aborted() {
                return (Reason::Closed, Ending::Closed);
            }
        }
        if cause.is::<io::Error>() {
            return (Reason::Closed, Ending::Closed);
        }
    }
    (Reason::Send, Ending::Closed)
}

/// The server says which streams it has not looked at (RFC 9113, sections 6.8 and 8.7).
#[cfg(feature = "http2")]
fn http2(error: &h2::Error) -> Option<(Reason, Ending)> {
    let untouched = error.reason() == Some(h2::Reason::REFUSED_STREAM)
        || (error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR));
    let ending = if untouched { Ending::NotSent { permanent: false } } else { Ending::Closed };
    error.reason().map(|_| (Reason::Closed, ending))
}

/// Whether another attempt to connect would fail the same way: TLS that is not accepted, a proxy
/// that asks for a password.
fn is_permanent(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        let invalid = cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::InvalidData);
        invalid || cause.to_string().ends_with("proxy authorization required")
    })
}

/// The causes of an error, itself not among them. What an [`io::Error`] wraps is looked at too,
/// which its `source` passes over.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&'a (dyn Error + 'static)| {
        let cause: &'a (dyn Error + 'static) = *cause;
        match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        }
    })
}
