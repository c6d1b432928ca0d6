//! Streams and the messages that they tell. Together they have every kind of event, delta and block
//! that a reply can have.

use std::collections::BTreeSet;

use anthropic_messages::{ContentBlockDelta, MessageResponse, StreamEvent};
use serde_json::{Value, json};

use crate::{message, read, stream_of, wire};

/// The kinds of blocks that the API puts into a reply; those of requests are never streamed.
const BLOCKS: [&str; 12] = [
    "text",
    "thinking",
    "redacted_thinking",
    "tool_use",
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "container_upload",
];

/// A stream and what it tells.
pub(crate) struct Transcript {
    pub(crate) name: &'static str,
    pub(crate) events: Vec<Value>,
    pub(crate) message: MessageResponse,
}

pub(crate) fn start() -> Value {
    json!({"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 1}
    }})
}

pub(crate) fn open(index: i64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

pub(crate) fn delta(index: i64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

pub(crate) fn text(index: i64, text: &str) -> Value {
    delta(index, json!({"type": "text_delta", "text": text}))
}

pub(crate) fn input(index: i64, json: &str) -> Value {
    delta(index, json!({"type": "input_json_delta", "partial_json": json}))
}

pub(crate) fn close(index: i64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

pub(crate) fn end(reason: &str) -> Value {
    json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 9}})
}

pub(crate) fn stop() -> Value {
    json!({"type": "message_stop"})
}

/// A message with this content, as [`start`] and [`end`] begin and end it.
pub(crate) fn told(content: Value, reason: &str) -> MessageResponse {
    message(json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5", "content": content,
        "stop_reason": reason, "usage": {"input_tokens": 10, "output_tokens": 9}
    }))
}

pub(crate) fn all() -> Vec<Transcript> {
    vec![plain_text(), thinking_and_tools(), server_tools(), interleaved(), begun(), unknown(), beta(), refused()]
}

pub(crate) fn plain_text() -> Transcript {
    Transcript {
        name: "plain text",
        events: vec![
            start(),
            open(0, json!({"type": "text", "text": ""})),
            json!({"type": "ping"}),
            text(0, "Grüße, "),
            text(0, "世界 👋"),
            text(0, ""),
            text(0, "\n\n\"quoted\""),
            close(0),
            end("end_turn"),
            stop(),
        ],
        message: told(json!([{"type": "text", "text": "Grüße, 世界 👋\n\n\"quoted\""}]), "end_turn"),
    }
}

