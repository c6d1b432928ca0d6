//! What a stream says for a connection made anew: its `id` and `retry` lines.

use std::{mem, time::Duration};

use memchr::memchr;

use super::{event, text::KEPT_CAPACITY};

/// The values of `id` and `retry` lines.
#[derive(Default)]
pub(super) struct Reconnection {
    last_event_id: String,
    delivered_an_id: bool,
    retry: Option<Duration>,
    /// The id of the block that is being read, where it has one.
    id: Id,
    /// The value of an `id` line that has not ended; not given where a U+0000 has voided it.
    id_line: Id,
    retry_line: RetryLine,
}

#[derive(Default)]
struct Id {
    is_given: bool,
    value: Vec<u8>,
}

/// The value of a `retry` line so far; it counts when it is digits and nothing else.
#[derive(Clone, Copy, Default)]
enum RetryLine {
    #[default]
    Empty,
    Digits(u64),
    Invalid,
}

impl Reconnection {
    pub(super) fn begin_id(&mut self) {
        self.id_line.value.clear();
        self.id_line.is_given = true;
    }

    /// The bytes of this part of an `id` line that count against the bound: those before a U+0000,
    /// so that the bound does not depend on where chunks end.
    pub(super) fn counted(&self, part: &[u8]) -> usize {
        if self.id_line.is_given { memchr(0, part).unwrap_or(part.len()) } else { 0 }
    }

    pub(super) fn extend_id(&mut self, part: &[u8]) {
        if memchr(0, part).is_some() {
            self.id_line = Id::default();
        } else if self.id_line.is_given {
            self.id_line.value.extend_from_slice(part);
        }
    }

    pub(super) fn end_id(&mut self) {
        if mem::take(&mut self.id_line.is_given) {
            self.id.is_given = true;
            mem::swap(&mut self.id.value, &mut self.id_line.value);
            self.id_line.value.clear();
        }
    }

    pub(super) fn begin_retry(&mut self) {
        self.retry_line = RetryLine::Empty;
    }

    pub(super) fn extend_retry(&mut self, part: &[u8]) {
        self.retry_line = part.iter().copied().fold(self.retry_line, RetryLine::with);
    }

    pub(super) fn end_retry(&mut self) {
        if let RetryLine::Digits(milliseconds) = self.retry_line {
            self.retry = Some(Duration::from_millis(milliseconds));
        }
    }

    /// Takes over the id of a block that has ended, and returns how many bytes it has.
    pub(super) fn end_block(&mut self) -> usize {
        if !mem::take(&mut self.id.is_given) {
            return 0;
        }
        self.last_event_id.clear();
        self.last_event_id.push_str(&event::text(&self.id.value));
        let length = self.id.value.len();
        self.id.value.clear();
        length
    }

    /// The id for an event that is handed out, and whether it has to be written although it is
    /// empty.
    pub(super) fn deliver(&mut self) -> (&str, bool) {
        let delivers_an_id = !self.last_event_id.is_empty();
        let delivered_an_id = mem::replace(&mut self.delivered_an_id, delivers_an_id);
        (&self.last_event_id, delivered_an_id && !delivers_an_id)
    }

    /// Forgets the lines that were read, and keeps what they came to.
    pub(super) fn restart(&mut self) {
        *self = Self {
            last_event_id: mem::take(&mut self.last_event_id),
            delivered_an_id: self.delivered_an_id,
            retry: self.retry,
            ..Self::default()
        };
    }

    /// Lets go of large buffers that hold nothing.
    pub(super) fn shrink(&mut self) {
        for id in [&mut self.id, &mut self.id_line] {
            if id.value.is_empty() && id.value.capacity() > KEPT_CAPACITY {
                id.value = Vec::new();
            }
        }
    }

    /// Whether the block that is being read has an id.
    pub(super) fn has_id(&self) -> bool {
        self.id.is_given
    }

    /// The bytes held for the block that is being read.
    pub(super) fn held(&self) -> usize {
        self.id.value.len() + self.id_line.value.len()
    }

    pub(super) fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }
}

impl RetryLine {
    fn with(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Empty, b'0'..=b'9') => Self::Digits(u64::from(byte - b'0')),
            (Self::Digits(number), b'0'..=b'9') => {
                Self::Digits(number.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
            }
            _ => Self::Invalid,
        }
    }
}
