//! What is JSON and what is not, and what becomes of it in the types of the contract.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that can't go on fails"
)]

#[path = "json/depth.rs"]
mod depth;
#[path = "json/features.rs"]
mod features;
#[path = "json/formats.rs"]
mod formats;
#[path = "json/grammar.rs"]
mod grammar;
#[path = "json/properties.rs"]
mod properties;
#[path = "json/types.rs"]
mod types;

use anthropic_messages::{DecodeError, TYPES};

/// Reads a document as a type of the contract, and writes it again.
fn round_trip(schema: &str, json: impl AsRef<[u8]>) -> Result<String, DecodeError> {
    let (.., function) = TYPES.iter().find(|(name, ..)| *name == schema).unwrap();
    function(json.as_ref())
}
