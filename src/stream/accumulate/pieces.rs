//! Pieces of a text, which deltas may cut within a character.
//!
//! A server that cuts by UTF-16 sends half of a surrogate pair at the end of one delta and the other half at the start of
//! the next. Neither is a character, so a string has U+FFFD in its place. The text that was sent tells them apart.

use serde::{Deserialize, Serialize};

use crate::{
    generated::types::{ContentBlock, ContentBlockDelta, StreamEventContentBlockDelta, StreamEventContentBlockStart},
    json::{Json, Map, Reader, SplitString, read_str},
};

/// The texts that deltas bring piece by piece.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(super) enum TextKind {
    Text,
    Thinking,
    Input,
}

/// The first half of a surrogate pair, whose second one the next piece of the text may have.
#[derive(Clone, Copy, Deserialize, Serialize)]
pub(super) struct Half {
    pub(super) kind: TextKind,
    high: u16,
}

/// A piece of a text, joined to what was before.
pub(super) struct Joined {
    pub(super) text: String,
    /// The text has U+FFFD in place of a half that lost the other one.
    pub(super) is_broken: bool,
    pub(super) half: Option<Half>,
}

/// Returns the kind of text that a delta brings, and the text.
pub(super) fn text_of(delta: &ContentBlockDelta) -> Option<(TextKind, &str)> {
    match delta {
        ContentBlockDelta::TextDelta(delta) => Some((TextKind::Text, &delta.text)),
        ContentBlockDelta::ThinkingDelta(delta) => Some((TextKind::Thinking, &delta.thinking)),
        ContentBlockDelta::InputJsonDelta(delta) => Some((TextKind::Input, &delta.partial_json)),
        _ => None,
    }
}

/// Replaces the text that a delta brings.
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

/// Joins the text of a delta to the half that the delta before it ended with. `None` if it brings no text.
pub(super) fn join(before: Option<Half>, event: &StreamEventContentBlockDelta) -> Option<Joined> {
    let (kind, text) = text_of(&event.delta)?;
    let sent = event.extra.source().and_then(|source| sent_members(source.sent(), "delta")?.swap_remove(kind.member()));
    let joined = sent.and_then(|sent| join_string(before, kind, sent.get()));
    let whole = || SplitString { leading: None, text: text.into(), trailing: None };
    Some(joined.unwrap_or_else(|| join_split(before, kind, &whole(), false)))
}

/// Joins a JSON string to the half that the text before it ended with. `None` if it is no string.
pub(super) fn join_string(before: Option<Half>, kind: TextKind, json: &str) -> Option<Joined> {
    let mut reader = Reader::new(json);
    let split = reader.split_string().ok()?;
    Some(join_split(before, kind, &split, reader.has_lone_surrogate()))
}

fn join_split(before: Option<Half>, kind: TextKind, split: &SplitString<'_>, is_broken: bool) -> Joined {
    let (leading, piece, trailing) = (split.leading, &*split.text, split.trailing);
    let mut joined = Joined { text: String::new(), is_broken, half: None };
    let before = before.filter(|half| half.kind == kind);
    if leading.is_none() && piece.is_empty() && trailing.is_none() {
        joined.half = before;
        return joined;
    }
    match (before, leading) {
        (None, None) => {}
        (Some(half), Some(low)) => joined.text.extend(char::decode_utf16([half.high, low]).flatten()),
        // One of them is alone.
        _ => {
            joined.text.push(char::REPLACEMENT_CHARACTER);
            joined.is_broken = true;
        }
    }
    joined.text.push_str(piece);
    joined.half = trailing.map(|high| Half { kind, high });
    joined
}

/// The members of an object, the delta or the block, in the data of an event.
pub(super) fn sent_members(data: &str, object: &str) -> Option<Map<Json>> {
    let mut event: Map<Json> = read_str(data).ok()?;
    read_str(event.swap_remove(object)?.get()).ok()
}

/// Replaces the text that a block begins with.
pub(super) fn set_begun(content: &mut ContentBlock, text: String) {
    match content {
        ContentBlock::Text(block) => block.text = text,
        ContentBlock::Thinking(block) => block.thinking = text,
        _ => {}
    }
}

/// Takes half of a character from the end of the text that a block begins with. Returns whether there was one.
pub(crate) fn split_begun(event: &mut StreamEventContentBlockStart) -> bool {
    let kind = match &event.content_block {
        ContentBlock::Text(_) => TextKind::Text,
        ContentBlock::Thinking(_) => TextKind::Thinking,
        _ => return false,
    };
    let sent = event.extra.source().and_then(|source| sent_members(source.sent(), "content_block"));
    let text = sent.and_then(|mut sent| sent.swap_remove(kind.member()));
    let joined = text.and_then(|text| join_string(None, kind, text.get())).filter(|joined| joined.half.is_some());
    joined.map(|joined| set_begun(&mut event.content_block, joined.text)).is_some()
}
