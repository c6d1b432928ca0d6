//! Generates random replies and their events, split at random.

use std::collections::VecDeque;

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::Index,
    string::string_regex,
};
use serde_json::{Map, Value, json};

use crate::stream::transcripts::{close, stop};

/// A reply as it is read whole, and as a stream of events.
#[derive(Clone, Debug)]
pub(crate) struct Generated {
    pub(crate) message: Value,
    /// The data of the events.
    pub(crate) events: Vec<String>,
    /// Lengths of the chunks that the bytes arrive in.
    pub(crate) chunks: Vec<usize>,
}

impl Generated {
    pub(crate) fn wire(&self) -> String {
        let name = |data: &str| serde_json::from_str::<Value>(data).ok()?.get("type")?.as_str().map(str::to_owned);
        let event = |data: &String| format!("event: {}\ndata: {data}\n\n", name(data).unwrap_or_default());
        self.events.iter().map(event).collect()
    }

    pub(crate) fn pieces(&self) -> Vec<Vec<u8>> {
        let mut bytes = self.wire().into_bytes();
        let mut pieces = Vec::new();
        for length in self.chunks.iter().cycle() {
            if bytes.is_empty() {
                break;
            }
            let rest = bytes.split_off((*length).min(bytes.len()));
            pieces.push(std::mem::replace(&mut bytes, rest));
        }
        pieces
    }
}

pub(crate) fn generated() -> impl Strategy<Value = Generated> {
    let head = (vec(block(), 0..5), reason(), usage(), members(), vec(1..200_usize, 1..8), cuts(), any::<bool>());
    head.prop_map(|(blocks, reason, usage, members, chunks, cuts, has_ping)| {
        let mut cuts = Cuts { indices: cuts, next: 0 };
        let mut message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5"});
        let mut first = message.clone();
        first["content"] = json!([]);
        let mut last = json!({"type": "message_delta", "delta": {"stop_reason": reason}});
        message["stop_reason"] = json!(reason);
        for (name, value) in &members {
            message[name] = value.clone();
            // Known from the beginning, or at the end.
            let holder = if cuts.flip() { &mut first } else { &mut last["delta"] };
            holder[name] = value.clone();
        }
        if let Some(usage) = &usage {
            message["usage"] = usage.clone();
            let members = usage.as_object().unwrap();
            let (early, late): (Map<_, _>, Map<_, _>) = members.clone().into_iter().partition(|_| cuts.flip());
            if !early.is_empty() || late.is_empty() {
                first["usage"] = Value::Object(early);
            }
            if !late.is_empty() || cuts.flip() {
                last["usage"] = Value::Object(late);
            }
        }
        let mut events = vec![json!({"type": "message_start", "message": first}).to_string()];
        if has_ping {
            events.push(json!({"type": "ping"}).to_string());
        }
        for (index, block) in (0..).zip(&blocks) {
            events.extend(block_events(index, block, &mut cuts));
        }
        message["content"] = Value::Array(blocks);
        events.push(last.to_string());
        events.push(stop().to_string());
        Generated { message, events, chunks }
    })
}

/// The rule for cutting a text.
struct Cuts {
    indices: Vec<Index>,
    next: usize,
}

impl Cuts {
    fn index(&mut self, bound: usize) -> usize {
        self.next += 1;
        self.indices[self.next % self.indices.len()].index(bound)
    }

    fn flip(&mut self) -> bool {
        self.index(2) == 0
    }

