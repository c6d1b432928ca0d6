//! Parses the lines of one event.
//!
//! A line that is complete within a chunk isn't copied: its value is a range of the chunk. A line that is split between
//! chunks is parsed incrementally: its first bytes are buffered until its field is known, and the rest of its value goes
//! directly to the buffer of that field. No byte is searched for a line end twice.

use std::{mem, time::Duration};

use memchr::memchr2;

use super::{
    event::Event,
    field::{Field, FieldValue, LinePrefix, MAX_PREFIX_LEN, Storage},
    id_and_retry::IdAndRetry,
};

/// A byte-order mark, which is skipped at the beginning of a stream.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// An event is larger than allowed.
#[derive(Debug)]
pub(super) struct TooLarge;

/// Parses the lines of one event after another.
pub(super) struct EventParser {
    max_event_bytes: usize,
    /// The number of bytes of the byte-order mark seen so far; its length once the stream is past it.
    mark_len: usize,
    /// The last chunk ended in a carriage return: a line feed at the start of the next one belongs to it.
    after_carriage_return: bool,
    line: LineState,
    /// The first bytes of a line whose field isn't known yet.
    prefix: Vec<u8>,
    data: FieldValue,
    event_type: FieldValue,
    /// Allocated by the first `id` or `retry` line, since most streams have none.
    id_and_retry: Option<Box<IdAndRetry>>,
    steps: u64,
}

/// The state of the line at the current position.
#[derive(Clone, Copy, PartialEq)]
enum LineState {
    /// The field isn't known yet. The line has begun if `prefix` isn't empty.
    Prefix,
    /// The value of this field has begun.
    Value(Field),
    /// The line is a comment or a field that the standard doesn't define.
    Ignored,
}

impl Default for EventParser {
    fn default() -> Self {
        Self::new(super::DEFAULT_MAX_EVENT_BYTES)
    }
}

