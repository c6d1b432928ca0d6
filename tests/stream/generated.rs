//! Replies made up at random, and the events that make them, cut at random.

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::Index,
    string::string_regex,
};
use serde_json::{Map, Value, json};

use crate::stream::transcripts::{close, open, stop};

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

/// What decides where a text is cut.
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

    /// Cuts a text, as JSON strings. A character outside of the basic plane may be cut in its halves.
    fn strings(&mut self, text: &str) -> Vec<String> {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut rest = units.as_slice();
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let mut length = 1 + self.index(rest.len().min(7));
            if !crate::HALVES && rest.get(length).is_some_and(|unit| (0xDC00..0xE000).contains(unit)) {
                length += 1;
            }
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

/// The events of one block, whose members arrive at its start or by deltas.
fn block_events(index: i64, block: &Value, cuts: &mut Cuts) -> Vec<String> {
    let mut first = block.clone();
    let mut deltas = Vec::new();
    let members = first.as_object_mut().unwrap();
    for (name, value) in block.as_object().unwrap() {
        let strings = |cuts: &mut Cuts| cuts.strings(value.as_str().unwrap());
        match (block["type"].as_str().unwrap(), name.as_str()) {
            (_, "type" | "id" | "name") => {}
            ("text", "text") | ("thinking", "thinking") => {
                members.insert(name.clone(), if cuts.flip() { Value::Null } else { json!("") });
                deltas.extend(strings(cuts).iter().map(|piece| delta(index, &format!("{name}_delta"), name, piece)));
            }
            ("thinking", "signature") => {
                members.remove(name);
                deltas.push(delta(index, "signature_delta", name, &value.to_string()));
            }
            ("text", "citations") => {
                members.insert(name.clone(), json!([]));
                let citations = value.as_array().unwrap().iter();
                deltas.extend(
                    citations.map(|citation| delta(index, "citations_delta", "citation", &citation.to_string())),
                );
            }
            ("tool_use" | "server_tool_use", "input") => {
                members.insert(name.clone(), if cuts.flip() { Value::Null } else { json!({}) });
                let pieces = cuts.strings(&value.to_string());
                deltas.extend(pieces.iter().map(|piece| delta(index, "input_json_delta", "partial_json", piece)));
            }
            // By deltas that nobody knows.
            _ => match value {
                Value::String(_) => {
                    if cuts.flip() {
                        members.insert(name.clone(), Value::Null);
                    } else {
                        members.remove(name);
                    }
                    let strings = strings(cuts);
                    if strings.is_empty() {
                        members.insert(name.clone(), json!(""));
                    }
                    deltas.extend(strings.iter().map(|piece| delta(index, "later_delta", name, piece)));
                }
                Value::Array(items) => {
                    members.insert(name.clone(), json!([]));
                    deltas.extend(items.iter().map(|item| delta(index, "later_delta", name, &format!("[{item}]"))));
                }
                value => {
                    members.remove(name);
                    deltas.push(delta(index, "later_delta", name, &value.to_string()));
                    deltas.push(delta(index, "later_delta", name, "null"));
                }
            },
        }
    }
    let start = open(index, first).to_string();
    std::iter::once(start).chain(deltas).chain([close(index).to_string()]).collect()
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
