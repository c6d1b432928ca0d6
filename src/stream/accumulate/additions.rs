//! Members that deltas add to a block and that have no field to go to.
//!
//! A delta of a kind that nobody knows is merged into its block by its members: strings are appended, lists extended,
//! everything else is set, and a null never erases. They are collected as JSON text and merged when the block is closed,
//! so that thousands of deltas cost no more than their length.

use indexmap::map::Entry;
use serde::{Deserialize, Serialize};

use super::members::reread;
use crate::{
    generated::types::ContentBlock,
    json::{DecodeError, Json, JsonType, Map},
};

/// What deltas have added to one block.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Additions {
    /// The types of the members that the block had before.
    block: Map<Type>,
    added: Map<Addition>,
}

/// The type of a member, where it decides whether another value fits.
#[derive(Clone, Copy, Deserialize, PartialEq, Serialize)]
enum Type {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

#[derive(Clone, Deserialize, Serialize)]
struct Addition {
    r#type: Type,
    /// The JSON of the value; of a string or a list, what is between its brackets.
    text: String,
    /// Whether the member of the block gives way.
    replaces: bool,
}

impl Additions {
    pub(super) fn new(content: &ContentBlock) -> Result<Self, DecodeError> {
        let members: Map<Json> = reread(content)?;
        let block = members.into_iter().map(|(name, value)| (name, Type::of(&value))).collect();
        Ok(Self { block, added: Map::new() })
    }

    /// Returns `true` if every member has the type of the one that it adds to.
    pub(super) fn fits(&self, members: &Map<Json>) -> bool {
        members.iter().all(|(name, value)| {
            let before = self.added.get(name).map(|added| added.r#type).or_else(|| self.block.get(name).copied());
            let value = Type::of(value);
            before.is_none_or(|before| before == value || before == Type::Null || value == Type::Null)
        })
    }

    /// Adds a member that fits.
    pub(super) fn add(&mut self, name: String, value: &Json) {
        let r#type = Type::of(value);
        let has_value = |before: Option<Type>| before.is_some_and(|before| before != Type::Null);
        match self.added.entry(name) {
            Entry::Occupied(entry) => {
                let added = entry.into_mut();
                if r#type == Type::Null {
                    return;
                }
                match r#type {
                    Type::String | Type::Array if added.r#type == r#type => added.append(r#type.inner(value)),
                    _ => (added.r#type, added.text) = (r#type, r#type.inner(value).to_owned()),
                }
            }
            Entry::Vacant(entry) => {
                if r#type == Type::Null && has_value(self.block.get(entry.key()).copied()) {
                    return;
                }
                let replaces = !matches!(r#type, Type::String | Type::Array);
                entry.insert(Addition { r#type, text: r#type.inner(value).to_owned(), replaces });
            }
        }
    }

    /// Sets a member, whatever it was.
    pub(super) fn set(&mut self, name: &str, value: &Json) {
        let r#type = Type::of(value);
        let addition = Addition { r#type, text: r#type.inner(value).to_owned(), replaces: true };
        self.added.insert(name.to_owned(), addition);
    }

    /// Returns the block with what was added to it.
    ///
    /// A member that makes no block of the kind is left out.
    pub(super) fn merged(&self, content: &ContentBlock) -> Result<ContentBlock, DecodeError> {
        let members: Map<Json> = reread(content)?;
        let mut added: Vec<(&String, &Addition)> = self.added.iter().collect();
        loop {
            let mut members = members.clone();
            for (name, addition) in &added {
                let whole = addition.onto(members.get(*name))?;
                members.insert((*name).clone(), whole);
            }
            // The kind's own fields alone are ever refused, so that there are few to leave out.
            let error = match reread(&members) {
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

impl Addition {
    fn append(&mut self, more: &str) {
        let separated = self.r#type == Type::Array && !self.text.trim().is_empty() && !more.trim().is_empty();
        if separated {
            self.text.push(',');
        }
        self.text.push_str(more);
    }

    /// The JSON of the member that this is added to.
    fn onto(&self, member: Option<&Json>) -> Result<Json, DecodeError> {
        let before = member.filter(|member| !self.replaces && Type::of(member) == self.r#type);
        let mut whole = Self { text: before.map_or("", |before| self.r#type.inner(before)).to_owned(), ..self.clone() };
        whole.append(&self.text);
        let (open, close) = self.r#type.brackets();
        Json::parse(&format!("{open}{}{close}", whole.text))
    }
}

impl Type {
    fn of(value: &Json) -> Self {
        match value.json_type() {
            JsonType::Null => Self::Null,
            JsonType::Boolean => Self::Boolean,
            JsonType::Number => Self::Number,
            JsonType::String => Self::String,
            JsonType::Array => Self::Array,
            JsonType::Object => Self::Object,
        }
    }

    fn brackets(self) -> (&'static str, &'static str) {
        match self {
            Self::String => ("\"", "\""),
            Self::Array => ("[", "]"),
            _ => ("", ""),
        }
    }

    /// The text of a value without its brackets. That of strings is joined as JSON, so that a character whose halves
    /// are in two of them becomes whole.
    fn inner(self, value: &Json) -> &str {
        let (open, close) = self.brackets();
        let text = value.get().trim();
        text.strip_prefix(open).and_then(|text| text.strip_suffix(close)).unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_that_makes_no_block_is_left_out_at_the_cost_of_the_others_once() {
        let cost = |count: usize| {
            let mut content = json!({"type": "tool_use", "name": "t", "input": {}});
            for number in 0..count {
                content[format!("first{number}")] = json!(1);
            }
            let content: ContentBlock = serde_json::from_value(content).unwrap();
            let mut additions = Additions::new(&content).unwrap();
            additions.add("id".to_owned(), &Json::from(5));
            additions.add("caller".to_owned(), &Json::from(5));
            for number in 0..count {
                additions.add(format!("later/{number}"), &Json::from("x"));
            }
            let mut merged = None;
            let counted = allocation_counter::measure(|| merged = additions.merged(&content).ok());
            let ContentBlock::ToolUse(block) = merged.unwrap() else { panic!("another block") };
            assert_eq!((block.id, block.extra.len()), (None, 2 * count));
            counted.bytes_total
        };
        let (once, twice) = (cost(500), cost(1000));
        assert!(twice < 3 * once, "{once} {twice}");
    }
}
