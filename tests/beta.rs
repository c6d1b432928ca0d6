//! Streamed replies with the blocks and deltas of the feature `beta`.

#![cfg(test)]

use anthropic_messages::{Accumulator, Json, MessageResponse, types::ContentBlock};
use serde_json::{Value, json};

/// Assembles the message of a stream with one block, which begins as `start`.
fn assemble(start: Value, deltas: &[Value], end: Value) -> MessageResponse {
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": []}}),
        json!({"type": "content_block_start", "index": 0, "content_block": start}),
    ];
    events.extend(deltas.iter().map(|delta| json!({"type": "content_block_delta", "index": 0, "delta": delta})));
    events.push(json!({"type": "content_block_stop", "index": 0}));
    events.push(end);
    events.push(json!({"type": "message_stop"}));
    let mut accumulator = Accumulator::new();
    for event in events {
        accumulator.push(&Json::from(event).decode().unwrap()).unwrap();
    }
    assert!(accumulator.finish());
    assert_eq!(accumulator.unknown_deltas(0), []);
    accumulator.into_message()
}

fn end() -> Value {
    json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
}

fn block(message: &MessageResponse) -> Value {
    serde_json::to_value(&message.content.as_ref().unwrap()[0]).unwrap()
}

#[test]
fn a_summary_is_assembled_from_its_deltas() {
    let start = json!({"type": "compaction", "content": null});
    let deltas = [
        json!({"type": "compaction_delta", "content": "Ada likes ", "encrypted_content": null}),
        json!({"type": "compaction_delta", "content": "tea.", "encrypted_content": "ZQ=="}),
    ];
    let message = assemble(start, &deltas, end());
    assert!(matches!(message.content.as_ref().unwrap()[0], ContentBlock::Compaction(_)));
    let expected = json!({"type": "compaction", "content": "Ada likes tea.", "encrypted_content": "ZQ=="});
    assert_eq!(block(&message), expected);
}

#[test]
fn the_input_of_an_mcp_tool_is_assembled_from_its_deltas() {
    let start = json!({"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "echo", "server_name": "s", "input": {}});
    let piece = |json: &str| json!({"type": "input_json_delta", "partial_json": json});
    let message = assemble(start.clone(), &[piece(""), piece("{\"text\": \"he"), piece("llo\"}")], end());
    assert!(matches!(message.content.as_ref().unwrap()[0], ContentBlock::McpToolUse(_)));
    assert_eq!(block(&message)["input"], json!({"text": "hello"}));
    assert_eq!(block(&assemble(start.clone(), &[], end()))["input"], json!({}));
    // A cut input never looks complete.
    let cut = json!({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}});
    assert_eq!(block(&assemble(start, &[piece("{\"text\": \"he")], cut))["input"], json!("{\"text\": \"he"));
}

#[test]
fn a_fallback_changes_the_model_of_the_message() {
    let start =
        json!({"type": "fallback", "from": {"model": "m"}, "to": {"model": "other"}, "trigger": {"type": "refusal"}});
    let message = assemble(start, &[], end());
    assert!(matches!(message.content.as_ref().unwrap()[0], ContentBlock::Fallback(_)));
    assert_eq!(message.model.as_deref(), Some("other"));
}

#[test]
fn members_of_a_message_delta_are_set() {
    let end = json!({
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 5, "iterations": [{"type": "message", "output_tokens": 5}]},
        "context_management": {"applied_edits": [{"type": "clear_thinking_20251015", "cleared_thinking_turns": 1}]},
        "input_transformations": [{"type": "thinking_dropped", "path": "messages.1", "reason": "model_binding_mismatch"}],
    });
    let message = assemble(json!({"type": "text", "text": ""}), &[], end.clone());
    let message = serde_json::to_value(&message).unwrap();
    for member in ["context_management", "input_transformations", "usage"] {
        assert_eq!(message[member], end[member], "{member}");
    }
}
