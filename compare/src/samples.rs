//! The replies and streams that are read.

use std::fmt::Write;

use bytes::Bytes;
use serde_json::{Value, json};

const WORDS: [&str; 24] = [
    "the", " river", " was", " low", " that", " spring", ",", " and", " nobody", " in", " town", " could", " say",
    " why", ".\n", " A", " \"dry\"", " year", " —", " again", "?", " Bridges", " stood", " bare",
];

/// A text of about this many bytes.
fn prose(bytes: usize, seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut text = String::new();
    while text.len() < bytes {
        text.push_str(WORDS[random.usize(..WORDS.len())]);
    }
    text
}

fn signature(bytes: usize, seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.alphanumeric()).take(bytes).collect()
}

/// A reply as most are, of about 3 KB: thinking, text and a tool call.
pub fn typical_reply() -> String {
    reply(&[thinking(700, 1), text(1000, 2), tool_use(3)])
}

/// A reply of about 200 KB with 50 blocks, a part of them with citations.
pub fn large_reply() -> String {
    let blocks: Vec<Value> = (0..50)
        .map(|index| match index % 5 {
            0 => thinking(4500, index),
            1 => tool_use_of(4500, index),
            2 => cited(4500, index),
            _ => text(4500, index),
        })
        .collect();
    reply(&blocks)
}

fn reply(content: &[Value]) -> String {
    // The order of members is that of the API, in which a block's `type` comes first.
    format!(
        r#"{{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-sonnet-5","content":[{}],"stop_reason":"tool_use","stop_sequence":null,"usage":{}}}"#,
        content.iter().map(type_first).collect::<Vec<_>>().join(","),
        json!({
            "input_tokens": 2095, "output_tokens": 503, "cache_creation_input_tokens": 248,
            "cache_read_input_tokens": 1800, "service_tier": "standard",
            "cache_creation": {"ephemeral_5m_input_tokens": 248, "ephemeral_1h_input_tokens": 0},
            "server_tool_use": {"web_search_requests": 0},
        })
    )
}

/// JSON text in which the `type` of each object comes first, as the API writes it.
fn type_first(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name != "type");
            let members = members.iter().map(|(name, value)| format!("{}:{}", json!(name), type_first(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(type_first).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

fn text(bytes: usize, seed: u64) -> Value {
    json!({"type": "text", "text": prose(bytes, seed)})
}

fn cited(bytes: usize, seed: u64) -> Value {
    let citations: Vec<Value> = (0..3)
        .map(|index| {
            json!({
                "type": "char_location", "cited_text": prose(120, seed + index), "document_index": index,
                "document_title": "River levels", "start_char_index": 100, "end_char_index": 220,
            })
        })
        .collect();
    json!({"type": "text", "text": prose(bytes - 900, seed), "citations": citations})
}

fn thinking(bytes: usize, seed: u64) -> Value {
    json!({"type": "thinking", "thinking": prose(bytes - 300, seed), "signature": signature(300, seed)})
}

fn tool_use(seed: u64) -> Value {
    json!({
        "type": "tool_use", "id": "toolu_01D7FLrfh4GYq7yT1ULFeyMV", "name": "get_weather",
        "input": {
            "location": "San Francisco, CA", "unit": "celsius", "days": 3, "fields": ["wind", "rain", "sun"],
            "note": prose(120, seed),
        },
    })
}

fn tool_use_of(bytes: usize, seed: u64) -> Value {
    json!({
        "type": "tool_use", "id": "toolu_01D7FLrfh4GYq7yT1ULFeyMV", "name": "write_file",
        "input": {"path": "notes/river.md", "overwrite": true, "text": prose(bytes - 100, seed)},
    })
}

/// The events of a reply, each as the text of a server-sent event: about `count` in all, in blocks
/// of 100 deltas that are text, thinking and tool input in turn.
pub fn events(count: usize) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut events = vec![
        event(
            "message_start",
            r#""message":{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-sonnet-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1}}"#,
        ),
        event("ping", ""),
    ];
    for index in 0..count / 102 {
        let (start, delta, member) = match index % 3 {
            0 => (r#"{"type":"text","text":""}"#, "text_delta", "text"),
            1 => (r#"{"type":"thinking","thinking":"","signature":""}"#, "thinking_delta", "thinking"),
            _ => (
                r#"{"type":"tool_use","id":"toolu_01D7FLrfh4GYq7yT1ULFeyMV","name":"write_file","input":{}}"#,
                "input_json_delta",
                "partial_json",
            ),
        };
        events.push(event("content_block_start", &format!(r#""index":{index},"content_block":{start}"#)));
        for position in 0..100 {
            let words: String = (0..random.usize(1..=4)).map(|_| WORDS[random.usize(..WORDS.len())]).collect();
            let piece = match (index % 3, position) {
                (2, 0) => "{\"path\": \"notes/river.md\", \"text\": \"".to_owned(),
                (2, 99) => "\"}".to_owned(),
                (2, _) => words.replace('"', "\\\"").replace('\n', "\\n"),
                _ => words,
            };
            events.push(event(
                "content_block_delta",
                &format!(r#""index":{index},"delta":{{"type":"{delta}","{member}":{}}}"#, Value::from(piece)),
            ));
        }
        events.push(event("content_block_stop", &format!(r#""index":{index}"#)));
    }
    events.push(event(
        "message_delta",
        r#""delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}"#,
    ));
    events.push(event("message_stop", ""));
    events
}

fn event(kind: &str, members: &str) -> String {
    let mut text = format!("event: {kind}\ndata: {{\"type\":\"{kind}\"");
    if !members.is_empty() {
        text.push(',');
    }
    write!(text, "{members}}}\n\n").expect("a string takes all");
    text
}

/// The chunks that a body is cut into.
#[derive(Clone, Copy)]
pub enum Cut {
    EventByEvent,
    Chunks(usize),
    Randomly,
}

pub fn cut(events: &[String], how: Cut) -> Vec<Bytes> {
    match how {
        Cut::EventByEvent => events.iter().map(|event| Bytes::copy_from_slice(event.as_bytes())).collect(),
        Cut::Chunks(size) => events.concat().as_bytes().chunks(size).map(Bytes::copy_from_slice).collect(),
        Cut::Randomly => {
            let body = events.concat();
            let mut rest = body.as_bytes();
            let mut random = fastrand::Rng::with_seed(11);
            let mut chunks = Vec::new();
            while !rest.is_empty() {
                let (head, tail) = rest.split_at(random.usize(1..=400).min(rest.len()));
                chunks.push(Bytes::copy_from_slice(head));
                rest = tail;
            }
            chunks
        }
    }
}
