//! Members of the message that a `message_delta` sets.

use indexmap::IndexMap;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    generated::types::{MessageResponse, StreamEventMessageDelta},
    runtime::{Blank, DecodeError, from_slice},
};

/// Applies a `message_delta`. The content belongs to the blocks and stays as it is.
///
/// The delta is read as the part of a message that it is, so that a member which only a later contract names is set as
/// well. Nothing of the message is read or written but what the delta names: a stream may send thousands of them.
pub(super) fn change(message: &mut MessageResponse, event: &StreamEventMessageDelta) -> Result<(), DecodeError> {
    let mut changed = match &event.delta {
        Some(delta) => reread(delta)?,
        None => MessageResponse::blank(),
    };
    if !event.extra.is_empty() {
        changed.merge(reread(&event.extra.iter().collect::<IndexMap<_, _>>())?);
    }
    changed.content = None;
    let usage = changed.usage.take().into_iter().chain(event.usage.as_ref().map(reread).transpose()?);
    for usage in usage.collect::<Vec<_>>() {
        match &mut message.usage {
            Some(earlier) => earlier.merge(usage),
            none => *none = Some(usage),
        }
    }
    message.merge(changed);
    Ok(())
}

/// Reads a value as another type with members of the same names. Not by way of `Json`: its limit on nesting holds for
/// the parts, and the whole is deeper.
pub(super) fn reread<T: Serialize, U: DeserializeOwned>(value: &T) -> Result<U, DecodeError> {
    from_slice(&serde_json::to_vec(value).map_err(DecodeError::of_serialize)?)
}
