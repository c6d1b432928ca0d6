//! Messages as server-sent events, and events as the message they describe.
//!
//! Reassembly doesn't use the client's accumulator, so that tests check one against the other.

use std::collections::BTreeMap;

use serde_json::json;
use serde_json::value::RawValue;

use crate::object::{JsonObject, raw};

/// A server-sent event: a name, and a JSON object as data.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: JsonObject,
}

impl Event {
    /// Creates an event named after the `type` of its data, as in the API.
    pub(crate) fn new(data: JsonObject) -> Self {
        Self { name: data.text("type").unwrap_or_else(|| "message".to_owned()), data }
    }

    fn with_fields(kind: &str, fields: &[(&str, &RawValue)]) -> Self {
        let mut data = JsonObject::default();
        data.set("type", kind);
        for (name, value) in fields {
            data.set(name, *value);
        }
        Self { name: kind.to_owned(), data }
    }

    /// Returns the event as it is sent. A value written over several lines takes several `data` lines.
    pub(crate) fn to_wire(&self) -> String {
        let data = self.data.to_raw().get().replace('\r', " ").replace('\n', "\ndata: ");
        format!("event: {}\ndata: {data}\n\n", self.name)
    }
}

/// The fields of `usage` that `message_delta` repeats with their final values.
const FINAL_USAGE: [&str; 6] = [
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
];

/// The fields of a message that are known only at its end.
const FINAL_FIELDS: [&str; 4] = ["stop_reason", "stop_sequence", "stop_details", "container"];

/// Splits a message into events. No delta has more than `delta_length` characters.
pub(crate) fn from_message(message: &JsonObject, delta_length: usize) -> Vec<Event> {
    let blocks: Vec<JsonObject> = message.decoded("content").unwrap_or_default();
    let usage: JsonObject = message.decoded("usage").unwrap_or_default();
    let mut events = vec![Event::with_fields("message_start", &[("message", &at_start(message, &usage).to_raw())])];
    if blocks.is_empty() {
        events.push(Event::with_fields("ping", &[]));
    }
    for (index, block) in blocks.into_iter().enumerate() {
        let index_json = raw(&index);
        let (start, deltas) = split_block(block, delta_length);
        events.push(Event::with_fields(
            "content_block_start",
            &[("index", &index_json), ("content_block", &start.to_raw())],
        ));
        if index == 0 {
            events.push(Event::with_fields("ping", &[]));
        }
        for delta in deltas {
            events.push(Event::with_fields("content_block_delta", &[("index", &index_json), ("delta", &delta)]));
        }
        events.push(Event::with_fields("content_block_stop", &[("index", &index_json)]));
    }
    let (delta, usage) = (pick(message, &FINAL_FIELDS), pick(&usage, &FINAL_USAGE));
    events.push(Event::with_fields("message_delta", &[("delta", &delta.to_raw()), ("usage", &usage.to_raw())]));
    events.push(Event::with_fields("message_stop", &[]));
    events
}

/// Returns the message as `message_start` has it.
fn at_start(message: &JsonObject, usage: &JsonObject) -> JsonObject {
    let mut start = message.clone();
    start.set("content", &json!([]));
    start.set("stop_reason", &json!(null));
    start.set("stop_sequence", &json!(null));
    start.remove("stop_details");
    start.remove("container");
    let mut usage = usage.clone();
    usage.set("output_tokens", &1);
    start.set("usage", &usage);
    start
}

/// Returns the block as `content_block_start` has it, and the deltas that complete it.
fn split_block(mut block: JsonObject, delta_length: usize) -> (JsonObject, Vec<Box<RawValue>>) {
    let mut deltas = Vec::new();
    match block.text("type").as_deref() {
        Some("text") => {
            deltas.extend(text_deltas(&mut block, "text", "text_delta", delta_length));
            if let Some(citations) = block.decoded::<Vec<Box<RawValue>>>("citations") {
                block.set("citations", &json!([]));
                deltas.extend(citations.iter().map(|citation| delta("citations_delta", "citation", citation)));
            }
        }
        Some("thinking") => {
            deltas.extend(text_deltas(&mut block, "thinking", "thinking_delta", delta_length));
            if let Some(signature) = block.remove("signature") {
                block.set("signature", "");
                deltas.push(delta("signature_delta", "signature", &signature));
            }
        }
        Some("tool_use" | "server_tool_use") => {
            if let Some(input) = block.get("input").map(|input| input.get().to_owned()) {
                block.set("input", &json!({}));
                deltas.push(delta("input_json_delta", "partial_json", &raw("")));
                let fragments = if input == "{}" { Vec::new() } else { pieces(&input, delta_length) };
                deltas.extend(fragments.iter().map(|piece| delta("input_json_delta", "partial_json", &raw(piece))));
            }
        }
        // Every other block is complete in `content_block_start`.
        _ => {}
    }
    (block, deltas)
}