    /// Cuts a text in what its block begins with, which most often is nothing, and pieces. All are JSON strings. A
    /// character outside of the basic plane may be cut in its halves.
    fn begun(&mut self, text: &str) -> (String, Vec<String>) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let length = if self.index(3) == 0 { self.index(units.len() + 1) } else { 0 };
        let (first, rest) = units.split_at(length);
        (json_string(first), self.strings(rest))
    }

    /// Puts pieces of several members in one order, in which those of each member keep theirs.
    fn interleaved(&mut self, members: Vec<Vec<String>>) -> Vec<String> {
        let mut waiting: Vec<_> = members.into_iter().map(VecDeque::from).collect();
        let mut pieces = Vec::new();
        loop {
            waiting.retain(|member| !member.is_empty());
            if waiting.is_empty() {
                return pieces;
            }
            let next = self.index(waiting.len());
            pieces.extend(waiting[next].pop_front());
        }
    }

    /// Cuts a text, as JSON strings.
    fn strings(&mut self, mut rest: &[u16]) -> Vec<String> {
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let length = 1 + self.index(rest.len().min(7));
            let (piece, after) = rest.split_at(length);
            pieces.push(json_string(piece));
            rest = after;
        }
        pieces
    }
}

/// A JSON string of UTF-16, whose lone surrogates are escapes.
fn json_string(units: &[u16]) -> String {
    let mut string = "\"".to_owned();
    for character in char::decode_utf16(units.iter().copied()) {
        match character {
            Ok(character) => {
                let quoted = Value::from(character.to_string()).to_string();
                string.push_str(quoted.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"')).unwrap());
            }
            Err(half) => string.push_str(&format!("\\u{:04x}", half.unpaired_surrogate())),
        }
    }
    string + "\""
}

fn delta(index: i64, kind: &str, member: &str, json: &str) -> String {
    format!(r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{member}":{json}}}}}"#)
}

/// The events of one block, whose members arrive at its start, by deltas, or by both.
fn block_events(index: i64, block: &Value, cuts: &mut Cuts) -> Vec<String> {
    // The members of the start, as JSON, and the deltas of each member.
    let mut first: Vec<(&str, String)> = Vec::new();
    let mut deltas: Vec<Vec<String>> = Vec::new();
    let kind = block["type"].as_str().unwrap();
    for (name, value) in block.as_object().unwrap() {
        let name = name.as_str();
        // A kind that nobody knows is merged as the others are.
        let known = |cuts: &mut Cuts, known: &'static str| if cuts.index(4) == 0 { "later_delta" } else { known };
        match (kind, name) {
            (_, "type" | "id" | "name") => first.push((name, value.to_string())),
            ("text", "text") | ("thinking", "thinking") => {
                let (begun, pieces) = cuts.begun(value.as_str().unwrap());
                let is_null = begun == "\"\"" && cuts.flip();
                first.push((name, if is_null { "null".to_owned() } else { begun }));
                let usual = if name == "text" { "text_delta" } else { "thinking_delta" };
                deltas.push(pieces.iter().map(|piece| delta(index, known(cuts, usual), name, piece)).collect());
            }
            ("thinking", "signature") => {
                deltas.push(vec![delta(index, known(cuts, "signature_delta"), name, &value.to_string())]);
            }
            ("text", "citations") => {
                let citations = value.as_array().unwrap();
                let (begun, rest) = citations.split_at(cuts.index(citations.len() + 1));
                first.push((name, json!(begun).to_string()));
                let citations = rest.iter().map(|citation| match known(cuts, "citations_delta") {
                    "later_delta" => delta(index, "later_delta", name, &format!("[{citation}]")),
                    usual => delta(index, usual, "citation", &citation.to_string()),
                });
                deltas.push(citations.collect());
            }
            ("tool_use" | "server_tool_use", "input") => {
                first.push((name, if cuts.flip() { "null" } else { "{}" }.to_owned()));
                let input = value.to_string();
                deltas.push(if known(cuts, "input_json_delta") == "later_delta" {
                    vec![delta(index, "later_delta", name, &input)]
                } else {
                    let pieces = cuts.strings(&input.encode_utf16().collect::<Vec<_>>());
                    pieces.iter().map(|piece| delta(index, "input_json_delta", "partial_json", piece)).collect()
                });
            }
            // By deltas that nobody knows.
            _ => match value {
                Value::String(text) => {
                    let (begun, pieces) = cuts.begun(text);
                    match (begun == "\"\"" && !pieces.is_empty(), cuts.index(3)) {
                        (true, 0) => {}
                        (true, 1) => first.push((name, "null".to_owned())),
                        _ => first.push((name, begun)),
                    }
                    deltas.push(pieces.iter().map(|piece| delta(index, "later_delta", name, piece)).collect());
                }
                Value::Array(items) => {
                    let (begun, rest) = items.split_at(cuts.index(items.len() + 1));
                    first.push((name, json!(begun).to_string()));
                    deltas.push(
                        rest.iter().map(|item| delta(index, "later_delta", name, &format!("[{item}]"))).collect(),
                    );
                }
                value => {
                    let pieces = [value.to_string(), "null".to_owned()];
                    deltas.push(pieces.iter().map(|piece| delta(index, "later_delta", name, piece)).collect());
                }
            },
        }
    }
    let first: Vec<String> = first.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
    let content = first.join(",");
    let start = format!(r#"{{"type":"content_block_start","index":{index},"content_block":{{{content}}}}}"#);
    std::iter::once(start).chain(cuts.interleaved(deltas)).chain([close(index).to_string()]).collect()
}

fn block() -> impl Strategy<Value = Value> {
    let citation = text().prop_map(|text| json!({"type": "page_location", "cited_text": text}));
    prop_oneof![
        (text(), vec(citation, 0..3), members()).prop_map(|(text, citations, members)| {
            let mut block = with(json!({"type": "text", "text": text}), members);
            if !citations.is_empty() {
                block["citations"] = json!(citations);
            }
            block
        }),
        (text(), "[a-z]{0,9}")
            .prop_map(|(text, signature)| { json!({"type": "thinking", "thinking": text, "signature": signature}) }),
        (members(), members()).prop_map(|(input, members)| {
            with(json!({"type": "tool_use", "id": "toolu_1", "name": "t", "input": with(json!({}), input)}), members)
        }),
        members().prop_map(|input| {
            json!({"type": "server_tool_use", "id": "s_1", "name": "web_search", "input": with(json!({}), input)})
        }),
        (text(), members()).prop_map(|(text, members)| with(json!({"type": "song", "text": text}), members)),
        text().prop_map(|text| json!({"type": "compaction", "content": text, "encrypted_content": "x"})),
        text().prop_map(|text| json!({"type": "redacted_thinking", "data": text})),
    ]
}

fn with(mut value: Value, members: Vec<(String, Value)>) -> Value {
    for (name, member) in members {
        value[name] = member;
    }
    value
}

/// Members that no type has.
fn members() -> impl Strategy<Value = Vec<(String, Value)>> {
    let value = prop_oneof![
        text().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        vec(text(), 0..3).prop_map(|items| json!(items)),
        text().prop_map(|text| json!({"deep": [text]})),
    ];
    btree_map("x_[a-e]", value, 0..4).prop_map(|members| members.into_iter().collect())
}

fn text() -> impl Strategy<Value = String> {
    string_regex("[ -~é漢🦀👋\\n\"\\\\]{0,12}").unwrap()
}

fn reason() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["end_turn", "tool_use", "max_tokens", "refusal", "later_reason"])
}

fn usage() -> impl Strategy<Value = Option<Value>> {
    let count = |name: &'static str| prop::option::of(0..1_000_i64).prop_map(move |count| (name, count));
    let counts = (
        count("input_tokens"),
        count("output_tokens"),
        count("cache_read_input_tokens"),
        count("later_tokens"),
        prop::option::of(Just(json!({}))),
    );
    prop::option::of(counts.prop_map(|(a, b, c, d, creation)| {
        let mut usage = json!({});
        for (name, count) in [a, b, c, d] {
            if let Some(count) = count {
                usage[name] = json!(count);
            }
        }
        if let Some(creation) = creation {
            usage["cache_creation"] = creation;
        }
        usage
    }))
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 32)
}
