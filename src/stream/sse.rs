//! Decodes and writes server-sent events.
//!
//! The module implements sections 9.2.5 and 9.2.6 of the [WHATWG standard]. It doesn't depend on HTTP or JSON, so it can
//! read event streams of any service.
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

use self::parser::{EventParser, TooLarge};

mod event;
mod field;
mod id_and_retry;
mod parser;

pub use self::event::Event;

/// The default limit on the size of one event: 32 MiB.
const DEFAULT_MAX_EVENT_BYTES: usize = 32 << 20;

/// Decodes a stream of server-sent events.
///
/// Add the bytes of the body with [`feed_bytes`](Self::feed_bytes) or [`feed`](Self::feed), in chunks of any size, and call
/// [`next_event`](Self::next_event) until it returns `None`. An event with one `data` line that is complete within a chunk
/// is borrowed from the chunk; any other is copied once. The time to decode a stream is linear in its length, whatever it
/// contains.
///
/// The decoder keeps chunks that haven't been read to their end, and the fields of the event that is being parsed. Comments
/// and unknown fields are skipped without buffering them, however long they are.
///
/// Bytes that aren't UTF-8 are not an error: they become U+FFFD, one for each maximal part of a character.
#[derive(Default)]
pub struct Decoder {
    chunk: Bytes,
    position: usize,
    waiting: VecDeque<Bytes>,
    parser: EventParser,
    state: DecoderState,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum DecoderState {
    #[default]
    Reading,
    /// The last event has been returned and may still be borrowed.
    Delivered,
    Failed,
}

impl Decoder {
    /// Creates a decoder for one stream, with a limit on the size of an event.
    ///
    /// The size of an event is the number of bytes of its `data`, `event` and `id`, as received. [`Default`] uses a limit of
    /// 32 MiB.
    #[must_use]
    pub fn new(max_event_bytes: usize) -> Self {
        Self { parser: EventParser::new(max_event_bytes), ..Self::default() }
    }

    /// Adds bytes of the stream, which are copied. [`feed_bytes`](Self::feed_bytes) avoids the copy.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.feed_bytes(Bytes::copy_from_slice(chunk));
    }

    /// Adds bytes of the stream, without copying them.
    ///
    /// They are kept until [`next_event`](Self::next_event) has read them to their end. After an [`Error`], further bytes are
    /// ignored.
    pub fn feed_bytes(&mut self, chunk: Bytes) {
        if self.state == DecoderState::Failed || chunk.is_empty() {
            return;
        }
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.waiting.push_back(chunk);
        }
    }

    /// Returns the next event, or `None` if the bytes fed so far don't contain another complete one.
    ///
    /// An event is complete once its blank line has arrived. If that line ends in a carriage return, the event is returned
    /// without waiting for the line feed that may follow. Lines without a `data` field make no event.
    ///
    /// # Errors
    ///
    /// Returns [`Error`] once if an event exceeds the limit. Afterwards the decoder returns `None` until
    /// [`finish`](Self::finish) is called.
    pub fn next_event(&mut self) -> Option<Result<Event<'_>, Error>> {
        match self.state {
            DecoderState::Reading => {}
            DecoderState::Delivered => {
                self.parser.clear();
                self.state = DecoderState::Reading;
            }
            DecoderState::Failed => return None,
        }
        loop {
            match self.parser.parse(&self.chunk, &mut self.position) {
                Ok(true) => {
                    self.state = DecoderState::Delivered;
                    return Some(Ok(self.parser.event(&self.chunk)));
                }
                Ok(false) => {
                    self.parser.spill(&self.chunk);
                    self.chunk = self.waiting.pop_front().unwrap_or_default();
                    self.position = 0;
                    if self.chunk.is_empty() {
                        return None;
                    }
                }
                Err(TooLarge) => {
                    self.restart();
                    self.state = DecoderState::Failed;
                    return Some(Err(Error { max_event_bytes: self.parser.max_event_bytes() }));
                }
            }
        }
    }

    /// Drops a chunk that was read to its end, to free the buffer of the connection while the consumer is busy. The last
    /// event must not be in use any more.
    pub(super) fn release(&mut self) {
        if self.state == DecoderState::Delivered && self.position >= self.chunk.len() {
            self.parser.clear();
            self.parser.spill(&self.chunk);
            self.state = DecoderState::Reading;
            self.chunk = self.waiting.pop_front().unwrap_or_default();
            self.position = 0;
        }
    }

    /// Returns `true` if an event has begun and its blank line hasn't arrived.
    pub(super) fn is_unfinished(&self) -> bool {
        let unread = self.position < self.chunk.len() || !self.waiting.is_empty();
        match self.state {
            DecoderState::Reading => unread || self.parser.is_unfinished(),
            DecoderState::Delivered => unread,
            DecoderState::Failed => true,
        }
    }

    /// Ends the stream, and returns `true` if it ended inside an event.
    ///
    /// Following the standard, an event without its blank line is discarded, and so is an incomplete line. Call this method
    /// after [`next_event`](Self::next_event) has returned `None`: bytes that haven't been read are discarded and reported
    /// too.
    ///
    /// The decoder can then be used for a new connection. [`last_event_id`](Self::last_event_id) and [`retry`](Self::retry)
    /// keep their values.
    #[must_use = "returns `true` if an unfinished event was discarded"]
    pub fn finish(&mut self) -> bool {
        let unfinished = self.is_unfinished();
        self.restart();
        self.state = DecoderState::Reading;
        unfinished
    }

    /// Returns the last event id, for the `Last-Event-ID` header of a new connection. It is empty if the stream has set none.
    ///
    /// An `id` counts even if the lines around it make no event.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.parser.last_event_id()
    }

    /// Returns the time to wait before reconnecting, which the stream sets with a `retry` line, or `None` if it has set none.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.parser.retry()
    }

    /// Returns the number of bytes examined or copied, which tests check to be linear in the length of the stream.
    pub(crate) fn steps(&self) -> u64 {
        self.parser.steps()
    }

    fn restart(&mut self) {
        self.chunk = Bytes::new();
        self.position = 0;
        self.waiting = VecDeque::new();
        self.parser.restart();
    }
}

impl fmt::Debug for Decoder {
    /// Omits the bytes, which are prompts and completions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("max_event_bytes", &self.parser.max_event_bytes()).finish_non_exhaustive()
    }
}

/// The error of an event that exceeds the limit of its [`Decoder`].
///
/// The rest of the stream can't be read, because the decoder doesn't search for the end of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    max_event_bytes: usize,
}

impl Error {
    /// Returns the limit that was exceeded, in bytes.
    #[must_use]
    pub fn max_event_bytes(&self) -> usize {
        self.max_event_bytes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server-sent event exceeds the limit of {} bytes", self.max_event_bytes)
    }
}

impl std::error::Error for Error {}