fn thinking_and_tools() -> Transcript {
    let citations: Vec<Value> = ["char_location", "page_location", "content_block_location", "search_result_location"]
        .iter()
        .map(|kind| json!({"type": kind, "cited_text": "x"}))
        .collect();
    let mut events = vec![
        start(),
        open(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "step "})),
        delta(0, json!({"type": "thinking_delta", "thinking": "by step"})),
        delta(0, json!({"type": "signature_delta", "signature": "first"})),
        delta(0, json!({"type": "signature_delta", "signature": "c2ln"})),
        close(0),
        open(1, json!({"type": "redacted_thinking", "data": "b3BhcXVl"})),
        close(1),
        open(2, json!({"type": "text", "text": "", "citations": []})),
        text(2, "cited"),
    ];
    events.extend(citations.iter().map(|citation| delta(2, json!({"type": "citations_delta", "citation": citation}))));
    events.extend([
        close(2),
        open(3, json!({"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}})),
        input(3, ""),
        input(3, "{\"n\": 123456789012345"),
        input(3, "678901234567890, \"s\": \"\\ud83d"),
        input(3, "\\ude00\"}"),
        close(3),
        open(4, json!({"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}})),
        close(4),
        end("tool_use"),
        stop(),
    ]);
    let content = format!(
        r#"[{{"type": "thinking", "thinking": "step by step", "signature": "c2ln"}},
            {{"type": "redacted_thinking", "data": "b3BhcXVl"}},
            {{"type": "text", "text": "cited", "citations": {}}},
            {{"type": "tool_use", "id": "toolu_1", "name": "add",
              "input": {{"n": 123456789012345678901234567890, "s": "😀"}}}},
            {{"type": "tool_use", "id": "toolu_2", "name": "now", "input": {{}}}}]"#,
        Value::from(citations)
    );
    let mut message = told(json!([]), "tool_use");
    message.content = Some(serde_json::from_str(&content).unwrap());
    Transcript { name: "thinking and tools", events, message }
}

fn server_tools() -> Transcript {
    let results = [
        json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
            {"type": "web_search_result", "title": "t", "url": "u", "encrypted_content": "e", "page_age": null}]}),
        json!({"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_1", "content": {
            "type": "web_fetch_tool_result_error", "error_code": "unavailable"}}),
        json!({"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_1", "content": {
            "type": "code_execution_result", "stdout": "1", "stderr": "", "return_code": 0, "content": []}}),
        json!({"type": "bash_code_execution_tool_result", "tool_use_id": "srvtoolu_1", "content": {
            "type": "bash_code_execution_result", "stdout": "1", "stderr": "", "return_code": 0, "content": []}}),
        json!({"type": "text_editor_code_execution_tool_result", "tool_use_id": "srvtoolu_1", "content": {
            "type": "text_editor_code_execution_create_result", "is_file_update": true}}),
        json!({"type": "tool_search_tool_result", "tool_use_id": "srvtoolu_1", "content": {
            "type": "tool_search_tool_search_result", "tool_references": [{"type": "tool_reference", "tool_name": "a"}]}}),
        json!({"type": "container_upload", "file_id": "file_1"}),
    ];
    let call =
        |input: Value| json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": input});
    let mut events = vec![start(), open(0, call(json!({}))), input(0, "{\"query\":"), input(0, "\"rust\"}"), close(0)];
    let mut content = vec![call(json!({"query": "rust"}))];
    for (index, result) in (1..).zip(results) {
        events.extend([open(index, result.clone()), close(index)]);
        content.push(result);
    }
    events.extend([end("pause_turn"), stop()]);
    Transcript { name: "server tools", events, message: told(json!(content), "pause_turn") }
}

fn interleaved() -> Transcript {
    Transcript {
        name: "interleaved and out of order",
        events: vec![
            start(),
            open(2, json!({"type": "text", "text": ""})),
            open(0, json!({"type": "thinking", "thinking": ""})),
            text(2, "la"),
            delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
            open(1, json!({"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}})),
            text(2, "st"),
            input(1, "{\"a\""),
            delta(0, json!({"type": "signature_delta", "signature": "s"})),
            close(2),
            input(1, ":1}"),
            close(0),
            close(1),
            end("tool_use"),
            stop(),
        ],
        message: told(
            json!([
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {"a": 1}},
                {"type": "text", "text": "last"}
            ]),
            "tool_use",
        ),
    }
}

/// Blocks that begin with something in them, or without what deltas will bring.
fn begun() -> Transcript {
    let citation = json!({"type": "page_location", "cited_text": "x"});
    Transcript {
        name: "blocks that begin with content, and without",
        events: vec![
            start(),
            open(0, json!({"type": "text", "text": "Once ", "citations": [citation]})),
            text(0, "upon"),
            delta(0, json!({"type": "citations_delta", "citation": citation})),
            close(0),
            open(1, json!({"type": "tool_use", "id": "toolu_1", "name": "t", "input": {"whole": true}})),
            close(1),
            open(2, json!({"type": "tool_use", "id": "toolu_2", "name": "t"})),
            input(2, "{}"),
            close(2),
            open(3, json!({"type": "thinking"})),
            delta(3, json!({"type": "thinking_delta", "thinking": "hm"})),
            close(3),
            open(4, json!({"type": "text"})),
            text(4, "x"),
            close(4),
            open(5, json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search"})),
            close(5),
            end("tool_use"),
            stop(),
        ],
        message: told(
            json!([
                {"type": "text", "text": "Once upon", "citations": [citation, citation]},
                {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {"whole": true}},
                {"type": "tool_use", "id": "toolu_2", "name": "t", "input": {}},
                {"type": "thinking", "thinking": "hm"},
                {"type": "text", "text": "x"},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
            ]),
            "tool_use",
        ),
    }
}

fn unknown() -> Transcript {
    Transcript {
        name: "unknown events, deltas and blocks",
        events: vec![
            json!({"type": "warming_up", "seconds": 3}),
            start(),
            json!({"type": "note", "index": 7, "data": [1, 2]}),
            open(0, json!({"type": "text", "text": ""})),
            delta(0, json!({"type": "colour_delta", "colour": "red"})),
            text(0, "x"),
            close(0),
            open(1, json!({"type": "song", "key": "C", "text": "la ", "citations": [{"a": 1}]})),
            text(1, "la"),
            delta(1, json!({"type": "thinking_delta", "thinking": "hm"})),
            delta(1, json!({"type": "signature_delta", "signature": "s"})),
            delta(1, json!({"type": "citations_delta", "citation": {"type": "page_location", "document_title": "t"}})),
            input(1, "{\"b\":"),
            input(1, "2}"),
            delta(1, json!({"type": "colour_delta", "colour": "red"})),
            close(1),
            open(2, json!({"type": "silence", "bars": 4})),
            close(2),
            end("invented_reason"),
            json!({"type": "almost_there"}),
            stop(),
        ],
        message: told(
            json!([
                {"type": "text", "text": "x", "colour": "red"},
                {"type": "song", "key": "C", "text": "la la", "thinking": "hm", "signature": "s", "input": {"b": 2}, "colour": "red",
                 "citations": [{"a": 1}, {"type": "page_location", "document_title": "t"}]},
                {"type": "silence", "bars": 4}
            ]),
            "invented_reason",
        ),
    }
}

/// Blocks and members of the API's betas, which the contract doesn't name.
fn beta() -> Transcript {
    let fallback = json!({"type": "fallback", "from": {"model": "claude-sonnet-5"}, "to": {"model": "claude-haiku-5"}});
    let result = json!({"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": false, "content": [
        {"type": "text", "text": "4"}]});
    let edits = json!({"applied_edits": [{"type": "clear_tool_uses_20250919", "cleared_tool_uses": 2}]});
    let iterations = json!([{"type": "compaction", "input_tokens": 9}, {"type": "message", "input_tokens": 3}]);
    let events = vec![
        start(),
        open(0, json!({"type": "compaction", "content": null})),
        delta(0, json!({"type": "compaction_delta", "content": "Sum"})),
        delta(0, json!({"type": "compaction_delta", "content": "mary", "encrypted_content": null})),
        delta(0, json!({"type": "compaction_delta", "content": null, "encrypted_content": "x"})),
        close(0),
        open(1, fallback.clone()),
        close(1),
        open(2, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(2, json!({"type": "thinking_delta", "thinking": "hm", "estimated_tokens": 50})),
        delta(2, json!({"type": "signature_delta", "signature": "s"})),
        close(2),
        open(3, json!({"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "add", "server_name": "sums", "input": {}})),
        input(3, ""),
        input(3, "{\"a\": 2"),
        input(3, ", \"b\": 2}"),
        close(3),
        open(4, result.clone()),
        close(4),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": 9, "iterations": iterations}, "context_management": edits}),
        stop(),
    ];
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-5",
        "content": [
            {"type": "compaction", "content": "Summary", "encrypted_content": "x"},
            fallback,
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "add", "server_name": "sums", "input": {"a": 2, "b": 2}},
            result,
        ],
        "stop_reason": "end_turn", "context_management": edits,
        "usage": {"input_tokens": 10, "output_tokens": 9, "iterations": iterations},
    });
    Transcript { name: "blocks of betas", events, message: crate::message(message) }
}

fn refused() -> Transcript {
    let details = json!({"type": "refusal", "category": "cyber", "explanation": "No."});
    let container = json!({"id": "container_1", "expires_at": "2026-12-01T00:00:00Z"});
    Transcript {
        name: "a refusal, told in two changes",
        events: vec![
            start(),
            json!({"type": "message_delta", "delta": {
                "stop_reason": "refusal", "stop_details": details, "container": container
            }, "usage": {"output_tokens": 3, "input_tokens": 12, "server_tool_use": {"web_search_requests": 1}}}),
            json!({"type": "message_delta", "delta": {"stop_reason": null, "stop_details": null}, "usage": {
                "output_tokens": 9, "input_tokens": null}, "context": {"edits": 1}}),
            stop(),
        ],
        message: message(json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5", "content": [],
            "stop_reason": "refusal", "stop_details": details, "container": container, "context": {"edits": 1},
            "usage": {"input_tokens": 12, "output_tokens": 9, "server_tool_use": {"web_search_requests": 1}}
        })),
    }
}

#[tokio::test]
async fn every_transcript_makes_its_message() {
    for Transcript { name, events, message } in all() {
        let (read, found) = read(stream_of([wire(&events)])).await;
        assert_eq!(found.unwrap(), message, "{name}");
        assert_eq!(read.len(), events.len(), "{name}");
    }
}

#[tokio::test]
async fn every_event_is_relayed_unchanged() {
    for Transcript { name, events, .. } in all() {
        let (read, _) = read(stream_of([wire(&events)])).await;
        for (read, sent) in read.iter().zip(&events) {
            let read: Value = serde_json::from_str(read.to_sse().unwrap().data.as_ref()).unwrap();
            assert_eq!(&read, sent, "{name}");
        }
    }
}

#[tokio::test]
async fn a_stream_means_the_same_wherever_it_is_cut() {
    for Transcript { name, events, message } in all() {
        let text = wire(&events);
        let bytes = text.as_bytes();
        let expected = read(stream_of([bytes])).await.0;
        let check = async |chunks: Vec<&[u8]>, at: usize| {
            let (read, found) = read(stream_of(chunks)).await;
            assert_eq!(found.unwrap(), message, "{name}, cut at {at}");
            assert_eq!(read, expected, "{name}, cut at {at}");
        };
        check(bytes.chunks(1).collect(), 0).await;
        for at in 0..=bytes.len() {
            let (before, after) = bytes.split_at(at);
            check(vec![before, b"", after], at).await;
        }
    }
}

#[test]
fn every_kind_of_event_delta_and_block_occurs() {
    let events: Vec<Value> = all().into_iter().flat_map(|transcript| transcript.events).collect();
    let kinds = |pointer: &str| -> BTreeSet<&str> {
        events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
    };
    let missing = |known: &[&'static str], found: &BTreeSet<&str>| -> Vec<&'static str> {
        known.iter().filter(|tag| !found.contains(*tag)).copied().collect()
    };
    // An `error` is no part of a message.
    assert_eq!(missing(StreamEvent::TAGS, &kinds("/type")), ["error"]);
    assert!(missing(ContentBlockDelta::TAGS, &kinds("/delta/type")).is_empty());
    assert!(missing(&BLOCKS, &kinds("/content_block/type")).is_empty());
}

pub(crate) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
