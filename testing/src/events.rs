//! A message told as a stream of events, the way the API does.

use serde_json::json;
use serde_json::value::RawValue;

use super::object::{Object, raw};

/// One server-sent event: its name and its data, one line of JSON.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: Object,
}

impl Event {
    /// An event named by the `type` of its data, as all events of the API are.
    pub(crate) fn new(data: Object) -> Self {
        Self { name: data.text("type").unwrap_or_else(|| "message".to_owned()), data }
    }

    fn of(kind: &str, fields: &[(&str, &RawValue)]) -> Self {
        let mut data = Object::default();
        data.set("type", kind);
        for (name, value) in fields {
            data.set(name, *value);
        }
        Self { name: kind.to_owned(), data }
    }

    /// The event as it goes over the wire. A value that was written over several lines takes
    /// several lines of data.
    pub(crate) fn to_wire(&self) -> String {
        let data = self.data.to_raw().get().replace('\r', " ").replace('\n', "\ndata: ");
        format!("event: {}\ndata: {data}\n\n", self.name)
    }
}

/// The fields of a message's usage that a `message_delta` repeats with their final values.
const FINAL_USAGE: [&str; 6] = [
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
];

/// The fields of a message that become known at its end.
const FINAL_FIELDS: [&str; 4] = ["stop_reason", "stop_sequence", "stop_details", "container"];

/// Tells a whole message as events; no delta carries more than `delta_length` characters.
pub(crate) fn from_message(message: &Object, delta_length: usize) -> Vec<Event> {
    let blocks: Vec<Object> = message.decoded("content").unwrap_or_default();
    let usage: Object = message.decoded("usage").unwrap_or_default();
    let mut events = vec![Event::of("message_start", &[("message", &beginning(message, &usage).to_raw())])];
    if blocks.is_empty() {
        events.push(Event::of("ping", &[]));
    }
    for (index, block) in blocks.into_iter().enumerate() {
        let index_json = raw(&index);
        let (start, deltas) = split_block(block, delta_length);
        events.push(Event::of("content_block_start", &[("index", &index_json), ("content_block", &start.to_raw())]));
        if index == 0 {
            events.push(Event::of("ping", &[]));
        }
        for delta in deltas {
            events.push(Event::of("content_block_delta", &[("index", &index_json), ("delta", &delta)]));
        }
        events.push(Event::of("content_block_stop", &[("index", &index_json)]));
    }
    let (delta, usage) = (picked(message, &FINAL_FIELDS), picked(&usage, &FINAL_USAGE));
    events.push(Event::of("message_delta", &[("delta", &delta.to_raw()), ("usage", &usage.to_raw())]));
    events.push(Event::of("message_stop", &[]));
    events
}

/// The message as it is known before its first block.
fn beginning(message: &Object, usage: &Object) -> Object {
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

/// A block as it is opened, and the deltas that complete it.
fn split_block(mut block: Object, delta_length: usize) -> (Object, Vec<Box<RawValue>>) {
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
        // Every other block comes whole when it is opened.
        _ => {}
    }
    (block, deltas)
}

/// Takes the text out of a field and returns it as deltas.
fn text_deltas(block: &mut Object, field: &str, kind: &str, length: usize) -> Vec<Box<RawValue>> {
    let text = block.text(field).unwrap_or_default();
    block.set(field, "");
    pieces(&text, length).iter().map(|piece| delta(kind, field, &raw(piece))).collect()
}

fn delta(kind: &str, field: &str, value: &RawValue) -> Box<RawValue> {
    let mut delta = Object::default();
    delta.set("type", kind);
    delta.set(field, value);
    delta.to_raw()
}

fn pieces(text: &str, length: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(length.max(1)).map(|piece| piece.iter().collect()).collect()
}

fn picked(object: &Object, names: &[&str]) -> Object {
    let mut picked = Object::default();
    for name in names {
        if let Some(value) = object.get(name) {
            picked.set(name, value);
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold;

    fn message(content: &str) -> Object {
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
    fn a_message_told_as_events_folds_back_into_itself() {
        let message = message(EVERY_BLOCK);
        for delta_length in [1, 2, 7, 1000] {
            let folded = fold::into_message(&from_message(&message, delta_length)).unwrap();
            let compact = serde_json::from_str::<Object>(message.to_raw().get()).unwrap();
            let expected: serde_json::Value = serde_json::from_str(compact.to_raw().get()).unwrap();
            let found: serde_json::Value = serde_json::from_str(folded.to_raw().get()).unwrap();
            assert_eq!(found, expected);
            assert!(folded.to_raw().get().contains("123456789012345678901234567890"));
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
