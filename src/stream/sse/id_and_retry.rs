//! The `id` and `retry` lines of a stream, which tell a client how to reconnect.

use std::{mem, time::Duration};

use memchr::memchr;

use super::{event, field::MAX_KEPT_CAPACITY};

/// The values of `id` and `retry` lines.
#[derive(Default)]
pub(super) struct IdAndRetry {
    last_event_id: String,
    delivered_id: bool,
    retry: Option<Duration>,
    /// The id of the event that is being parsed.
    id: Id,
    /// The value of an `id` line that hasn't ended. Absent once it contains a U+0000, since the standard ignores such an id.
    id_line: Id,
    retry_line: RetryLine,
}

#[derive(Default)]
struct Id {
    is_present: bool,
    value: Vec<u8>,
}

/// The value of a `retry` line so far. It is ignored unless it consists of digits.
#[derive(Clone, Copy, Default)]
enum RetryLine {
    #[default]
    Empty,
    Digits(u64),
    Invalid,
}

impl IdAndRetry {
    pub(super) fn begin_id(&mut self) {
        self.id_line.value.clear();
        self.id_line.is_present = true;
    }

    /// Returns how many bytes of this part of an `id` line count towards the limit: those before a U+0000, so that the
    /// limit doesn't depend on where chunks end.
    pub(super) fn counted_len(&self, part: &[u8]) -> usize {
        if self.id_line.is_present { memchr(0, part).unwrap_or(part.len()) } else { 0 }
    }

    pub(super) fn extend_id(&mut self, part: &[u8]) {
        if memchr(0, part).is_some() {
            self.id_line = Id::default();
        } else if self.id_line.is_present {
            self.id_line.value.extend_from_slice(part);
        }
    }

    pub(super) fn end_id(&mut self) {
        if mem::take(&mut self.id_line.is_present) {
            self.id.is_present = true;
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

    /// Makes the id of an event that has ended the last event id, and returns its length in bytes.
    pub(super) fn end_event(&mut self) -> usize {
        if !mem::take(&mut self.id.is_present) {
            return 0;
        }
        self.last_event_id.clear();
        self.last_event_id.push_str(&event::decode_utf8(&self.id.value));
        let length = self.id.value.len();
        self.id.value.clear();
        length
    }

    /// Returns the id for the event that is yielded, and `true` if it is empty and has to be written to clear the one before.
    pub(super) fn deliver(&mut self) -> (&str, bool) {
        let delivers_id = !self.last_event_id.is_empty();
        let delivered_id = mem::replace(&mut self.delivered_id, delivers_id);
        (&self.last_event_id, delivered_id && !delivers_id)
    }

    /// Discards unfinished lines, and keeps the last event id and the reconnection time.
    pub(super) fn restart(&mut self) {
        *self = Self {
            last_event_id: mem::take(&mut self.last_event_id),
            delivered_id: self.delivered_id,
            retry: self.retry,
            ..Self::default()
        };
    }

    /// Frees large buffers that are empty.
    pub(super) fn shrink(&mut self) {
        for id in [&mut self.id, &mut self.id_line] {
            if id.value.is_empty() && id.value.capacity() > MAX_KEPT_CAPACITY {
                id.value = Vec::new();
            }
        }
    }

    /// Returns `true` if the event that is being parsed has an id.
    pub(super) fn has_id(&self) -> bool {
        self.id.is_present
    }

    /// Returns the number of bytes buffered for the event that is being parsed.
    pub(super) fn pending_len(&self) -> usize {
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
