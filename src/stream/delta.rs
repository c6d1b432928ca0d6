//! The deltas of text, read without a parser.

use std::sync::LazyLock;

use memchr::memchr2;

use crate::{
    generated::types::{
        ContentBlockDelta, ContentBlockDeltaInputJsonDelta, ContentBlockDeltaSignatureDelta,
        ContentBlockDeltaTextDelta, ContentBlockDeltaThinkingDelta, StreamEventContentBlockDelta,
    },
    json::{Empty, read_str},
};

/// Reads a delta that brings a piece of text and is written as the API writes it: these members and
/// no others, in this order, without spaces but at the end.
///
/// Nearly every event of a stream is one. `None` for every other way of writing one, which a parser
/// reads; what is read here a parser reads the same. That takes a contract whose deltas have these
/// members and need no others: with another one everything is left to the parser.
pub(super) fn read(data: &str) -> Option<StreamEventContentBlockDelta> {
    // A parser says what is wrong with these. Not `any`: a loop that stops early looks at byte by byte.
    if data.bytes().fold(false, |found, byte| found | (byte < b' ')) {
        return None;
    }
    let rest = data.strip_prefix(r#"{"type":"content_block_delta","index":"#)?;
    let (index, rest) = rest.split_once(',')?;
    let rest = rest.strip_prefix(r#""delta":{"type":""#)?;
    let (kind, rest) = KINDS.iter().find_map(|(kind, head)| Some((*kind, rest.strip_prefix(head)?)))?;
    let (text, rest) = string(rest)?;
    let rest = rest.strip_prefix('}')?.trim_start_matches(' ').strip_prefix('}')?;
    if !rest.trim_start_matches(' ').is_empty() {
        return None;
    }
    let empty = EMPTY_TEXT_DELTA.clone()?;
    Some(StreamEventContentBlockDelta { index: number(index)?, delta: kind.with(text), ..empty })
}

/// The delta to start from, where a parser reads every kind as it is read here.
///
/// Made once, since an empty union is free-form JSON, which takes memory; a copy of this one takes none.
static EMPTY_TEXT_DELTA: LazyLock<Option<StreamEventContentBlockDelta>> = LazyLock::new(|| {
    let empty = StreamEventContentBlockDelta { delta: Kind::Text.with(String::new()), ..Empty::empty() };
    let read_alike = KINDS.iter().all(|(kind, head)| {
        let data = format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"{head}"}}}}"#);
        let parsed = read_str::<StreamEventContentBlockDelta>(&data);
        parsed.is_ok_and(|parsed| parsed.index == 0 && parsed.delta == kind.with(String::new()))
    });
    read_alike.then_some(empty)
});

#[derive(Clone, Copy)]
enum Kind {
    Text,
    InputJson,
    Thinking,
    Signature,
}

/// What stands between the quotation mark before a delta's `type` and its text.
const KINDS: [(Kind, &str); 4] = [
    (Kind::Text, r#"text_delta","text":""#),
    (Kind::InputJson, r#"input_json_delta","partial_json":""#),
    (Kind::Thinking, r#"thinking_delta","thinking":""#),
    (Kind::Signature, r#"signature_delta","signature":""#),
];

impl Kind {
    fn with(self, text: String) -> ContentBlockDelta {
        match self {
            Self::Text => ContentBlockDelta::TextDelta(ContentBlockDeltaTextDelta { text, ..Empty::empty() }),
            Self::InputJson => ContentBlockDelta::InputJsonDelta(ContentBlockDeltaInputJsonDelta {
                partial_json: text,
                ..Empty::empty()
            }),
            Self::Thinking => {
                ContentBlockDelta::ThinkingDelta(ContentBlockDeltaThinkingDelta { thinking: text, ..Empty::empty() })
            }
            Self::Signature => {
                ContentBlockDelta::SignatureDelta(ContentBlockDeltaSignatureDelta { signature: text, ..Empty::empty() })
            }
        }
    }
}

/// A number as JSON writes those that are whole and not negative.
fn number(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

/// The string whose opening quotation mark was just before, and what follows its closing one.
/// `None` where it has an escape by number.
fn string(text: &str) -> Option<(String, &str)> {
    let (piece, mut rest) = text.split_at_checked(memchr2(b'"', b'\\', text.as_bytes())?)?;
    if let Some(rest) = rest.strip_prefix('"') {
        return Some((piece.to_owned(), rest));
    }
    // Little follows the string, so that this is about its length.
    let mut string = String::with_capacity(text.len());
    string.push_str(piece);
    while let Some(escape) = rest.strip_prefix('\\') {
        let mut characters = escape.chars();
        string.push(match characters.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            plain @ ('"' | '\\' | '/') => plain,
            _ => return None,
        });
        let escaped = characters.as_str();
        let (piece, next) = escaped.split_at_checked(memchr2(b'"', b'\\', escaped.as_bytes())?)?;
        string.push_str(piece);
        rest = next;
    }
    Some((string, rest.strip_prefix('"')?))
}
