//! Every generated type, from the table that the build script writes.

use std::fmt::Debug;

use anthropic_messages::{DecodeError, Json, types};
use serde::{Serialize, de::DeserializeOwned};

/// Reads a document as a type and writes it again.
pub type RoundTrip = fn(&str) -> Result<String, DecodeError>;

/// The name of each type, the place of its schema in the contract, and its round trip.
pub const TYPES: &[(&str, &str, RoundTrip)] = &include!(concat!(env!("OUT_DIR"), "/types.rs"));

/// The bounds are what the crate promises of every generated type.
fn round_trip<T>(text: &str) -> Result<String, DecodeError>
where
    T: Serialize + DeserializeOwned + Clone + Debug + PartialEq + Send + Sync + 'static,
{
    // An error of serde_json has no place, so the document is read again for it.
    let value = match serde_json::from_str::<T>(text) {
        Ok(value) => value,
        Err(_) => Json::parse(text)?.decode::<T>()?,
    };
    Ok(serde_json::to_string(&value).expect("what was read is written"))
}
