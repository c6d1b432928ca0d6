//! Reports to an observer of the parts of a stream that have no type.

use crate::{
    json::{DecodeError, FromJson, UnknownPart, read_recording},
    runtime::Tell,
};

/// Reports each part once, however many events hold it.
pub(super) struct Teller {
    tell: Tell,
    told: Vec<UnknownPart>,
}

/// The most parts that are reported of one stream.
const MOST: usize = 100;

impl Teller {
    pub(super) fn new(tell: Tell) -> Self {
        Self { tell, told: Vec::new() }
    }

    /// Reads a document, and reports what is unknown in it.
    pub(super) fn read<T: FromJson>(&mut self, json: &[u8]) -> Result<T, DecodeError> {
        let (value, unknown) = read_recording(json)?;
        for part in unknown {
            if self.told.len() < MOST && !self.told.contains(&part) {
                (self.tell)(&part);
                self.told.push(part);
            }
        }
        Ok(value)
    }
}
