//! Faults of replies.

use std::time::Duration;

/// A failure while a reply is sent, added by [`Reply::fault`](crate::Reply::fault).
///
/// A reply can have several, which apply in the order they were added. HTTP/2 shares a connection between requests, so
/// there a fault that breaks the connection resets the stream of the request instead.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(crate) kind: FaultKind,
}

/// The place in a reply where a [`Fault`] happens. A place past the end of the body means its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum At {
    /// Before the status line, so the client receives no byte.
    BeforeHeaders,
    /// After the headers and this many bytes of the body.
    AfterByte(usize),
    /// After the headers and this many events of the body, including pings. A body that isn't a stream counts as one
    /// event.
    AfterEvent(usize),
}

#[derive(Clone, Debug)]
pub(crate) enum FaultKind {
    Reset(At),
    Close(At),
    End(At),
    Stall(At),
    MalformedChunk(At),
    EndlessLine(At),
    EndlessPings { at: At, pause: Duration },
    ErrorEvent { after: usize, kind: String, message: String },
    SlowBytes { pause: Duration },
    ContentType(String),
}

impl Fault {
    /// Resets the connection (TCP RST). A client's system may then discard data it has received. Linux doesn't.
    #[must_use]
    pub fn reset(at: At) -> Self {
        FaultKind::Reset(at).into()
    }

    /// Closes the connection (TCP FIN) without the end that the framing requires.
    #[must_use]
    pub fn close(at: At) -> Self {
        FaultKind::Close(at).into()
    }

    /// Ends the body early but with valid framing, so HTTP doesn't show that the rest is missing. Before the headers, closes
    /// the connection.
    #[must_use]
    pub fn end(at: At) -> Self {
        FaultKind::End(at).into()
    }

    /// Stops sending and keeps the connection open until the client closes it.
    #[must_use]
    pub fn stall(at: At) -> Self {
        FaultKind::Stall(at).into()
    }

    /// Sends a chunk whose length isn't a number, and closes the connection.
    #[must_use]
    pub fn malformed_chunk(at: At) -> Self {
        FaultKind::MalformedChunk(at).into()
    }

    /// Sends a `data` line that never ends, as fast as the client reads, until the client closes the connection.
    #[must_use]
    pub fn endless_line(at: At) -> Self {
        FaultKind::EndlessLine(at).into()
    }

    /// Sends pings, one after each pause on the server's clock, until the client closes the connection.
    #[must_use]
    pub fn endless_pings(at: At, pause: Duration) -> Self {
        FaultKind::EndlessPings { at, pause }.into()
    }

    /// Ends a stream with an `error` event of this type and message, after `after` events. A reply that isn't a stream
    /// becomes that error, with the status of its type.
    #[must_use]
    pub fn error_event(after: usize, kind: impl Into<String>, message: impl Into<String>) -> Self {
        FaultKind::ErrorEvent { after, kind: kind.into(), message: message.into() }.into()
    }

    /// Sends the body byte by byte, with a pause on the server's clock between two bytes.
    #[must_use]
    pub fn slow_bytes(pause: Duration) -> Self {
        FaultKind::SlowBytes { pause }.into()
    }

    /// Replaces the content type.
    #[must_use]
    pub fn content_type(content_type: impl Into<String>) -> Self {
        FaultKind::ContentType(content_type.into()).into()
    }
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self { kind }
    }
}
