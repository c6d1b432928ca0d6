//! Where the value of a field lies.

use std::ops::Range;

/// A buffer of at most this many bytes is kept for the next event.
pub(super) const KEPT_CAPACITY: usize = 1024;

/// The value of a field: a range of the current chunk, or bytes of its own.
#[derive(Default)]
pub(super) struct Text {
    pub(super) place: Place,
    pub(super) buffer: Vec<u8>,
}

/// Where a value lies.
#[derive(Default, PartialEq)]
pub(super) enum Place {
    #[default]
    Absent,
    Chunk(Range<usize>),
    Buffer,
}

impl Text {
    pub(super) fn is_given(&self) -> bool {
        self.place != Place::Absent
    }

    pub(super) fn len(&self) -> usize {
        match &self.place {
            Place::Absent => 0,
            Place::Chunk(range) => range.len(),
            Place::Buffer => self.buffer.len(),
        }
    }

    pub(super) fn bytes<'a>(&'a self, chunk: &'a [u8]) -> &'a [u8] {
        match &self.place {
            Place::Absent => &[],
            Place::Chunk(range) => chunk.get(range.clone()).unwrap_or_default(),
            Place::Buffer => &self.buffer,
        }
    }

    pub(super) fn clear(&mut self) {
        self.place = Place::Absent;
        self.buffer.clear();
    }

    /// Copies what lies in the chunk, and returns how many bytes that were.
    pub(super) fn let_go_of(&mut self, chunk: &[u8]) -> u64 {
        match &self.place {
            Place::Chunk(range) => {
                let bytes = chunk.get(range.clone()).unwrap_or_default();
                self.buffer.extend_from_slice(bytes);
                self.place = Place::Buffer;
                bytes.len() as u64
            }
            Place::Absent if self.buffer.capacity() > KEPT_CAPACITY => {
                self.buffer = Vec::new();
                0
            }
            Place::Absent | Place::Buffer => 0,
        }
    }
}
