//! The fields of an event: which field a line belongs to, and where its value is.

use std::ops::Range;

/// The longest prefix of a line that is needed to know its field and where its value begins: that of `event: `.
pub(super) const MAX_PREFIX_LEN: usize = 7;

/// A buffer of at most this many bytes is kept for the next event.
pub(super) const MAX_KEPT_CAPACITY: usize = 1024;

/// The fields that the standard defines.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Field {
    Data,
    /// `event`: the type of the event.
    EventType,
    Id,
    Retry,
}

/// The first bytes of a line, as far as they have arrived.
pub(super) enum LinePrefix<'l> {
    /// The name of a field may still follow.
    Undecided,
    /// The name of a field, with or without its colon, and no value.
    Name(Field),
    /// A field and its value, as far as the value has arrived.
    Value(Field, &'l [u8]),
    /// A comment or a field that the standard doesn't define.
    Ignored,
}

impl<'l> LinePrefix<'l> {
    pub(super) fn parse(line: &'l [u8]) -> Self {
        let (field, rest) = match line {
            [b'd', b'a', b't', b'a', rest @ ..] => (Field::Data, rest),
            [b'e', b'v', b'e', b'n', b't', rest @ ..] => (Field::EventType, rest),
            [b'i', b'd', rest @ ..] => (Field::Id, rest),
            [b'r', b'e', b't', b'r', b'y', rest @ ..] => (Field::Retry, rest),
            _ if [&b"data"[..], b"event", b"id", b"retry"].iter().any(|name| name.starts_with(line)) => {
                return Self::Undecided;
            }
            _ => return Self::Ignored,
        };
        match rest {
            [] | [b':'] => Self::Name(field),
            [b':', b' ', value @ ..] | [b':', value @ ..] => Self::Value(field, value),
            _ => Self::Ignored,
        }
    }
}

/// The value of a field, borrowed from the current chunk where possible.
#[derive(Default)]
pub(super) struct FieldValue {
    pub(super) storage: Storage,
    pub(super) buffer: Vec<u8>,
}

/// The location of the bytes of a value.
#[derive(Default, PartialEq)]
pub(super) enum Storage {
    #[default]
    Absent,
    Chunk(Range<usize>),
    Buffer,
}

impl FieldValue {
    pub(super) fn is_present(&self) -> bool {
        self.storage != Storage::Absent
    }

    pub(super) fn len(&self) -> usize {
        match &self.storage {
            Storage::Absent => 0,
            Storage::Chunk(range) => range.len(),
            Storage::Buffer => self.buffer.len(),
        }
    }

    pub(super) fn bytes<'a>(&'a self, chunk: &'a [u8]) -> &'a [u8] {
        match &self.storage {
            Storage::Absent => &[],
            Storage::Chunk(range) => chunk.get(range.clone()).unwrap_or_default(),
            Storage::Buffer => &self.buffer,
        }
    }

    pub(super) fn clear(&mut self) {
        self.storage = Storage::Absent;
        self.buffer.clear();
    }

    /// Copies a value that is in the chunk to the buffer, and returns the number of bytes copied. Frees a large buffer
    /// that isn't in use.
    pub(super) fn spill(&mut self, chunk: &[u8]) -> u64 {
        match &self.storage {
            Storage::Chunk(range) => {
                let bytes = chunk.get(range.clone()).unwrap_or_default();
                self.buffer.extend_from_slice(bytes);
                self.storage = Storage::Buffer;
                bytes.len() as u64
            }
            Storage::Absent if self.buffer.capacity() > MAX_KEPT_CAPACITY => {
                self.buffer = Vec::new();
                0
            }
            Storage::Absent | Storage::Buffer => 0,
        }
    }
}
