//! Server-sent events: bytes in, events out, and events back to text.
//!
//! The rules are those of the [WHATWG standard], sections 9.2.5 and 9.2.6. Nothing here knows of
//! HTTP or JSON.
//!
//! ```
//! use anthropic_messages::sse;
//!
//! let mut decoder = sse::Decoder::default();
//! decoder.feed(b"event: ping\ndata: {\"type\":");
//! assert!(decoder.next_event().is_none());
//!
//! decoder.feed(b"\"ping\"}\n\n");
//! while let Some(event) = decoder.next_event() {
//!     let event = event?;
//!     assert_eq!(event.event, "ping");
//!     assert_eq!(event.data, r#"{"type":"ping"}"#);
//! }
//! assert!(!decoder.finish(), "the stream did not end inside an event");
//! # Ok::<(), sse::Error>(())
//! ```
//!
//! [WHATWG standard]: https://html.spec.whatwg.org/multipage/server-sent-events.html

use std::{collections::VecDeque, fmt, time::Duration};

use bytes::Bytes;

use self::block::{Block, TooLarge};

mod block;
mod event;
mod field;
mod reconnection;
mod text;

pub use self::event::Event;

/// The default of the most bytes that one event may hold: 32 MiB.
const DEFAULT_MAX_EVENT_BYTES: usize = 32 << 20;

/// Decodes a stream of server-sent events.
///
/// Give it the body's bytes with [`feed_bytes`](Self::feed_bytes) or [`feed`](Self::feed), in pieces
/// cut anywhere, and take out events with [`next_event`](Self::next_event) until there is none.
/// Where an event lies whole in a piece and has one `data` line, its text is borrowed from that
/// piece; otherwise it is put together once. Time is linear in the bytes fed, whatever they are.
///
/// Held in memory are the pieces not yet read and the fields of the event that is being read;
/// comments and unknown fields are passed over, however long. A piece is let go when `next_event`
/// has read it to its end.
///
/// Bytes that are not UTF-8 become U+FFFD, one for each maximal part of a character, and are no
/// error.
#[derive(Default)]
pub struct Decoder {
    chunk: Bytes,
    position: usize,
    waiting: VecDeque<Bytes>,
    block: Block,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    Reading,
    /// The block that was read last has been handed out and may still be borrowed from.
    Delivered,
    Failed,
}

impl Decoder {
    /// A decoder for one stream that refuses an event of which `data`, `event` and `id` together
    /// have more than `max_event_bytes` bytes, as received. [`Default`] allows 32 MiB.
    #[must_use]
    pub fn new(max_event_bytes: usize) -> Self {
        Self { block: Block::new(max_event_bytes), ..Self::default() }
    }

    /// Adds bytes of the stream, by copying them once. Where they are at hand as [`Bytes`],
    /// [`feed_bytes`](Self::feed_bytes) spares the copy.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.feed_bytes(Bytes::copy_from_slice(chunk));
    }

    /// Adds bytes of the stream, without copying them.
    ///
    /// They are kept until [`next_event`](Self::next_event) has read them to their end. After an
    /// [`Error`] they are dropped.
    pub fn feed_bytes(&mut self, chunk: Bytes) {
        if self.state == State::Failed || chunk.is_empty() {
            return;
        }
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.waiting.push_back(chunk);
        }
    }

    /// The next event, or `None` when the bytes fed so far hold no further whole event.
    ///
    /// An event is whole with the blank line behind it; one that ends in a carriage return does
    /// not wait for the line feed that might follow. A block without a `data` line is no event.
    ///
    /// # Errors
    ///
    /// [`Error`], once, when an event is larger than the bound; the decoder then yields `None`
    /// until [`finish`](Self::finish).
    pub fn next_event(&mut self) -> Option<Result<Event<'_>, Error>> {
        match self.state {
            State::Reading => {}
            State::Delivered => {
                self.block.clear();
                self.state = State::Reading;
            }
            State::Failed => return None,
        }
        loop {
            match self.block.read(&self.chunk, &mut self.position) {
                Ok(true) => {
                    self.state = State::Delivered;
                    return Some(Ok(self.block.event(&self.chunk)));
                }
                Ok(false) => {
                    self.block.let_go_of(&self.chunk);
                    self.chunk = self.waiting.pop_front().unwrap_or_default();
                    self.position = 0;
                    if self.chunk.is_empty() {
                        return None;
                    }
                }
                Err(TooLarge) => {
                    self.restart();
                    self.state = State::Failed;
                    return Some(Err(Error { max_event_bytes: self.block.limit() }));
                }
            }
        }
    }

    /// Lets go of a chunk that was read to its end, where the event that came last is done with.
    pub(super) fn release(&mut self) {
        if self.state == State::Delivered && self.position >= self.chunk.len() {
            self.block.clear();
            self.block.let_go_of(&self.chunk);
            self.state = State::Reading;
            self.chunk = self.waiting.pop_front().unwrap_or_default();
            self.position = 0;
        }
    }

    /// Whether an event has begun and its blank line hasn't arrived.
    pub(super) fn is_unfinished(&self) -> bool {
        let unread = self.position < self.chunk.len() || !self.waiting.is_empty();
        match self.state {
            State::Reading => unread || self.block.is_unfinished(),
            State::Delivered => unread,
            State::Failed => true,
        }
    }

    /// Says that the stream has ended, and returns whether it ended inside an event: `true` when
    /// something of an event without its blank line, or an unfinished line of a known field, had
    /// arrived and is discarded, as the standard asks for. Call it when
    /// [`next_event`](Self::next_event) returns `None`; bytes not read until then are discarded and
    /// reported as well.
    ///
    /// Afterwards the decoder stands at the beginning of a stream, as for a connection made anew;
    /// [`last_event_id`](Self::last_event_id) and [`retry`](Self::retry) stay as they are.
    #[must_use = "tells whether an unfinished event was discarded"]
    pub fn finish(&mut self) -> bool {
        let unfinished = self.is_unfinished();
        self.restart();
        self.state = State::Reading;
        unfinished
    }

    /// The id of the last block read to its end, also where that was no event; empty when none was
    /// given. It goes into the `Last-Event-ID` header of a connection made anew.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.block.last_event_id()
    }

    /// The time to wait before connecting anew, as the stream last asked for it in a `retry` line;
    /// `None` when it did not.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.block.retry()
    }

    /// How many bytes of this stream were looked at or copied: what the tests hold to be linear.
    pub(crate) fn steps(&self) -> u64 {
        self.block.steps()
    }

    fn restart(&mut self) {
        self.chunk = Bytes::new();
        self.position = 0;
        self.waiting = VecDeque::new();
        self.block.restart();
    }
}

impl fmt::Debug for Decoder {
    /// Leaves out the bytes, which are prompts and completions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("max_event_bytes", &self.block.limit()).finish_non_exhaustive()
    }
}

/// An event was larger than the decoder allows.
///
/// The stream can't be read further: what followed the event is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    max_event_bytes: usize,
}

impl Error {
    /// The bound that was exceeded, in bytes.
    #[must_use]
    pub fn max_event_bytes(&self) -> usize {
        self.max_event_bytes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a server-sent event is larger than the {} bytes allowed", self.max_event_bytes)
    }
}

impl std::error::Error for Error {}
