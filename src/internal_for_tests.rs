//! Access for the tests of this repository. It may change with every release.

use std::ffi::OsString;

pub use crate::transport::Timing;
use crate::{
    client::ClientBuilder,
    json::{DecodeError, read_slice},
    stream::sse::Decoder,
    types::MessageResponse,
};

/// Settings that only tests have.
pub trait TestClientBuilder {
    /// Sets the clocks, the randomness and the waits between attempts.
    #[must_use]
    fn timing(self, timing: impl Timing) -> Self;

    /// Reads variables as [`ClientBuilder::from_env`] does, from another source.
    #[must_use]
    #[expect(clippy::wrong_self_convention, reason = "named after `ClientBuilder::from_env`")]
    fn from_env_with(self, lookup: impl Fn(&str) -> Option<OsString>) -> Self;
}

impl TestClientBuilder for ClientBuilder {
    fn timing(self, timing: impl Timing) -> Self {
        self.set_timing(timing)
    }

    fn from_env_with(self, lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        self.set_env(lookup)
    }
}

/// Makes the journal of a job fail as if the process had been killed: `after` writes succeed, and `torn` bytes of the next
/// one reach the file.
#[cfg(all(feature = "bulk", operation = "create_batch", operation = "list_batches", operation = "batch_results"))]
pub fn abort_journal(bulk: crate::bulk::Bulk, after: u64, torn: usize) -> crate::bulk::Bulk {
    bulk.abort_at(after, torn)
}

/// Returns how many bytes of its stream a decoder has looked at or copied, which must grow no faster than the stream.
#[must_use]
pub fn steps(decoder: &Decoder) -> u64 {
    decoder.steps()
}

/// Reads a message as the client reads the body of a response, without the second pass that `Deserialize` needs.
///
/// # Errors
/// Fails if the bytes are not a message.
pub fn read_message(json: &[u8]) -> Result<MessageResponse, DecodeError> {
    read_slice(json)
}
