//! The block of lines that becomes an event.
//!
//! Two paths lead to the same fields. A line that lies whole in a chunk is taken where it lies: its
//! value is remembered as a range of the chunk. A line that is cut by a chunk's end is carried on
//! by state: a few bytes of its head until its field is known, then each part of its value straight
//! into the field's buffer. No byte of a line is looked for its end twice.

use std::{mem, time::Duration};

use memchr::memchr2;

use super::{
    event::Event,
    field::{Field, Head, LONGEST_HEAD},
    reconnection::Reconnection,
    text::{Place, Text},
};

/// A byte-order mark, passed over once at the beginning of a stream.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// The block is larger than allowed.
#[derive(Debug)]
pub(super) struct TooLarge;

pub(super) struct Block {
    limit: usize,
    /// How many bytes of the byte-order mark have been met, or all where there is none.
    mark: usize,
    /// The last chunk ended in a carriage return: a line feed that follows belongs to it.
    after_carriage_return: bool,
    line: Line,
    /// The first bytes of a line whose field is not yet known.
    head: Vec<u8>,
    data: Text,
    kind: Text,
    /// In a box, and made by the first `id` or `retry` line, since most streams have none.
    reconnection: Option<Box<Reconnection>>,
    steps: u64,
}

/// What is known of the line at the current position.
#[derive(Clone, Copy, PartialEq)]
enum Line {
    /// Its first bytes are in `head`; with none of them, it has not begun.
    Head,
    /// The value of this field has begun.
    Value(Field),
    /// A comment, or a field that nobody knows.
    PassedOver,
}

impl Default for Block {
    fn default() -> Self {
        Self::new(super::DEFAULT_MAX_EVENT_BYTES)
    }
}