/// Empties a text field and returns its text as deltas.
fn text_deltas(block: &mut JsonObject, field: &str, kind: &str, length: usize) -> Vec<Box<RawValue>> {
    let text = block.text(field).unwrap_or_default();
    block.set(field, "");
    pieces(&text, length).iter().map(|piece| delta(kind, field, &raw(piece))).collect()
}

fn delta(kind: &str, field: &str, value: &RawValue) -> Box<RawValue> {
    let mut delta = JsonObject::default();
    delta.set("type", kind);
    delta.set(field, value);
    delta.to_raw()
}

fn pieces(text: &str, length: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(length.max(1)).map(|piece| piece.iter().collect()).collect()
}

fn pick(object: &JsonObject, names: &[&str]) -> JsonObject {
    let mut picked = JsonObject::default();
    for name in names {
        if let Some(value) = object.get(name) {
            picked.set(name, value);
        }
    }
    picked
}

/// Reassembles a message from its events. Ignores events that aren't part of a message, such as `ping`. A stream that
/// stops early yields the message so far.
///
/// # Errors
///
/// Fails if `message_start` is missing or a delta belongs to no block.
pub(crate) fn into_message(events: &[Event]) -> Result<JsonObject, String> {
    let mut message: Option<JsonObject> = None;
    let mut blocks: BTreeMap<u64, PartialBlock> = BTreeMap::new();
    for event in events {
        match event.name.as_str() {
            "message_start" => message = event.data.decoded("message"),
            "content_block_start" => {
                let start: JsonObject = event.data.decoded("content_block").unwrap_or_default();
                // A fallback continues the message with another model.
                let model = start.decoded::<JsonObject>("to").and_then(|to| to.text("model"));
                if let (Some("fallback"), Some(model), Some(message)) =
                    (start.text("type").as_deref(), model, message.as_mut())
                {
                    message.set("model", &model);
                }
                blocks.insert(index(event), PartialBlock { start, ..PartialBlock::default() });
            }
            "content_block_delta" => {
                let index = index(event);
                let block = blocks
                    .get_mut(&index)
                    .ok_or_else(|| format!("a delta belongs to block {index}, which is not open"))?;
                block.add(&event.data.decoded("delta").unwrap_or_default());
            }
            "message_delta" => {
                let message = message.as_mut().ok_or(NO_START)?;
                merge(message, &event.data.decoded("delta").unwrap_or_default());
                for (name, value) in event.data.iter().filter(|(name, _)| !["type", "delta", "usage"].contains(name)) {
                    set(message, name, value);
                }
                let mut usage: JsonObject = message.decoded("usage").unwrap_or_default();
                merge(&mut usage, &event.data.decoded("usage").unwrap_or_default());
                message.set("usage", &usage);
            }
            _ => {}
        }
    }
    let mut message = message.ok_or(NO_START)?;
    let content: Vec<JsonObject> = blocks.into_values().map(PartialBlock::finish).collect();
    message.set("content", &content);
    Ok(message)
}

const NO_START: &str = "message_start is missing or late";

/// A block that isn't complete yet.
#[derive(Default)]
struct PartialBlock {
    start: JsonObject,
    text: String,
    thinking: String,
    signature: Option<Box<RawValue>>,
    citations: Vec<Box<RawValue>>,
    input: String,
}

impl PartialBlock {
    fn add(&mut self, delta: &JsonObject) {
        let text = |field: &str| delta.text(field).unwrap_or_default();
        match delta.text("type").as_deref() {
            Some("text_delta") => self.text.push_str(&text("text")),
            Some("thinking_delta") => self.thinking.push_str(&text("thinking")),
            Some("input_json_delta") => self.input.push_str(&text("partial_json")),
            Some("signature_delta") => self.signature = delta.decoded("signature"),
            Some("citations_delta") => self.citations.extend(delta.decoded::<Box<RawValue>>("citation")),
            _ => self.merge(delta),
        }
    }

