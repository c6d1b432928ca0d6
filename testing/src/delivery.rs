//! How the bytes of a reply go over the wire: in which chunks, how framed, when, and how they end.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{StatusCode, header};

use super::fault::{At, Fault, FaultKind};

/// How a body is cut into chunks. Over HTTP/1.1 each is a chunk of the transfer encoding, where
/// that is the framing; the network may join or split them on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chunking {
    /// Each event of a stream is a chunk, and any other body is one chunk. The default.
    #[default]
    ByEvent,
    /// The body is one chunk.
    Whole,
    /// Chunks of this many bytes; zero is taken as one.
    Bytes(usize),
    /// The body is cut at these offsets in bytes, given in rising order.
    At(Vec<usize>),
}

/// How the end of a body is told. Over HTTP/2 it makes no difference but for a declared length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// By `content-length`. The default of a body that is not a stream.
    Length,
    /// By the chunked transfer encoding. The default of a stream.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// What a reply says, before it is known how it goes over the wire.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body by its events; a body that is not a stream is one.
    pub(crate) events: Vec<Bytes>,
    pub(crate) framing: Framing,
    pub(crate) chunking: Chunking,
    pub(crate) pause: Duration,
    pub(crate) delay: Duration,
}

/// A reply as it goes over the wire.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) framing: Framing,
    /// The length that the headers declare if the framing is [`Framing::Length`].
    pub(crate) length: usize,
    /// The pause before the first byte.
    pub(crate) delay: Duration,
    pub(crate) chunks: Vec<Bytes>,
    /// The pause between one chunk and the next.
    pub(crate) pause: Duration,
    /// Whether the end comes before the headers.
    pub(crate) headless: bool,
    pub(crate) ending: Ending,
}

/// What comes after the last chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Complete,
    Stall,
    Endless { bytes: Bytes, pause: Duration },
    Close,
    Reset,
    MalformedChunk,
}

/// How much of an endless line is written at a time.
const ENDLESS_PIECE: [u8; 16 * 1024] = [b'x'; 16 * 1024];

impl Delivery {
    pub(crate) fn of(plan: Plan, faults: &[Fault]) -> Self {
        let mut delivery = Self {
            status: plan.status,
            headers: plan.headers,
            framing: plan.framing,
            length: total(&plan.events),
            delay: plan.delay,
            chunks: Vec::new(),
            pause: plan.pause,
            headless: false,
            ending: Ending::Complete,
        };
        let mut events = plan.events;
        let mut chunking = plan.chunking;
        for fault in faults {
            delivery.apply(&fault.kind, &mut events, &mut chunking);
        }
        match delivery.ending {
            Ending::Complete => delivery.length = total(&events),
            Ending::Endless { .. } | Ending::MalformedChunk => delivery.framing = Framing::Chunked,
            _ => {}
        }
        delivery.chunks = cut(&events, &chunking);
        delivery
    }

    /// A 500 without a body.
    pub(crate) fn bare_error() -> Self {
        let plan = Plan {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            headers: HeaderMap::new(),
            events: Vec::new(),
            framing: Framing::Length,
            chunking: Chunking::Whole,
            pause: Duration::ZERO,
            delay: Duration::ZERO,
        };
        Self::of(plan, &[])
    }

    /// Whether an HTTP library would refuse to send it.
    pub(crate) fn needs_socket(&self) -> bool {
        self.headless
            || self.framing == Framing::UntilClose
            || matches!(self.ending, Ending::Close | Ending::Reset | Ending::MalformedChunk)
    }

    fn apply(&mut self, fault: &FaultKind, events: &mut Vec<Bytes>, chunking: &mut Chunking) {
        match fault {
            FaultKind::Reset(at) => self.end(events, *at, Ending::Reset),
            FaultKind::Close(at) => self.end(events, *at, Ending::Close),
            FaultKind::End(At::BeforeHeaders) => self.end(events, At::BeforeHeaders, Ending::Close),
            FaultKind::End(at) => self.end(events, *at, Ending::Complete),
            FaultKind::Stall(at) => self.end(events, *at, Ending::Stall),
            FaultKind::MalformedChunk(at) => self.end(events, after_headers(*at), Ending::MalformedChunk),
            FaultKind::EndlessLine(at) => {
                let bytes = Bytes::from_static(&ENDLESS_PIECE);
                self.end(events, after_headers(*at), Ending::Endless { bytes, pause: Duration::ZERO });
                events.push(Bytes::from_static(b"data: "));
            }
            FaultKind::EndlessPings { at, pause } => {
                let bytes = Bytes::from_static(b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
                self.end(events, after_headers(*at), Ending::Endless { bytes, pause: *pause });
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
            // The reply has made it an event, or an error of its own, before it came here.
            FaultKind::ErrorEvent { .. } => {}
        }
    }

    fn end(&mut self, events: &mut Vec<Bytes>, at: At, ending: Ending) {
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

    /// The head as HTTP/1.1 writes it.
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

/// A fault of the body can't come before the headers.
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
    fn a_cut_after_a_byte_may_fall_into_an_event() {
        for count in 0..12 {
            let mut events = events();
            truncate(&mut events, count);
            assert_eq!(events.concat(), b"abcdefghi".get(..count.min(9)).unwrap());
        }
    }
}
