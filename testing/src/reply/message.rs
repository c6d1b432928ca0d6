//! The content of a message.

use serde::Serialize;
use serde::ser::Serializer;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::{Reply, ReplyContent};
use crate::object::{JsonObject, raw};

impl Reply {
    /// Adds a text block to a message.
    #[must_use]
    pub fn and_text(self, text: impl Into<String>) -> Self {
        self.and_block(Ordered(&[("type", json!("text")), ("text", json!(text.into()))]))
    }

    /// Adds a tool call to a message, with an id that follows from the server's seed. The stop reason of a message with a
    /// tool call defaults to `tool_use`.
    #[must_use]
    pub fn and_tool_call(self, name: impl Into<String>, input: impl Serialize) -> Self {
        match to_raw_value(&input) {
            Ok(input) => {
                let mut block = JsonObject::default();
                block.set("type", "tool_use");
                block.set("name", &name.into());
                block.set("input", &input);
                self.and_block(block)
            }
            Err(error) => self.with_mistake(format!("the input of a tool call can't be serialized: {error}")),
        }
    }

    /// Adds a thinking block to a message.
    #[must_use]
    pub fn and_thinking(self, thinking: impl Into<String>, signature: impl Into<String>) -> Self {
        self.and_block(Ordered(&[
            ("type", json!("thinking")),
            ("thinking", json!(thinking.into())),
            ("signature", json!(signature.into())),
        ]))
    }

    /// Adds any block to a message.
    #[must_use]
    pub fn and_block(self, block: impl Serialize) -> Self {
        self.change_message("a block", |message| {
            let mut blocks: Vec<Box<RawValue>> = message.decoded("content").unwrap_or_default();
            blocks.push(to_raw_value(&block)?);
            message.set("content", &blocks);
            Ok(())
        })
    }

    /// Sets the stop reason of a message. Defaults to `tool_use` if it calls a tool, and otherwise to `end_turn`.
    #[must_use]
    pub fn stop_reason(self, reason: impl Into<String>) -> Self {
        self.field("stop_reason", reason.into())
    }

    /// Sets the usage of a message, in tokens. Defaults to a quarter of the bytes.
    #[must_use]
    pub fn usage(self, input_tokens: u64, output_tokens: u64) -> Self {
        let usage = [("input_tokens", json!(input_tokens)), ("output_tokens", json!(output_tokens))];
        self.field("usage", Ordered(&usage))
    }

    /// Sets any field of a message.
    #[must_use]
    pub fn field(self, name: &str, value: impl Serialize) -> Self {
        self.change_message(name, |message| {
            message.set(name, &to_raw_value(&value)?);
            Ok(())
        })
    }

    fn change_message(mut self, what: &str, change: impl FnOnce(&mut JsonObject) -> serde_json::Result<()>) -> Self {
        let ReplyContent::Message(message) = &mut self.content else {
            return self.with_mistake(format!("{what} can only be set on a message"));
        };
        match change(message) {
            Ok(()) => self,
            Err(error) => self.with_mistake(format!("{what} can't be serialized: {error}")),
        }
    }
}

/// Fields that serialize in the given order.
struct Ordered<'fields>(&'fields [(&'static str, Value)]);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = JsonObject::default();
        for (name, value) in self.0 {
            object.set(name, &raw(value));
        }
        object.serialize(serializer)
    }
}
