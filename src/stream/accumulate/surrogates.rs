//! Surrogate pairs that are split between two deltas.
//!
//! A server that splits text by UTF-16 code units can end a delta with the high surrogate of a pair and begin the next one
//! with the low surrogate. Neither is a character, so a Rust string has U+FFFD in its place. The JSON text of the event
//! still has the surrogate.

use serde::{Deserialize, Serialize};

use crate::{
    generated::types::{ContentBlock, ContentBlockDelta, StreamEventContentBlockDelta, StreamEventContentBlockStart},
    json::{Json, Map, Reader, StringPiece, read_str},
};

/// The kinds of text that deltas append to.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(super) enum TextKind {
    Text,
    Thinking,
    Input,
}

/// The high surrogate that a text ends with. The next delta may begin with the low surrogate.
#[derive(Clone, Copy, Deserialize, Serialize)]
pub(super) struct HighSurrogate {
    pub(super) kind: TextKind,
    unit: u16,
}

/// The text of a delta, joined to the high surrogate before it.
pub(super) struct JoinedText {
    pub(super) text: String,
    /// The text has U+FFFD in place of an unpaired surrogate.
    pub(super) is_lossy: bool,
    /// The high surrogate that the text ends with, which is not part of `text`.
    pub(super) trailing: Option<HighSurrogate>,
}

/// Returns the text of a delta and its kind.
pub(super) fn text_of(delta: &ContentBlockDelta) -> Option<(TextKind, &str)> {
    match delta {
        ContentBlockDelta::TextDelta(delta) => Some((TextKind::Text, &delta.text)),
        ContentBlockDelta::ThinkingDelta(delta) => Some((TextKind::Thinking, &delta.thinking)),
        ContentBlockDelta::InputJsonDelta(delta) => Some((TextKind::Input, &delta.partial_json)),
        _ => None,
    }
}

/// Replaces the text of a delta.
pub(crate) fn set_text(delta: &mut ContentBlockDelta, text: String) {
    match delta {
        ContentBlockDelta::TextDelta(delta) => delta.text = text,
        ContentBlockDelta::ThinkingDelta(delta) => delta.thinking = text,
        ContentBlockDelta::InputJsonDelta(delta) => delta.partial_json = text,
        _ => {}
    }
}

impl TextKind {
    fn member(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Thinking => "thinking",
            Self::Input => "partial_json",
        }
    }
}

/// Joins the text of a delta to the high surrogate before it. Returns `None` if the delta has no text.
pub(super) fn join_delta(before: Option<HighSurrogate>, event: &StreamEventContentBlockDelta) -> Option<JoinedText> {
    let (kind, text) = text_of(&event.delta)?;
    let json = event.extra.source().and_then(|source| members_of(source.sent(), "delta")?.swap_remove(kind.member()));
    let joined = json.and_then(|json| join_json(before, kind, json.as_str()));
    let unsplit = || StringPiece { leading: None, text: text.into(), trailing: None };
    Some(joined.unwrap_or_else(|| join_split(before, kind, &unsplit(), false)))
}

/// Joins a JSON string to the high surrogate before it. Returns `None` if the JSON isn't a string.
pub(super) fn join_json(before: Option<HighSurrogate>, kind: TextKind, json: &str) -> Option<JoinedText> {
    let mut reader = Reader::new(json);
    let split = reader.string_piece().ok()?;
    Some(join_split(before, kind, &split, reader.has_lone_surrogate()))
}

fn join_split(before: Option<HighSurrogate>, kind: TextKind, split: &StringPiece<'_>, is_lossy: bool) -> JoinedText {
    let (leading, middle, trailing) = (split.leading, &*split.text, split.trailing);
    let mut joined = JoinedText { text: String::new(), is_lossy, trailing: None };
    let before = before.filter(|before| before.kind == kind);
    if leading.is_none() && middle.is_empty() && trailing.is_none() {
        joined.trailing = before;
        return joined;
    }
    match (before, leading) {
        (None, None) => {}
        (Some(high), Some(low)) => joined.text.extend(char::decode_utf16([high.unit, low]).flatten()),
        // The surrogate is unpaired.
        _ => {
            joined.text.push(char::REPLACEMENT_CHARACTER);
            joined.is_lossy = true;
        }
    }
    joined.text.push_str(middle);
    joined.trailing = trailing.map(|unit| HighSurrogate { kind, unit });
    joined
}

/// Returns the members of an object in the data of an event, which is the delta or the block.
pub(super) fn members_of(data: &str, object: &str) -> Option<Map<Json>> {
    let mut event: Map<Json> = read_str(data).ok()?;
    read_str(event.swap_remove(object)?.as_str()).ok()
}

/// Replaces the text of a `content_block_start`.
pub(super) fn set_initial_text(content: &mut ContentBlock, text: String) {
    match content {
        ContentBlock::Text(block) => block.text = text,
        ContentBlock::Thinking(block) => block.thinking = text,
        _ => {}
    }
}

/// Removes a high surrogate from the end of the text of a `content_block_start`. Returns `true` if there was one.
pub(crate) fn split_initial_text(event: &mut StreamEventContentBlockStart) -> bool {
    let kind = match &event.content_block {
        ContentBlock::Text(_) => TextKind::Text,
        ContentBlock::Thinking(_) => TextKind::Thinking,
        _ => return false,
    };
    let members = event.extra.source().and_then(|source| members_of(source.sent(), "content_block"));
    let text = members.and_then(|mut members| members.swap_remove(kind.member()));
    let joined = text.and_then(|text| join_json(None, kind, text.as_str())).filter(|joined| joined.trailing.is_some());
    joined.map(|joined| set_initial_text(&mut event.content_block, joined.text)).is_some()
}
