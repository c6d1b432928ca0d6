//! What the transport leaves with an answer, to learn what becomes of it.

use std::any::Any;

/// Stays with an answer until its value is read, or with a stream until it is read or dropped.
pub(crate) trait Companion: Any + Send + Sync {
    /// The answer came whole, and no value could be had from it.
    fn unusable(&self, why: Unusable);
}

/// Why no value could be had from a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Its content type is another one than was asked for.
    ContentType,
    /// The contract does not name its status.
    Status,
    /// Its body could not be read into the type.
    Type,
}
