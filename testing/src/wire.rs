//! A reply as the server sends it: chunks, framing, pauses and faults applied.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{StatusCode, header};

use crate::fault::{At, Fault, FaultKind};

/// The way a body is split into chunks.
///
/// With [`Framing::Chunked`], each is a chunk of the transfer encoding. The network may join or split chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chunking {
    /// One chunk per event of a stream. Any other body is one chunk. This is the default.
    #[default]
    ByEvent,
    /// One chunk.
    Whole,
    /// Chunks of this many bytes. Zero is treated as one.
    Bytes(usize),
    /// Splits the body at these byte offsets, in ascending order.
    At(Vec<usize>),
}

/// The way the end of a body is signalled. HTTP/2 has its own framing, so there only a declared length matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// By `content-length`. This is the default for a body that isn't a stream.
    Length,
    /// By the chunked transfer encoding. This is the default for a stream.
    Chunked,
    /// By closing the connection.
    UntilClose,
}

/// The parts of a reply before chunking and faults.
#[derive(Debug)]
pub(crate) struct ReplyParts {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The events of the body. A body that isn't a stream is one event.
    pub(crate) events: Vec<Bytes>,
    pub(crate) framing: Framing,
    pub(crate) chunking: Chunking,
    pub(crate) pause: Duration,
    pub(crate) delay: Duration,
}

/// A reply as it is sent.
#[derive(Debug)]
pub(crate) struct WireReply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) framing: Framing,
    /// The declared `content-length`, if the framing is [`Framing::Length`].
    pub(crate) length: usize,
    /// The pause before the first byte.
    pub(crate) delay: Duration,
    pub(crate) chunks: Vec<Bytes>,
    /// The pause between two chunks.
    pub(crate) pause: Duration,
    /// `true` if the reply ends before its headers.
    pub(crate) headless: bool,
    pub(crate) ending: BodyEnd,
}

/// The end of a body, after its last chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    Complete,
    Stall,
    Endless { bytes: Bytes, pause: Duration },
    Close,
    Reset,
    MalformedChunk,
}

/// A piece of an endless line.
const ENDLESS_LINE_PIECE: [u8; 16 * 1024] = [b'x'; 16 * 1024];

impl WireReply {
    pub(crate) fn new(plan: ReplyParts, faults: &[Fault]) -> Self {
        let mut delivery = Self {
            status: plan.status,
            headers: plan.headers,
            framing: plan.framing,
            length: total(&plan.events),
            delay: plan.delay,
            chunks: Vec::new(),
            pause: plan.pause,
            headless: false,
            ending: BodyEnd::Complete,
        };
        let mut events = plan.events;
        let mut chunking = plan.chunking;
        for fault in faults {
            delivery.apply(&fault.kind, &mut events, &mut chunking);
        }
        match delivery.ending {
            BodyEnd::Complete => delivery.length = total(&events),
            BodyEnd::Endless { .. } | BodyEnd::MalformedChunk => delivery.framing = Framing::Chunked,
            _ => {}
        }
        delivery.chunks = cut(&events, &chunking);
        delivery
    }

    /// Returns a 500 without a body.
    pub(crate) fn bare_error() -> Self {
        let plan = ReplyParts {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            headers: HeaderMap::new(),
            events: Vec::new(),
            framing: Framing::Length,
            chunking: Chunking::Whole,
            pause: Duration::ZERO,
            delay: Duration::ZERO,
        };
        Self::new(plan, &[])
    }

    /// Returns `true` if hyper would refuse to send the reply.
    pub(crate) fn needs_socket(&self) -> bool {
        self.headless
            || self.framing == Framing::UntilClose
            || matches!(self.ending, BodyEnd::Close | BodyEnd::Reset | BodyEnd::MalformedChunk)
    }

