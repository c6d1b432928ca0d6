//! A stream of events folded into the message that it tells.
//!
//! Written apart from the client's own accumulation, so that each can be checked against the other.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::events::Event;
use super::object::{Object, raw};

/// The message that the events tell. Events that tell nothing about it, such as `ping`, are passed
/// over; a stream that stops early gives what it told until then.
///
/// # Errors
/// A sentence, if no `message_start` came or a delta belongs to no block.
pub(crate) fn into_message(events: &[Event]) -> Result<Object, String> {
    let mut message: Option<Object> = None;
    let mut blocks: BTreeMap<u64, Block> = BTreeMap::new();
    for event in events {
        match event.name.as_str() {
            "message_start" => message = event.data.decoded("message"),
            "content_block_start" => {
                let start: Object = event.data.decoded("content_block").unwrap_or_default();
                // Another model goes on with the message.
                let model = start.decoded::<Object>("to").and_then(|to| to.text("model"));
                if let (Some("fallback"), Some(model), Some(message)) =
                    (start.text("type").as_deref(), model, message.as_mut())
                {
                    message.set("model", &model);
                }
                blocks.insert(index(event), Block { start, ..Block::default() });
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
                let mut usage: Object = message.decoded("usage").unwrap_or_default();
                merge(&mut usage, &event.data.decoded("usage").unwrap_or_default());
                message.set("usage", &usage);
            }
            _ => {}
        }
    }
    let mut message = message.ok_or(NO_START)?;
    let content: Vec<Object> = blocks.into_values().map(Block::finish).collect();
    message.set("content", &content);
    Ok(message)
}

const NO_START: &str = "the events have no message_start before what belongs to a message";

/// A block under construction.
#[derive(Default)]
struct Block {
    start: Object,
    text: String,
    thinking: String,
    signature: Option<Box<RawValue>>,
    citations: Vec<Box<RawValue>>,
    input: String,
}

impl Block {
    fn add(&mut self, delta: &Object) {
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

    /// A delta of another kind: strings are appended, lists extended, the rest is set, and a null never erases.
    fn merge(&mut self, delta: &Object) {
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

    fn finish(mut self) -> Object {
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
        // Input that was cut off can't stand in a JSON message; the input of the opening stays
        // then.
        if let Ok(input) = serde_json::from_str::<Box<RawValue>>(&self.input) {
            self.start.set("input", &input);
        }
        self.start
    }
}

/// The first byte of a value, the same for all values of a type.
fn json_type(json: &str) -> u8 {
    match json.bytes().next() {
        Some(b'-' | b'0'..=b'9') | None => b'0',
        Some(b't' | b'f') => b't',
        Some(byte) => byte,
    }
}

fn append_text(block: &mut Object, field: &str, more: &str) {
    if !more.is_empty() {
        let whole = block.text(field).unwrap_or_default() + more;
        block.set(field, &raw(&whole));
    }
}

fn merge(target: &mut Object, update: &Object) {
    for (name, value) in update.iter() {
        set(target, name, value);
    }
}

/// Sets a member. A null never erases.
fn set(target: &mut Object, name: &str, value: &RawValue) {
    if value.get() != "null" || target.get(name).is_none() {
        target.set(name, value);
    }
}

fn index(event: &Event) -> u64 {
    event.data.decoded("index").unwrap_or(0)
}
