//! Merges members into the message and its blocks.

use indexmap::{IndexMap, map::Entry};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    generated::types::{ContentBlock, MessageResponse, StreamEventMessageDelta},
    json::{DecodeError, Empty, FromJson, Json, JsonType, Map, read_slice},
};

/// Applies a `message_delta` to the message. Its content is left alone, since it belongs to the blocks.
///
/// The delta is decoded as a part of a message, so that members which only a later contract names are set too. The cost
/// depends on the delta and not on the message, since a stream may have thousands of them.
pub(super) fn merge_message_delta(
    message: &mut MessageResponse,
    event: &StreamEventMessageDelta,
) -> Result<(), DecodeError> {
    let mut changed = match &event.delta {
        Some(delta) => convert(delta)?,
        None => MessageResponse::empty(),
    };
    let event_text = serde_json::to_vec(event).map_err(|error| DecodeError::from_serialize(&error))?;
    let mut others: IndexMap<String, Box<RawValue>> =
        serde_json::from_slice(&event_text).map_err(|error| DecodeError::from_serialize(&error))?;
    others.retain(|name, _| !["type", "delta", "usage"].contains(&name.as_str()));
    if !others.is_empty() {
        changed.merge(convert(&others)?);
    }
    changed.content = None;
    let usage = changed.usage.take().into_iter().chain(event.usage.as_ref().map(convert).transpose()?);
    for usage in usage.collect::<Vec<_>>() {
        match &mut message.usage {
            Some(earlier) => earlier.merge(usage),
            none => *none = Some(usage),
        }
    }
    message.merge(changed);
    Ok(())
}

/// Converts a value to another type with members of the same names.
///
/// `Json` can't be the intermediate step: its nesting limit is applied to each part, and the whole is nested deeper.
pub(super) fn convert<T: Serialize, U: FromJson>(value: &T) -> Result<U, DecodeError> {
    read_slice(&serde_json::to_vec(value).map_err(|error| DecodeError::from_serialize(&error))?)
}

/// Members that deltas have added to a block and that are not in its content yet.
///
/// A delta of an unknown kind is merged into its block member by member: strings are appended, lists extended, everything
/// else is set, and `null` never replaces a value. The members are collected as JSON text and merged when the block is
/// closed, so that the cost of many deltas is linear in their length.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct PendingMembers {
    /// The types of the members that the block had before.
    block: Map<MemberType>,
    added: Map<PendingMember>,
}

/// The JSON type of a member, which decides whether another value can be merged into it.
#[derive(Clone, Copy, Deserialize, PartialEq, Serialize)]
enum MemberType {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

#[derive(Clone, Deserialize, Serialize)]
struct PendingMember {
    r#type: MemberType,
    /// The JSON of the value, without the quotation marks of a string or the brackets of a list.
    text: String,
    /// The member of the block is replaced.
    replaces: bool,
}

impl PendingMembers {
    pub(super) fn new(content: &ContentBlock) -> Result<Self, DecodeError> {
        let members: Map<Json> = convert(content)?;
        let block = members.into_iter().map(|(name, value)| (name, MemberType::from_json(&value))).collect();
        Ok(Self { block, added: Map::new() })
    }

