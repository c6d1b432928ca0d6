//! Telling an observer what a stream holds that there is no type for.

use crate::runtime::{Noted, Tell, noting};

/// Tells of each thing once, however many events hold it.
pub(super) struct Teller {
    tell: Tell,
    told: Vec<Noted>,
}

/// How many things one stream is told to hold.
const MOST: usize = 100;

impl Teller {
    pub(super) fn new(tell: Tell) -> Self {
        Self { tell, told: Vec::new() }
    }

    /// Reads something, and tells what is unknown in it.
    pub(super) fn reading<T>(&mut self, read: impl FnOnce() -> T) -> T {
        let (value, notes) = noting(read);
        for noted in notes {
            if self.told.len() < MOST && !self.told.contains(&noted) {
                (self.tell)(&noted);
                self.told.push(noted);
            }
        }
        value
    }
}
