//! What a `message_delta` changes, member by member.
//!
//! It is done on the JSON of both, so that whatever a contract adds to them is changed as well.

use serde::{Serialize, Serializer};

use crate::{
    generated::types::{MessageResponse, StreamEventMessageDelta},
    json::{DecodeError, FromJson, Json, JsonType, Map, Reader, read_slice, read_str},
};

/// The members of an object, in their order.
#[derive(Default)]
pub(super) struct Members(pub(super) Map<Json>);

/// Applies a change to the message. Its content is not looked at.
pub(super) fn change(message: &mut MessageResponse, event: &StreamEventMessageDelta) -> Result<(), DecodeError> {
    let content = message.content.take();
    let outcome = changed(message, event).map(|changed| *message = changed);
    message.content = content;
    outcome
}

fn changed(message: &MessageResponse, event: &StreamEventMessageDelta) -> Result<MessageResponse, DecodeError> {
    let mut members = Members::of(message)?;
    members.overwrite(Members::of(&event.delta)?);
    for (name, value) in event.extra.iter() {
        members.set(name.to_owned(), value.clone());
    }
    let first = members.0.get("usage").map(|usage| read_str::<Option<Members>>(usage.get())).transpose()?;
    let mut usage = first.flatten().unwrap_or_default();
    usage.overwrite(Members::of(&event.usage)?);
    // A server that counts at the end only.
    if usage.0.get("input_tokens").is_none_or(|tokens| tokens.json_type() == JsonType::Null) {
        usage.0.insert("input_tokens".to_owned(), Json::from(0));
    }
    members.set("usage".to_owned(), Json::of(&usage)?);
    rewritten(&members)
}

/// Reads what a value is written as. Not by way of `Json`: its limit on nesting holds for the parts,
/// and the whole is deeper.
fn rewritten<T: Serialize, U: FromJson>(value: &T) -> Result<U, DecodeError> {
    read_slice(&serde_json::to_vec(value).map_err(|error| DecodeError::of_serialize(&error))?)
}

impl Members {
    fn of<T: Serialize>(value: &T) -> Result<Self, DecodeError> {
        rewritten(value)
    }

    /// Sets a member, unless to `null`.
    fn set(&mut self, name: String, value: Json) {
        if value.json_type() != JsonType::Null {
            self.0.insert(name, value);
        }
    }

    fn overwrite(&mut self, other: Self) {
        for (name, value) in other.0 {
            self.set(name, value);
        }
    }
}

impl FromJson for Members {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Map::read(reader).map(Self)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}
