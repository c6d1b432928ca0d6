//! A fast path that decodes text deltas without the JSON reader.

use std::sync::LazyLock;

use memchr::memchr2;

use crate::{
    generated::types::{
        ContentBlockDelta, ContentBlockDeltaInputJsonDelta, ContentBlockDeltaSignatureDelta,
        ContentBlockDeltaTextDelta, ContentBlockDeltaThinkingDelta, StreamEventContentBlockDelta,
    },
    json::{Empty, read_str},
};

/// Decodes a text delta that is written exactly like the API writes it: the same members in the same order, with spaces
/// only at the end. Returns `None` for any other data, which the JSON reader then decodes.
///
/// Almost every event of a stream takes this path. The result is the same as that of the JSON reader. If the crate is
/// generated from a contract whose deltas have other members, the function always returns `None`.
pub(super) fn decode(data: &str) -> Option<StreamEventContentBlockDelta> {
    // The JSON reader reports control characters. `fold` instead of `any`, since a loop without an early exit is vectorized.
    if data.bytes().fold(false, |found, byte| found | (byte < b' ')) {
        return None;
    }
    let rest = data.strip_prefix(r#"{"type":"content_block_delta","index":"#)?;
    let (index, rest) = rest.split_once(',')?;
    let rest = rest.strip_prefix(r#""delta":{"type":""#)?;
    let (kind, rest) = KINDS.iter().find_map(|(kind, head)| Some((*kind, rest.strip_prefix(head)?)))?;
    let (text, rest) = parse_string(rest)?;
    let rest = rest.strip_prefix('}')?.trim_start_matches(' ').strip_prefix('}')?;
    if !rest.trim_start_matches(' ').is_empty() {
        return None;
    }
    let empty = EMPTY_TEXT_DELTA.clone()?;
    Some(StreamEventContentBlockDelta { index: parse_index(index)?, delta: kind.with(text), ..empty })
}

/// An empty text delta, or `None` if the JSON reader decodes a delta differently than [`decode`].
///
/// It is created once because an empty union allocates, and a clone of this value doesn't.
static EMPTY_TEXT_DELTA: LazyLock<Option<StreamEventContentBlockDelta>> = LazyLock::new(|| {
    let empty = StreamEventContentBlockDelta { delta: DeltaKind::Text.with(String::new()), ..Empty::empty() };
    let read_alike = KINDS.iter().all(|(kind, head)| {
        let data = format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"{head}"}}}}"#);
        let parsed = read_str::<StreamEventContentBlockDelta>(&data);
        parsed.is_ok_and(|parsed| parsed.index == 0 && parsed.delta == kind.with(String::new()))
    });
    read_alike.then_some(empty)
});

#[derive(Clone, Copy)]
enum DeltaKind {
    Text,
    InputJson,
    Thinking,
    Signature,
}

/// The text between the quotation mark before the `type` of a delta and its text.
const KINDS: [(DeltaKind, &str); 4] = [
    (DeltaKind::Text, r#"text_delta","text":""#),
    (DeltaKind::InputJson, r#"input_json_delta","partial_json":""#),
    (DeltaKind::Thinking, r#"thinking_delta","thinking":""#),
    (DeltaKind::Signature, r#"signature_delta","signature":""#),
];

impl DeltaKind {
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

/// Parses a non-negative integer as JSON writes it.
fn parse_index(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

/// Parses a JSON string after its opening quotation mark, and returns it with the rest of the text. Returns `None` if the
/// string contains a `\u` escape.
fn parse_string(text: &str) -> Option<(String, &str)> {
    let (unescaped, mut rest) = text.split_at_checked(memchr2(b'"', b'\\', text.as_bytes())?)?;
    if let Some(rest) = rest.strip_prefix('"') {
        return Some((unescaped.to_owned(), rest));
    }
    // Little follows the string, so the length of the text is close to that of the string.
    let mut string = String::with_capacity(text.len());
    string.push_str(unescaped);
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
        let (unescaped, next) = escaped.split_at_checked(memchr2(b'"', b'\\', escaped.as_bytes())?)?;
        string.push_str(unescaped);
        rest = next;
    }
    Some((string, rest.strip_prefix('"')?))
}
