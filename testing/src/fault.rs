//! Ways in which a reply can go wrong.

use std::time::Duration;

/// Something that goes wrong while a reply is sent, added by [`Reply::fault`](super::Reply::fault).
///
/// A reply can have several; they apply in the order in which they were added. Over HTTP/2, where a
/// request has no connection of its own, each fault that breaks the connection resets the request's
/// stream instead.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(crate) kind: FaultKind,
}

/// The place in a reply where a [`Fault`] happens. A place behind the end of the body means its
/// end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum At {
    /// Before the status line: the client gets no byte.
    BeforeHeaders,
    /// After the headers and this many bytes of the body.
    AfterByte(usize),
    /// After the headers and this many events of the body, pings included. A body that is not a
    /// stream counts as one event.
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
    /// The connection is reset (TCP RST). What was sent before may be lost with it where the system
    /// of the client discards received data on a reset; Linux does not.
    #[must_use]
    pub fn reset(at: At) -> Self {
        FaultKind::Reset(at).into()
    }

    /// The connection is closed (TCP FIN) without the end that the framing asks for.
    #[must_use]
    pub fn close(at: At) -> Self {
        FaultKind::Close(at).into()
    }

    /// The body ends here, with the end that its framing asks for: as HTTP all is well, and the
    /// rest of the message is missing. Before the headers there is no such end, and the connection
    /// closes.
    #[must_use]
    pub fn end(at: At) -> Self {
        FaultKind::End(at).into()
    }

    /// Nothing more is sent, and the connection stays open until the client closes it.
    #[must_use]
    pub fn stall(at: At) -> Self {
        FaultKind::Stall(at).into()
    }

    /// A chunk follows whose length is no number, and the connection closes.
    #[must_use]
    pub fn malformed_chunk(at: At) -> Self {
        FaultKind::MalformedChunk(at).into()
    }

    /// A line of `data` follows that never ends, as fast as the client reads, until it closes.
    #[must_use]
    pub fn endless_line(at: At) -> Self {
        FaultKind::EndlessLine(at).into()
    }

    /// Pings follow forever, one after each pause on the server's clock, until the client closes.
    #[must_use]
    pub fn endless_pings(at: At, pause: Duration) -> Self {
        FaultKind::EndlessPings { at, pause }.into()
    }

    /// A stream's next event after `after` events is an `error` with this type and message, and the
    /// stream ends. A reply that is not a stream becomes that error, with the status of its type.
    #[must_use]
    pub fn error_event(after: usize, kind: impl Into<String>, message: impl Into<String>) -> Self {
        FaultKind::ErrorEvent { after, kind: kind.into(), message: message.into() }.into()
    }

    /// The body comes byte by byte, with a pause on the server's clock between one and the next.
    #[must_use]
    pub fn slow_bytes(pause: Duration) -> Self {
        FaultKind::SlowBytes { pause }.into()
    }

    /// The reply claims another content type.
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