    /// Applies a delta of another kind: appends strings, extends arrays and sets the rest. A null never overwrites a value.
    fn merge(&mut self, delta: &JsonObject) {
        for (name, value) in delta.iter().filter(|(name, _)| *name != "type") {
            let before = self.start.get(name).map_or("null", RawValue::get).to_owned();
            match (json_type(&before), json_type(value.get())) {
                (b'"', b'"') => {
                    let more = delta.text(name).unwrap_or_default();
                    append_text(&mut self.start, name, &more);
                }
                (b'[', b'[') => {
                    let mut items: Vec<Box<RawValue>> = self.start.decoded(name).unwrap_or_default();
                    items.extend(delta.decoded::<Vec<Box<RawValue>>>(name).unwrap_or_default());
                    self.start.set(name, &items);
                }
                (b'n', _) => self.start.set(name, value),
                (before, value_type) if before == value_type => self.start.set(name, value),
                _ => {}
            }
        }
    }

    fn finish(mut self) -> JsonObject {
        append_text(&mut self.start, "text", &self.text);
        append_text(&mut self.start, "thinking", &self.thinking);
        if let Some(signature) = self.signature {
            self.start.set("signature", &signature);
        }
        if !self.citations.is_empty() {
            let mut citations: Vec<Box<RawValue>> = self.start.decoded("citations").unwrap_or_default();
            citations.extend(self.citations);
            self.start.set("citations", &citations);
        }
        // Keep the input of `content_block_start` if the deltas don't add up to JSON.
        if let Ok(input) = serde_json::from_str::<Box<RawValue>>(&self.input) {
            self.start.set("input", &input);
        }
        self.start
    }
}

/// Returns a byte that represents the JSON type of a value.
fn json_type(json: &str) -> u8 {
    match json.bytes().next() {
        Some(b'-' | b'0'..=b'9') | None => b'0',
        Some(b't' | b'f') => b't',
        Some(byte) => byte,
    }
}

fn append_text(block: &mut JsonObject, field: &str, more: &str) {
    if !more.is_empty() {
        let whole = block.text(field).unwrap_or_default() + more;
        block.set(field, &raw(&whole));
    }
}

fn merge(target: &mut JsonObject, update: &JsonObject) {
    for (name, value) in update.iter() {
        set(target, name, value);
    }
}

/// Sets a member, except that null never overwrites a value.
fn set(target: &mut JsonObject, name: &str, value: &RawValue) {
    if value.get() != "null" || target.get(name).is_none() {
        target.set(name, value);
    }
}

fn index(event: &Event) -> u64 {
    event.data.decoded("index").unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &str) -> JsonObject {
        let text = format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","model":"m","content":{content},
            "stop_reason":"tool_use","stop_sequence":null,"usage":{{"input_tokens":3,"output_tokens":9}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    const EVERY_BLOCK: &str = r#"[
        {"type":"thinking","thinking":"step by step","signature":"c2ln"},
        {"type":"redacted_thinking","data":"b3BhcXVl"},
        {"type":"text","text":"Grüße, 世界 👋","citations":[{"type":"char_location","cited_text":"x"},{"type":"page_location"}]},
        {"type":"text","text":""},
        {"type":"tool_use","id":"toolu_1","name":"add","input":{"n":123456789012345678901234567890}},
        {"type":"tool_use","id":"toolu_2","name":"now","input":{}},
        {"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"rust"}},
        {"type":"invented","payload":[1,2,3]}
    ]"#;

    #[test]
    fn a_message_split_into_events_is_reassembled() {
        let message = message(EVERY_BLOCK);
        for delta_length in [1, 2, 7, 1000] {
            let reassembled = into_message(&from_message(&message, delta_length)).unwrap();
            let compact = serde_json::from_str::<JsonObject>(message.to_raw().get()).unwrap();
            let expected: serde_json::Value = serde_json::from_str(compact.to_raw().get()).unwrap();
            let found: serde_json::Value = serde_json::from_str(reassembled.to_raw().get()).unwrap();
            assert_eq!(found, expected);
            assert!(reassembled.to_raw().get().contains("123456789012345678901234567890"));
        }
    }

    #[test]
    fn every_kind_of_delta_and_a_ping_occur() {
        let wire: String = from_message(&message(EVERY_BLOCK), 4).iter().map(Event::to_wire).collect();
        for kind in ["text_delta", "thinking_delta", "signature_delta", "citations_delta", "input_json_delta"] {
            assert!(wire.contains(&format!(r#""delta":{{"type":"{kind}""#)), "{kind}");
        }
        assert_eq!(wire.matches("event: ping\ndata: {\"type\":\"ping\"}\n\n").count(), 1);
        assert!(
            wire.starts_with("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\"")
        );
        assert!(wire.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
    }
}