impl Block {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            mark: 0,
            after_carriage_return: false,
            line: Line::Head,
            head: Vec::new(),
            data: Text::default(),
            kind: Text::default(),
            reconnection: None,
            steps: 0,
        }
    }

    /// Reads the chunk from `position`, and moves it, to the end of a block that is an event
    /// (`true`) or to the chunk's end (`false`).
    pub(super) fn read(&mut self, chunk: &[u8], position: &mut usize) -> Result<bool, TooLarge> {
        let mut rest = chunk.get(*position..).unwrap_or_default();
        if self.mark < MARK.len() {
            rest = self.past_mark(rest);
        }
        if self.after_carriage_return && !rest.is_empty() {
            self.after_carriage_return = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        if self.line != Line::Head || !self.head.is_empty() {
            rest = self.read_on(chunk, rest)?;
        }
        while let Some(first) = rest.first() {
            if matches!(first, b'\n' | b'\r') {
                rest = self.past_line_end(rest);
                if self.end_block() {
                    *position = chunk.len() - rest.len();
                    return Ok(true);
                }
                continue;
            }
            rest = match memchr2(b'\n', b'\r', rest).and_then(|end| rest.split_at_checked(end)) {
                Some((line, tail)) => {
                    self.steps += line.len() as u64;
                    self.read_line(chunk, line, chunk.len() - tail.len())?;
                    self.past_line_end(tail)
                }
                None => {
                    self.steps += rest.len() as u64;
                    self.read_part(chunk, rest)?;
                    &[]
                }
            };
        }
        *position = chunk.len();
        Ok(false)
    }

    /// The event of a block that [`read`](Self::read) said to be one.
    pub(super) fn event<'a>(&'a mut self, chunk: &'a [u8]) -> Event<'a> {
        let (kind, data) = (self.kind.bytes(chunk), self.data.bytes(chunk));
        self.steps += (kind.len() + data.len()) as u64;
        let (id, clears_id) = self.reconnection.as_mut().map_or(("", false), |reconnection| reconnection.deliver());
        Event::from_stream(kind, data, id, clears_id)
    }

    /// Makes ready for the next block.
    pub(super) fn clear(&mut self) {
        self.data.clear();
        self.kind.clear();
    }

    /// Copies what the block has in the chunk, before the chunk goes.
    pub(super) fn let_go_of(&mut self, chunk: &[u8]) {
        for text in [&mut self.data, &mut self.kind] {
            self.steps += text.let_go_of(chunk);
        }
        if let Some(reconnection) = &mut self.reconnection {
            reconnection.shrink();
        }
    }

    /// Whether something of a block has arrived that would be lost if the stream ended here.
    pub(super) fn is_unfinished(&self) -> bool {
        let line = match self.line {
            Line::Head => !self.head.is_empty(),
            Line::Value(_) => true,
            Line::PassedOver => false,
        };
        let id = self.reconnection.as_ref().is_some_and(|reconnection| reconnection.has_id());
        line || id || self.data.is_given() || self.kind.is_given()
    }

    /// Back to the beginning of a stream.
    pub(super) fn restart(&mut self) {
        let mut reconnection = self.reconnection.take();
        if let Some(reconnection) = &mut reconnection {
            reconnection.restart();
        }
        *self = Self { reconnection, ..Self::new(self.limit) };
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn last_event_id(&self) -> &str {
        self.reconnection.as_ref().map_or("", |reconnection| reconnection.last_event_id())
    }

    pub(super) fn retry(&self) -> Option<Duration> {
        self.reconnection.as_ref()?.retry()
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    fn past_mark<'c>(&mut self, mut rest: &'c [u8]) -> &'c [u8] {
        while let (Some(expected), Some((first, tail))) = (MARK.get(self.mark), rest.split_first()) {
            if first == expected {
                self.mark += 1;
                rest = tail;
            } else {
                // Part of a mark is malformed text, and no field's name begins with that.
                self.line = if self.mark == 0 { Line::Head } else { Line::PassedOver };
                self.mark = MARK.len();
            }
        }
        rest
    }

    /// What follows the line end at the beginning of `rest`.
    fn past_line_end<'c>(&mut self, rest: &'c [u8]) -> &'c [u8] {
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

    /// Takes a blank line, and says whether the block is an event.
    fn end_block(&mut self) -> bool {
        if let Some(reconnection) = &mut self.reconnection {
            self.steps += reconnection.end_block() as u64;
        }
        let is_event = self.data.is_given();
        if !is_event {
            self.kind.clear();
        }
        is_event
    }

    /// Takes a line that lies whole in the chunk and ends at `end`.
    fn read_line(&mut self, chunk: &[u8], line: &[u8], end: usize) -> Result<(), TooLarge> {
        let (field, value) = match Head::of(line) {
            Head::Value(field, value) => (field, value),
            Head::Bare(field) => (field, Default::default()),
            Head::Part | Head::Other => return Ok(()),
        };
        let range = end - value.len()..end;
        match field {
            Field::Data if !self.data.is_given() => {
                self.make_room(value.len())?;
                self.data.place = Place::Chunk(range);
            }
            Field::Kind => {
                self.kind.clear();
                self.make_room(value.len())?;
                self.kind.place = Place::Chunk(range);
            }
            Field::Data | Field::Id | Field::Retry => {
                self.begin_value(chunk, field)?;
                self.extend_value(field, value)?;
                self.end_value(field);
            }
        }
        Ok(())
    }

    /// Goes on with a line that began in an earlier chunk, and returns what follows its end.
    fn read_on<'c>(&mut self, chunk: &[u8], rest: &'c [u8]) -> Result<&'c [u8], TooLarge> {
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (part, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        self.steps += part.len() as u64;
        self.read_part(chunk, part)?;
        if tail.is_empty() {
            return Ok(tail);
        }
        match mem::replace(&mut self.line, Line::Head) {
            Line::Head => {
                if let Head::Bare(field) = Head::of(&self.head) {
                    self.begin_value(chunk, field)?;
                    self.end_value(field);
                }
                self.head.clear();
            }
            Line::Value(field) => self.end_value(field),
            Line::PassedOver => {}
        }
        Ok(self.past_line_end(tail))
    }

    /// Takes a part of a line that does not end in it.
    fn read_part(&mut self, chunk: &[u8], part: &[u8]) -> Result<(), TooLarge> {
        match self.line {
            Line::PassedOver => return Ok(()),
            Line::Value(field) => return self.extend_value(field, part),
            Line::Head => {}
        }
        let wanted = LONGEST_HEAD.saturating_sub(self.head.len());
        let (taken, more) = part.split_at_checked(wanted).unwrap_or((part, &[]));
        let mut head = mem::take(&mut self.head);
        head.extend_from_slice(taken);
        match Head::of(&head) {
            Head::Part | Head::Bare(_) => {
                self.head = head;
                return Ok(());
            }
            Head::Other => self.line = Line::PassedOver,
            Head::Value(field, value) => {
                self.line = Line::Value(field);
                self.begin_value(chunk, field)?;
                self.extend_value(field, value)?;
                self.extend_value(field, more)?;
            }
        }
        head.clear();
        self.head = head;
        Ok(())
    }

    fn begin_value(&mut self, chunk: &[u8], field: Field) -> Result<(), TooLarge> {
        match field {
            Field::Data => {
                if self.data.is_given() {
                    self.make_room(1)?;
                    self.steps += self.data.let_go_of(chunk);
                    self.data.buffer.push(b'\n');
                }
                self.data.place = Place::Buffer;
            }
            Field::Kind => {
                self.kind.clear();
                self.kind.place = Place::Buffer;
            }
            Field::Id => self.reconnection().begin_id(),
            Field::Retry => self.reconnection().begin_retry(),
        }
        Ok(())
    }

    fn extend_value(&mut self, field: Field, part: &[u8]) -> Result<(), TooLarge> {
        self.steps += part.len() as u64;
        match field {
            Field::Data => {
                self.make_room(part.len())?;
                self.data.buffer.extend_from_slice(part);
            }
            Field::Kind => {
                self.make_room(part.len())?;
                self.kind.buffer.extend_from_slice(part);
            }
            Field::Id => {
                let counted = self.reconnection().counted(part);
                self.make_room(counted)?;
                self.reconnection().extend_id(part);
            }
            Field::Retry => self.reconnection().extend_retry(part),
        }
        Ok(())
    }

    fn end_value(&mut self, field: Field) {
        match field {
            Field::Data | Field::Kind => {}
            Field::Id => self.reconnection().end_id(),
            Field::Retry => self.reconnection().end_retry(),
        }
    }

    fn reconnection(&mut self) -> &mut Reconnection {
        self.reconnection.get_or_insert_default()
    }

    fn make_room(&self, more: usize) -> Result<(), TooLarge> {
        let ids = self.reconnection.as_ref().map_or(0, |reconnection| reconnection.held());
        let held = self.data.len() + self.kind.len() + ids;
        if held.saturating_add(more) > self.limit { Err(TooLarge) } else { Ok(()) }
    }
}