impl EventParser {
    pub(super) fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            mark_len: 0,
            after_carriage_return: false,
            line: LineState::Prefix,
            prefix: Vec::new(),
            data: FieldValue::default(),
            event_type: FieldValue::default(),
            id_and_retry: None,
            steps: 0,
        }
    }

    /// Parses the chunk from `position` on, and moves the position to the end of an event (`true`) or to the end of the
    /// chunk (`false`).
    pub(super) fn parse(&mut self, chunk: &[u8], position: &mut usize) -> Result<bool, TooLarge> {
        let mut rest = chunk.get(*position..).unwrap_or_default();
        if self.mark_len < BYTE_ORDER_MARK.len() {
            rest = self.skip_byte_order_mark(rest);
        }
        if self.after_carriage_return && !rest.is_empty() {
            self.after_carriage_return = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        if self.line != LineState::Prefix || !self.prefix.is_empty() {
            rest = self.continue_line(chunk, rest)?;
        }
        while let Some(first) = rest.first() {
            if matches!(first, b'\n' | b'\r') {
                rest = self.skip_line_end(rest);
                if self.end_event() {
                    *position = chunk.len() - rest.len();
                    return Ok(true);
                }
                continue;
            }
            rest = match memchr2(b'\n', b'\r', rest).and_then(|end| rest.split_at_checked(end)) {
                Some((line, tail)) => {
                    self.steps += line.len() as u64;
                    self.parse_line(chunk, line, chunk.len() - tail.len())?;
                    self.skip_line_end(tail)
                }
                None => {
                    self.steps += rest.len() as u64;
                    self.parse_part(chunk, rest)?;
                    &[]
                }
            };
        }
        *position = chunk.len();
        Ok(false)
    }

    /// Returns the event that [`parse`](Self::parse) found.
    pub(super) fn event<'a>(&'a mut self, chunk: &'a [u8]) -> Event<'a> {
        let (event_type, data) = (self.event_type.bytes(chunk), self.data.bytes(chunk));
        self.steps += (event_type.len() + data.len()) as u64;
        let (id, clears_id) = self.id_and_retry.as_mut().map_or(("", false), |id_and_retry| id_and_retry.deliver());
        Event::from_stream(event_type, data, id, clears_id)
    }

    /// Clears the fields for the next event.
    pub(super) fn clear(&mut self) {
        self.data.clear();
        self.event_type.clear();
    }

    /// Copies values that are in the chunk, so that the chunk can be dropped.
    pub(super) fn spill(&mut self, chunk: &[u8]) {
        for value in [&mut self.data, &mut self.event_type] {
            self.steps += value.spill(chunk);
        }
        if let Some(id_and_retry) = &mut self.id_and_retry {
            id_and_retry.shrink();
        }
    }

    /// Returns `true` if a part of an event has arrived that would be lost if the stream ended here.
    pub(super) fn is_unfinished(&self) -> bool {
        let line = match self.line {
            LineState::Prefix => !self.prefix.is_empty(),
            LineState::Value(_) => true,
            LineState::Ignored => false,
        };
        let id = self.id_and_retry.as_ref().is_some_and(|id_and_retry| id_and_retry.has_id());
        line || id || self.data.is_present() || self.event_type.is_present()
    }

    /// Resets the parser to the beginning of a stream. The last event id and the reconnection time are kept.
    pub(super) fn restart(&mut self) {
        let mut id_and_retry = self.id_and_retry.take();
        if let Some(id_and_retry) = &mut id_and_retry {
            id_and_retry.restart();
        }
        *self = Self { id_and_retry, ..Self::new(self.max_event_bytes) };
    }

    pub(super) fn max_event_bytes(&self) -> usize {
        self.max_event_bytes
    }

    pub(super) fn last_event_id(&self) -> &str {
        self.id_and_retry.as_ref().map_or("", |id_and_retry| id_and_retry.last_event_id())
    }

    pub(super) fn retry(&self) -> Option<Duration> {
        self.id_and_retry.as_ref()?.retry()
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    fn skip_byte_order_mark<'c>(&mut self, mut rest: &'c [u8]) -> &'c [u8] {
        while let (Some(expected), Some((first, tail))) = (BYTE_ORDER_MARK.get(self.mark_len), rest.split_first()) {
            if first == expected {
                self.mark_len += 1;
                rest = tail;
            } else {
                // An incomplete mark is malformed text, which no field's name begins with.
                self.line = if self.mark_len == 0 { LineState::Prefix } else { LineState::Ignored };
                self.mark_len = BYTE_ORDER_MARK.len();
            }
        }
        rest
    }

    /// Skips the line end at the beginning of `rest`.
    fn skip_line_end<'c>(&mut self, rest: &'c [u8]) -> &'c [u8] {
        self.steps += 1;
        match rest {
            [b'\r', b'\n', tail @ ..] => tail,
            [b'\r'] => {
                self.after_carriage_return = true;
                &[]
            }
            [_, tail @ ..] => tail,
            [] => &[],
        }
    }

    /// Handles a blank line. Returns `true` if the lines before it make an event.
    fn end_event(&mut self) -> bool {
        if let Some(id_and_retry) = &mut self.id_and_retry {
            self.steps += id_and_retry.end_event() as u64;
        }
        let is_event = self.data.is_present();
        if !is_event {
            self.event_type.clear();
        }
        is_event
    }

    /// Parses a line that is complete within the chunk and ends at `end`.
    fn parse_line(&mut self, chunk: &[u8], line: &[u8], end: usize) -> Result<(), TooLarge> {
        let (field, value) = match LinePrefix::parse(line) {
            LinePrefix::Value(field, value) => (field, value),
            LinePrefix::Name(field) => (field, Default::default()),
            LinePrefix::Undecided | LinePrefix::Ignored => return Ok(()),
        };
        let range = end - value.len()..end;
        match field {
            Field::Data if !self.data.is_present() => {
                self.check_len(value.len())?;
                self.data.storage = Storage::Chunk(range);
            }
            Field::EventType => {
                self.event_type.clear();
                self.check_len(value.len())?;
                self.event_type.storage = Storage::Chunk(range);
            }
            Field::Data | Field::Id | Field::Retry => {
                self.begin_value(chunk, field)?;
                self.extend_value(field, value)?;
                self.end_value(field);
            }
        }
        Ok(())
    }

    /// Continues a line that began in an earlier chunk, and returns the rest of the chunk after its end.
    fn continue_line<'c>(&mut self, chunk: &[u8], rest: &'c [u8]) -> Result<&'c [u8], TooLarge> {
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (part, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        self.steps += part.len() as u64;
        self.parse_part(chunk, part)?;
        if tail.is_empty() {
            return Ok(tail);
        }
        match mem::replace(&mut self.line, LineState::Prefix) {
            LineState::Prefix => {
                if let LinePrefix::Name(field) = LinePrefix::parse(&self.prefix) {
                    self.begin_value(chunk, field)?;
                    self.end_value(field);
                }
                self.prefix.clear();
            }
            LineState::Value(field) => self.end_value(field),
            LineState::Ignored => {}
        }
        Ok(self.skip_line_end(tail))
    }

    /// Parses a part of a line that doesn't contain its end.
    fn parse_part(&mut self, chunk: &[u8], part: &[u8]) -> Result<(), TooLarge> {
        match self.line {
            LineState::Ignored => return Ok(()),
            LineState::Value(field) => return self.extend_value(field, part),
            LineState::Prefix => {}
        }
        let wanted = MAX_PREFIX_LEN.saturating_sub(self.prefix.len());
        let (taken, more) = part.split_at_checked(wanted).unwrap_or((part, &[]));
        let mut prefix = mem::take(&mut self.prefix);
        prefix.extend_from_slice(taken);
        match LinePrefix::parse(&prefix) {
            LinePrefix::Undecided | LinePrefix::Name(_) => {
                self.prefix = prefix;
                return Ok(());
            }
            LinePrefix::Ignored => self.line = LineState::Ignored,
            LinePrefix::Value(field, value) => {
                self.line = LineState::Value(field);
                self.begin_value(chunk, field)?;
                self.extend_value(field, value)?;
                self.extend_value(field, more)?;
            }
        }
        prefix.clear();
        self.prefix = prefix;
        Ok(())
    }

    fn begin_value(&mut self, chunk: &[u8], field: Field) -> Result<(), TooLarge> {
        match field {
            Field::Data => {
                if self.data.is_present() {
                    self.check_len(1)?;
                    self.steps += self.data.spill(chunk);
                    self.data.buffer.push(b'\n');
                }
                self.data.storage = Storage::Buffer;
            }
            Field::EventType => {
                self.event_type.clear();
                self.event_type.storage = Storage::Buffer;
            }
            Field::Id => self.id_and_retry().begin_id(),
            Field::Retry => self.id_and_retry().begin_retry(),
        }
        Ok(())
    }

    fn extend_value(&mut self, field: Field, part: &[u8]) -> Result<(), TooLarge> {
        self.steps += part.len() as u64;
        match field {
            Field::Data => {
                self.check_len(part.len())?;
                self.data.buffer.extend_from_slice(part);
            }
            Field::EventType => {
                self.check_len(part.len())?;
                self.event_type.buffer.extend_from_slice(part);
            }
            Field::Id => {
                let counted_len = self.id_and_retry().counted_len(part);
                self.check_len(counted_len)?;
                self.id_and_retry().extend_id(part);
            }
            Field::Retry => self.id_and_retry().extend_retry(part),
        }
        Ok(())
    }

    fn end_value(&mut self, field: Field) {
        match field {
            Field::Data | Field::EventType => {}
            Field::Id => self.id_and_retry().end_id(),
            Field::Retry => self.id_and_retry().end_retry(),
        }
    }

    fn id_and_retry(&mut self) -> &mut IdAndRetry {
        self.id_and_retry.get_or_insert_default()
    }

    fn check_len(&self, more: usize) -> Result<(), TooLarge> {
        let ids = self.id_and_retry.as_ref().map_or(0, |id_and_retry| id_and_retry.pending_len());
        let len = self.data.len() + self.event_type.len() + ids;
        if len.saturating_add(more) > self.max_event_bytes { Err(TooLarge) } else { Ok(()) }
    }
}
