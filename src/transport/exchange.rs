//! The errors of the HTTP client: which kind they are, and what the server can have seen.

use std::{error::Error as StdError, io, time::Duration};

use super::{gate::AttemptFailure, multipart::FileError};
use crate::{
    error::{Error, ErrorKind},
    retry::Outcome,
};

/// The server and the proxy that messages name.
#[derive(Clone, Copy)]
pub(super) struct Peer<'a> {
    pub(super) host: &'a str,
    pub(super) proxy: Option<&'a str>,
}

/// No response began within a limit. `is_sent` if a connection had the request.
pub(super) fn response_timed_out(peer: Peer<'_>, limit: Duration, is_sent: bool) -> AttemptFailure {
    if !is_sent {
        return connect_timed_out(peer);
    }
    let sentence = format!("no response from {} within {limit:?}", peer.host);
    AttemptFailure::new(Error::new(ErrorKind::Timeout, sentence), Outcome::TimedOut)
}

/// No connection took the request within a limit.
pub(super) fn connect_timed_out(peer: Peer<'_>) -> AttemptFailure {
    let sentence = format!("timed out connecting to {}{}", peer.host, through(peer));
    AttemptFailure::new(Error::new(ErrorKind::Timeout, sentence), Outcome::NotSent { permanent: false })
}

fn through(peer: Peer<'_>) -> String {
    peer.proxy.map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default()
}

/// Classifies an error of the HTTP client. `is_reused` if the connection had been open before.
pub(super) fn classify(error: reqwest::Error, peer: Peer<'_>, is_reused: bool) -> AttemptFailure {
    // The address may hold what the caller put into the query.
    let error = error.without_url();
    let host = peer.host;
    if error.is_connect() && error.is_timeout() {
        let AttemptFailure { error: timed_out, outcome } = connect_timed_out(peer);
        return AttemptFailure::new(timed_out.with_source(error), outcome);
    }
    let (kind, sentence, outcome) = if error.is_connect() {
        connect(&error, peer)
    } else if error.is_builder() {
        (ErrorKind::Http, format!("failed to send the request to {host}"), Outcome::NotSent { permanent: true })
    } else if error.is_timeout() {
        (ErrorKind::Timeout, format!("no response from {host} in time"), Outcome::TimedOut)
    } else {
        exchange(&error, host, is_reused)
    };
    AttemptFailure::new(Error::new(kind, sentence).with_source(error), outcome)
}

/// Classifies an error that came before there was a connection.
fn connect(error: &reqwest::Error, peer: Peer<'_>) -> (ErrorKind, String, Outcome) {
    let host = peer.host;
    let through = through(peer);
    let texts: Vec<String> = causes(error).map(|cause| cause.to_string().to_ascii_lowercase()).collect();
    let says = |text: &str| texts.iter().any(|cause| cause.contains(text));
    if says("proxy authorization required") {
        let proxy = peer.proxy.map(|proxy| format!("proxy {proxy}")).unwrap_or_else(|| "proxy".to_owned());
        let sentence = format!("failed to connect to {host}: the {proxy} requires authentication");
        return (ErrorKind::Connect, sentence, Outcome::NotSent { permanent: true });
    }
    // The TLS libraries have no error type that all builds share; their io errors do.
    let is_tls = causes(error)
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::InvalidData));
    let sentence = match (says("certificate"), is_tls) {
        (true, _) => format!("failed to connect to {host}{through}: its certificate was refused"),
        (false, true) => format!("failed to connect to {host}{through}: the TLS handshake failed"),
        (false, false) => format!("failed to connect to {host}{through}"),
    };
    (ErrorKind::Connect, sentence, Outcome::NotSent { permanent: is_tls })
}

/// Classifies an error that came after there was a connection.
fn exchange(error: &reqwest::Error, host: &str, is_reused: bool) -> (ErrorKind, String, Outcome) {
    let invalid = || (ErrorKind::Http, format!("invalid HTTP response from {host}"), Outcome::Committed);
    let closed = |outcome| (ErrorKind::Closed, format!("connection to {host} closed before a response began"), outcome);
    let closed_after_sending = || closed(Outcome::Closed { reused: is_reused });
    #[cfg(feature = "http2")]
    if let Some(error) = causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>()) {
        return match http2(error) {
            Http2::NotLookedAt => closed(Outcome::NotSent { permanent: false }),
            Http2::ValidationError => invalid(),
            Http2::Closed => closed_after_sending(),
        };
    }
    if causes(error).any(<dyn StdError>::is::<FileError>) {
        // A form that ends early is no request.
        let sentence = format!("failed to send a file to {host}");
        return (ErrorKind::File, sentence, Outcome::NotSent { permanent: true });
    }
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            if error.is_canceled() {
                // The connection was gone before the request was written.
                return closed(Outcome::NotSent { permanent: false });
            }
            // The predicate for it is part of hyper's server only.
            if error.is_parse() && error.to_string() == "message head is too large" {
                let sentence =
                    format!("response head from {host} exceeds the HTTP client's limits of 100 headers and 408 KiB");
                return (ErrorKind::Http, sentence, Outcome::Committed);
            }
            if error.is_parse() {
                return invalid();
            }
            if error.is_incomplete_message() || error.is_closed() || error.is_body_write_aborted() {
                return closed_after_sending();
            }
        }
        if cause.is::<io::Error>() {
            return closed_after_sending();
        }
    }
    let outcome = Outcome::Closed { reused: false };
    (ErrorKind::Http, format!("failed to send the request to {host}"), outcome)
}

#[cfg(feature = "http2")]
enum Http2 {
    /// The server says that it has not processed the stream (RFC 9113, sections 6.8 and 8.7).
    NotLookedAt,
    /// The client itself found that the server breaks the protocol, for example because it speaks HTTP/1.1.
    ValidationError,
    Closed,
}

#[cfg(feature = "http2")]
fn http2(error: &h2::Error) -> Http2 {
    let is_refused = error.is_remote() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    let is_shutdown = error.is_remote() && error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
    if is_refused || is_shutdown {
        Http2::NotLookedAt
    } else if error.is_library() && !error.is_io() {
        Http2::ValidationError
    } else {
        Http2::Closed
    }
}

/// The causes of an error, without the error itself. Also looks at what an [`io::Error`] wraps, which its `source` skips.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause: &&'a (dyn StdError + 'static)| {
        let cause: &'a (dyn StdError + 'static) = *cause;
        match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        }
    })
}