    fn apply(&mut self, fault: &FaultKind, events: &mut Vec<Bytes>, chunking: &mut Chunking) {
        match fault {
            FaultKind::Reset(at) => self.end(events, *at, BodyEnd::Reset),
            FaultKind::Close(at) => self.end(events, *at, BodyEnd::Close),
            FaultKind::End(At::BeforeHeaders) => self.end(events, At::BeforeHeaders, BodyEnd::Close),
            FaultKind::End(at) => self.end(events, *at, BodyEnd::Complete),
            FaultKind::Stall(at) => self.end(events, *at, BodyEnd::Stall),
            FaultKind::MalformedChunk(at) => self.end(events, after_headers(*at), BodyEnd::MalformedChunk),
            FaultKind::EndlessLine(at) => {
                let bytes = Bytes::from_static(&ENDLESS_LINE_PIECE);
                self.end(events, after_headers(*at), BodyEnd::Endless { bytes, pause: Duration::ZERO });
                events.push(Bytes::from_static(b"data: "));
            }
            FaultKind::EndlessPings { at, pause } => {
                let bytes = Bytes::from_static(b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
                self.end(events, after_headers(*at), BodyEnd::Endless { bytes, pause: *pause });
            }
            FaultKind::SlowBytes { pause } => {
                *chunking = Chunking::Bytes(1);
                self.pause = *pause;
            }
            FaultKind::ContentType(content_type) => {
                if let Ok(value) = HeaderValue::from_str(content_type) {
                    self.headers.insert(CONTENT_TYPE, value);
                }
            }
            // Already rendered as an event or as an error of its own.
            FaultKind::ErrorEvent { .. } => {}
        }
    }

    fn end(&mut self, events: &mut Vec<Bytes>, at: At, ending: BodyEnd) {
        match at {
            At::BeforeHeaders => {
                self.headless = true;
                events.clear();
            }
            At::AfterEvent(count) => events.truncate(count),
            At::AfterByte(count) => truncate(events, count),
        }
        self.ending = ending;
    }

    /// Returns the status line and the headers of HTTP/1.1.
    pub(crate) fn head(&self) -> Vec<u8> {
        let reason = self.status.canonical_reason().unwrap_or("Unknown");
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16()).into_bytes();
        let mut line = |name: &[u8], value: &[u8]| {
            for part in [name, b": ", value, b"\r\n"] {
                head.extend_from_slice(part);
            }
        };
        for (name, value) in &self.headers {
            line(name.as_str().as_bytes(), value.as_bytes());
        }
        match self.framing {
            Framing::Length => line(header::CONTENT_LENGTH.as_str().as_bytes(), self.length.to_string().as_bytes()),
            Framing::Chunked => line(header::TRANSFER_ENCODING.as_str().as_bytes(), b"chunked"),
            Framing::UntilClose => line(header::CONNECTION.as_str().as_bytes(), b"close"),
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// Moves a fault of the body behind the headers.
fn after_headers(at: At) -> At {
    if at == At::BeforeHeaders { At::AfterByte(0) } else { at }
}

fn total(parts: &[Bytes]) -> usize {
    parts.iter().map(Bytes::len).sum()
}

fn truncate(events: &mut Vec<Bytes>, mut count: usize) {
    for event in events.iter_mut() {
        event.truncate(count);
        count -= event.len();
    }
    events.retain(|event| !event.is_empty());
}

fn cut(events: &[Bytes], chunking: &Chunking) -> Vec<Bytes> {
    let offsets: Vec<usize> = match chunking {
        Chunking::ByEvent => {
            return events.iter().filter(|event| !event.is_empty()).cloned().collect();
        }
        Chunking::Whole => Vec::new(),
        Chunking::Bytes(size) => (0..total(events)).step_by((*size).max(1)).skip(1).collect(),
        Chunking::At(offsets) => offsets.clone(),
    };
    let mut rest: Bytes = events
        .iter()
        .fold(BytesMut::new(), |mut whole, event| {
            whole.extend_from_slice(event);
            whole
        })
        .freeze();
    let (mut chunks, mut start) = (Vec::new(), 0);
    for offset in offsets {
        let length = offset.saturating_sub(start).min(rest.len());
        start += length;
        chunks.push(rest.split_to(length));
    }
    chunks.push(rest);
    chunks.retain(|chunk| !chunk.is_empty());
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<Bytes> {
        vec![Bytes::from_static(b"abc"), Bytes::from_static(b"defgh"), Bytes::from_static(b"i")]
    }

    #[test]
    fn every_chunking_keeps_all_bytes() {
        let sizes = |chunking| {
            let chunks = cut(&events(), &chunking);
            assert_eq!(chunks.concat(), b"abcdefghi");
            chunks.iter().map(Bytes::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(Chunking::ByEvent), [3, 5, 1]);
        assert_eq!(sizes(Chunking::Whole), [9]);
        assert_eq!(sizes(Chunking::Bytes(4)), [4, 4, 1]);
        assert_eq!(sizes(Chunking::Bytes(0)), [1; 9]);
        assert_eq!(sizes(Chunking::At(vec![0, 2, 2, 8, 100])), [2, 6, 1]);
    }

    #[test]
    fn a_body_can_be_truncated_inside_an_event() {
        for count in 0..12 {
            let mut events = events();
            truncate(&mut events, count);
            assert_eq!(events.concat(), b"abcdefghi".get(..count.min(9)).unwrap());
        }
    }
}