    /// Returns `true` if every member has the type of the one it is merged into.
    pub(super) fn can_merge(&self, members: &Map<Json>) -> bool {
        members.iter().all(|(name, value)| {
            let before = self.added.get(name).map(|added| added.r#type).or_else(|| self.block.get(name).copied());
            let value = MemberType::from_json(value);
            before.is_none_or(|before| before == value || before == MemberType::Null || value == MemberType::Null)
        })
    }

    /// Merges a member, for which [`can_merge`](Self::can_merge) has returned `true`.
    pub(super) fn merge(&mut self, name: String, value: &Json) {
        let r#type = MemberType::from_json(value);
        let has_value = |before: Option<MemberType>| before.is_some_and(|before| before != MemberType::Null);
        match self.added.entry(name) {
            Entry::Occupied(entry) => {
                let added = entry.into_mut();
                if r#type == MemberType::Null {
                    return;
                }
                match r#type {
                    MemberType::String | MemberType::Array if added.r#type == r#type => {
                        added.append(r#type.inner(value))
                    }
                    _ => (added.r#type, added.text) = (r#type, r#type.inner(value).to_owned()),
                }
            }
            Entry::Vacant(entry) => {
                if r#type == MemberType::Null && has_value(self.block.get(entry.key()).copied()) {
                    return;
                }
                let replaces = !matches!(r#type, MemberType::String | MemberType::Array);
                entry.insert(PendingMember { r#type, text: r#type.inner(value).to_owned(), replaces });
            }
        }
    }

    /// Sets a member, whatever its type was.
    pub(super) fn set(&mut self, name: &str, value: &Json) {
        let r#type = MemberType::from_json(value);
        let pending = PendingMember { r#type, text: r#type.inner(value).to_owned(), replaces: true };
        self.added.insert(name.to_owned(), pending);
    }

    /// Returns the block with the members merged into it.
    ///
    /// Members that the type of the block can't hold are omitted.
    pub(super) fn apply_to(&self, content: &ContentBlock) -> Result<ContentBlock, DecodeError> {
        let members: Map<Json> = convert(content)?;
        let mut added: Vec<(&String, &PendingMember)> = self.added.iter().collect();
        loop {
            let mut members = members.clone();
            for (name, pending) in &added {
                let merged = pending.apply_to(members.get(*name))?;
                members.insert((*name).clone(), merged);
            }
            // Only fields of the block's type are ever refused, so there are few of them.
            let error = match convert(&members) {
                Ok(block) => return Ok(block),
                Err(error) => error,
            };
            let refused = error.pointer().split('/').nth(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
            let before = added.len();
            added.retain(|(name, _)| refused.as_ref() != Some(*name));
            if added.len() == before {
                return Err(error);
            }
        }
    }
}

impl PendingMember {
    fn append(&mut self, more: &str) {
        let separated = self.r#type == MemberType::Array && !self.text.trim().is_empty() && !more.trim().is_empty();
        if separated {
            self.text.push(',');
        }
        self.text.push_str(more);
    }

    /// Returns the JSON of a member with this one merged into it.
    fn apply_to(&self, member: Option<&Json>) -> Result<Json, DecodeError> {
        let before = member.filter(|member| !self.replaces && MemberType::from_json(member) == self.r#type);
        let mut merged =
            Self { text: before.map_or("", |before| self.r#type.inner(before)).to_owned(), ..self.clone() };
        merged.append(&self.text);
        let (open, close) = self.r#type.delimiters();
        Json::parse(&format!("{open}{}{close}", merged.text))
    }
}

impl MemberType {
    fn from_json(value: &Json) -> Self {
        match value.json_type() {
            JsonType::Null => Self::Null,
            JsonType::Boolean => Self::Boolean,
            JsonType::Number => Self::Number,
            JsonType::String => Self::String,
            JsonType::Array => Self::Array,
            JsonType::Object => Self::Object,
        }
    }

    fn delimiters(self) -> (&'static str, &'static str) {
        match self {
            Self::String => ("\"", "\""),
            Self::Array => ("[", "]"),
            _ => ("", ""),
        }
    }

    /// Returns the JSON of a value without its delimiters. Strings are appended as JSON, so that a surrogate pair that is
    /// split between two of them becomes a character.
    fn inner(self, value: &Json) -> &str {
        let (open, close) = self.delimiters();
        let text = value.as_str().trim();
        text.strip_prefix(open).and_then(|text| text.strip_suffix(close)).unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_cost_of_a_message_delta_does_not_depend_on_the_message() {
        let huge = "x".repeat(1 << 20);
        let content = json!([{"type": "text", "text": huge}]);
        let usage = json!({"output_tokens": 1, "later": huge, "server_tool_use": {"later": huge}});
        let container = json!({"id": "c", "expires_at": "later", "later": huge});
        let message = json!({"content": content, "later": huge, "usage": usage, "container": container});
        let mut message: MessageResponse = serde_json::from_value(message).unwrap();
        let event =
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}});
        let event: StreamEventMessageDelta = serde_json::from_value(event).unwrap();
        let counted = allocation_counter::measure(|| merge_message_delta(&mut message, &event).unwrap());
        assert!(counted.bytes_total < 4096, "{}", counted.bytes_total);
        assert_eq!(message.usage.unwrap().output_tokens, Some(2));
        assert_eq!(message.stop_reason.unwrap(), "end_turn");
    }

    #[test]
    fn members_that_the_block_cannot_hold_are_omitted_in_linear_time() {
        let cost = |count: usize| {
            let mut content = json!({"type": "tool_use", "name": "t", "input": {}});
            for number in 0..count {
                content[format!("first{number}")] = json!(1);
            }
            let content: ContentBlock = serde_json::from_value(content).unwrap();
            let mut pending = PendingMembers::new(&content).unwrap();
            pending.merge("id".to_owned(), &Json::from(5));
            pending.merge("caller".to_owned(), &Json::from(5));
            for number in 0..count {
                pending.merge(format!("later/{number}"), &Json::from("x"));
            }
            let mut merged = None;
            let counted = allocation_counter::measure(|| merged = pending.apply_to(&content).ok());
            let ContentBlock::ToolUse(block) = merged.unwrap() else { panic!("another block") };
            assert_eq!((block.id, block.extra.len()), (None, 2 * count));
            counted.bytes_total
        };
        let (once, twice) = (cost(500), cost(1000));
        assert!(twice < 3 * once, "{once} {twice}");
    }
}
