//! A block of a kind that the contract does not name, put together by the names of what its deltas
//! carry.

use super::members::Members;
use crate::{
    generated::types::ContentBlockDelta,
    runtime::{DecodeError, Json, read_str},
};

/// What has come for such a block.
#[derive(Clone, Default)]
pub(super) struct Opaque {
    text: String,
    thinking: String,
    signature: Option<String>,
    citations: Vec<Json>,
}

impl Opaque {
    pub(super) fn add(&mut self, delta: &ContentBlockDelta) -> Result<(), DecodeError> {
        match delta {
            ContentBlockDelta::TextDelta(delta) => self.text.push_str(&delta.text),
            ContentBlockDelta::ThinkingDelta(delta) => self.thinking.push_str(&delta.thinking),
            ContentBlockDelta::SignatureDelta(delta) => self.signature = Some(delta.signature.clone()),
            ContentBlockDelta::CitationsDelta(delta) => {
                if let Some(citation) = &delta.citation {
                    self.citations.push(Json::of(citation)?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The block with what has come for it; `None` when that is nothing.
    pub(super) fn put_into(self, object: &Json, input: Option<Json>) -> Result<Option<Json>, DecodeError> {
        let is_empty = self.text.is_empty() && self.thinking.is_empty() && self.citations.is_empty();
        if is_empty && self.signature.is_none() && input.is_none() {
            return Ok(None);
        }
        let mut members: Members = read_str(object.get())?;
        for (name, more) in [("text", self.text), ("thinking", self.thinking)] {
            if !more.is_empty() {
                let whole = match members.0.get(name) {
                    Some(first) => continued(first, &more)?,
                    None => Json::from(more),
                };
                members.0.insert(name.to_owned(), whole);
            }
        }
        if let Some(signature) = self.signature {
            members.0.insert("signature".to_owned(), Json::from(signature));
        }
        if !self.citations.is_empty() {
            let first: Option<Vec<Json>> =
                members.0.get("citations").map(|all| read_str(all.get())).transpose()?.unwrap_or_default();
            let all: Vec<Json> = first.into_iter().flatten().chain(self.citations).collect();
            members.0.insert("citations".to_owned(), Json::of(&all)?);
        }
        if let Some(input) = input {
            members.0.insert("input".to_owned(), input);
        }
        Json::of(&members).map(Some)
    }
}

/// A text that goes on. It is joined as JSON, so that what can't be a `String` stays as it was sent,
/// such as half a surrogate pair.
fn continued(first: &Json, more: &str) -> Result<Json, DecodeError> {
    let more = Json::from(more);
    match first.get().strip_suffix('"').zip(more.get().strip_prefix('"')) {
        Some((first, more)) => Json::parse(&format!("{first}{more}")),
        None => read_str::<Option<String>>(first.get()).map(|_| more),
    }
}
