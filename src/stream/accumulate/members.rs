//! Members of the message that a `message_delta` sets.

use indexmap::IndexMap;
use serde::Serialize;

use crate::{
    generated::types::{MessageResponse, StreamEventMessageDelta},
    json::{DecodeError, Empty, FromJson, read_slice},
};

/// Applies a `message_delta`. The content belongs to the blocks and stays as it is.
///
/// The delta is read as the part of a message that it is, so that a member which only a later contract names is set as
/// well. Nothing of the message is read or written but what the delta names: a stream may send thousands of them.
pub(super) fn change(message: &mut MessageResponse, event: &StreamEventMessageDelta) -> Result<(), DecodeError> {
    let mut changed = match &event.delta {
        Some(delta) => reread(delta)?,
        None => MessageResponse::empty(),
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
pub(super) fn reread<T: Serialize, U: FromJson>(value: &T) -> Result<U, DecodeError> {
    read_slice(&serde_json::to_vec(value).map_err(|error| DecodeError::of_serialize(&error))?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_costs_its_own_length_and_not_that_of_the_message() {
        let huge = "x".repeat(1 << 20);
        let content = json!([{"type": "text", "text": huge}]);
        let usage = json!({"output_tokens": 1, "later": huge, "server_tool_use": {"later": huge}});
        let container = json!({"id": "c", "expires_at": "later", "later": huge});
        let message = json!({"content": content, "later": huge, "usage": usage, "container": container});
        let mut message: MessageResponse = serde_json::from_value(message).unwrap();
        let event =
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}});
        let event: StreamEventMessageDelta = serde_json::from_value(event).unwrap();
        let counted = allocation_counter::measure(|| change(&mut message, &event).unwrap());
        assert!(counted.bytes_total < 4096, "{}", counted.bytes_total);
        assert_eq!(message.usage.unwrap().output_tokens, Some(2));
        assert_eq!(message.stop_reason.unwrap(), "end_turn");
    }
}
