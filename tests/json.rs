//! Tests of valid and invalid JSON, and of reading it into the types of the contract.

#![cfg(test)]

use anthropic_messages::DecodeError;

use self::support::types::TYPES;

mod support;
mod json {
    mod depth;
    mod features;
    mod formats;
    mod grammar;
    mod properties;
    mod types;
}

/// Reads a document as a type of the contract, and writes it again.
fn round_trip(schema: &str, json: impl AsRef<str>) -> Result<String, DecodeError> {
    let (.., function) = TYPES.iter().find(|(name, ..)| *name == schema).unwrap();
    function(json.as_ref())
}
