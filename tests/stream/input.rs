//! The input of tool calls.

use anthropic_messages::{Accumulator, ErrorKind, Json, JsonType, StreamEvent};
use serde_json::{Value, json};

use crate::{
    read,
    stream::transcripts::{close, end, input, open, start, stop},
    stream_of, wire,
};

const INPUT: &str = r#"{"city": "Z\u00fcrich 😀", "days": [1, 2.50, {"a": null}], "ok": true}"#;

fn call() -> Value {
    open(0, json!({"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}))
}

fn accumulated(events: &[Value]) -> Accumulator {
    let mut accumulator = Accumulator::new();
    for event in events {
        accumulator.push(&Json::from(event.clone()).decode().unwrap()).unwrap();
    }
    accumulator
}

/// A call whose input comes in these pieces, and whose block is closed.
fn closed(pieces: &[&str]) -> Accumulator {
    let mut events = vec![start(), call()];
    events.extend(pieces.iter().map(|piece| input(0, piece)));
    events.push(close(0));
    accumulated(&events)
}

#[test]
fn a_whole_input_is_kept_as_it_was_sent() {
    for at in 0..INPUT.len() {
        let Some((before, after)) = INPUT.split_at_checked(at) else { continue };
        let accumulator = closed(&["", before, after]);
        assert_eq!(accumulator.tool_input(0).unwrap().unwrap().as_str(), INPUT);
        assert_eq!(accumulator.partial_input(0), Some(INPUT));
        assert_eq!(accumulator.message().tool_uses().next().unwrap().input.as_str(), INPUT);
        assert_eq!(accumulator.incomplete_inputs().count(), 0);
    }
}

#[test]
fn an_empty_input_is_an_empty_object() {
    for pieces in [&[] as &[&str], &[""], &["", ""]] {
        assert_eq!(closed(pieces).tool_input(0).unwrap().unwrap().as_str(), "{}");
    }
}

#[test]
fn an_input_that_is_cut_anywhere_never_looks_whole() {
    for at in 1..INPUT.len() {
        let Some((cut, _)) = INPUT.split_at_checked(at) else { continue };
        let accumulator = closed(&[cut]);
        let incomplete = accumulator.tool_input(0).unwrap().unwrap_err();
        assert_eq!((incomplete.text(), incomplete.index()), (cut, 0));
        assert!(!format!("{incomplete} {incomplete:?}").contains("city"), "{incomplete:?}");
        assert!(std::error::Error::source(incomplete).is_some());
        assert_eq!(accumulator.incomplete_inputs().count(), 1);
        assert_eq!(accumulator.partial_input(0), Some(cut));
        let call = accumulator.message().tool_uses().next().unwrap();
        assert_eq!(call.input.json_type(), JsonType::String);
        assert_eq!(call.incomplete_input().as_deref(), Some(cut));
    }
}

#[test]
fn an_input_that_is_not_an_object_is_incomplete() {
    for wrong in ["{} {}", "{\"a\": 1,}", "{\"a\"}", "nul", "{}x", "12", "[]", "\"x\"", "null", "\u{1}", "{\"a\": 1e}"]
    {
        let accumulator = closed(&[wrong]);
        assert_eq!(accumulator.tool_input(0).unwrap().unwrap_err().text(), wrong);
        let call = accumulator.message().tool_uses().next().unwrap();
        assert_eq!(call.incomplete_input().as_deref(), Some(wrong));
    }
    let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
    assert!(closed(&[&deep]).tool_input(0).unwrap().is_err());
}

#[test]
fn an_input_is_partial_until_its_block_is_closed() {
    let mut events = vec![start(), call()];
    assert_eq!(accumulated(&events).partial_input(0), Some(""));
    events.push(input(0, "{\"city\""));
    let accumulator = accumulated(&events);
    assert_eq!(accumulator.partial_input(0), Some("{\"city\""));
    assert!(accumulator.tool_input(0).is_none());
    assert_eq!(accumulator.message().tool_uses().next().unwrap().input.as_str(), "{}");
}

#[test]
fn other_blocks_have_no_input() {
    let accumulator = accumulated(&[start(), open(0, json!({"type": "text", "text": "x"})), close(0)]);
    assert!(accumulator.tool_input(0).is_none() && accumulator.partial_input(0).is_none());
    assert!(accumulator.tool_input(1).is_none() && accumulator.tool_input(-1).is_none());
}

#[test]
fn events_that_end_inside_an_input_leave_it_incomplete() {
    let whole = json!({"type": "tool_use", "name": "t", "input": {"whole": true}});
    for (events, text) in [
        (vec![start(), call()], ""),
        (vec![start(), call(), input(0, "{\"a\":")], "{\"a\":"),
        // Nobody said that this was all.
        (vec![start(), call(), input(0, "{\"a\":1}")], "{\"a\":1}"),
        (vec![start(), open(0, whole)], "{\"whole\":true}"),
    ] {
        let mut accumulator = accumulated(&events);
        assert!(!accumulator.finish());
        let call = accumulator.message().tool_uses().next().unwrap();
        assert_eq!(call.incomplete_input().as_deref(), Some(text));
        assert_eq!(accumulator.tool_input(0).unwrap().unwrap_err().text(), text);
    }
}

#[tokio::test]
async fn a_call_cut_by_the_token_limit_is_marked_in_the_final_message() {
    let events = [start(), call(), input(0, "{\"city\": \"Par"), close(0), end("max_tokens"), stop()];
    let mut stream = stream_of([wire(&events)]);
    let message = stream.final_message().await.unwrap();
    assert_eq!(message.tool_uses().next().unwrap().incomplete_input().as_deref(), Some("{\"city\": \"Par"));
    assert_eq!(stream.incomplete_inputs().map(|input| input.text()).collect::<Vec<_>>(), ["{\"city\": \"Par"]);
    let json = serde_json::to_string(&message).unwrap();
    let back: anthropic_messages::MessageResponse = serde_json::from_str(&json).unwrap();
    assert_eq!(back, message);
    assert_eq!(back.tool_uses().next().unwrap().incomplete_input().as_deref(), Some("{\"city\": \"Par"));
}

#[tokio::test]
async fn a_call_cut_by_the_end_of_the_stream_is_marked_in_the_partial_message() {
    let events = [start(), call(), input(0, "{}")];
    let error = read(stream_of([wire(&events)])).await.1.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    let partial = error.partial_message().unwrap();
    assert_eq!(partial.tool_uses().next().unwrap().incomplete_input().as_deref(), Some("{}"));
}

#[test]
fn a_cut_input_of_an_unknown_block_is_kept_as_text() {
    let events = [start(), open(0, json!({"type": "robot_use"})), input(0, "{\"arm\": "), close(0)];
    let accumulator = accumulated(&events);
    assert_eq!(accumulator.tool_input(0).unwrap().unwrap_err().text(), "{\"arm\": ");
    let block = serde_json::to_value(&accumulator.message().content.as_ref().unwrap()[0]).unwrap();
    assert_eq!(block, json!({"type": "robot_use", "input": "{\"arm\": "}));
}

#[test]
fn the_text_of_an_unknown_block_is_appended_to_its_initial_text() {
    let more =
        |text: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
    for (first, whole) in
        [("null", "\"Hi\""), ("\"\"", "\"Hi\""), ("\"a\\ud83d\"", "\"a\\ud83dHi\""), ("\"a\\\"\"", "\"a\\\"Hi\"")]
    {
        let block = format!(
            "{{\"type\": \"content_block_start\", \"index\": 0, \"content_block\": {{\"type\": \"future_block\", \"text\": {first}}}}}"
        );
        let mut accumulator = accumulated(&[start()]);
        accumulator.push(&Json::parse(&block).unwrap().decode().unwrap()).unwrap();
        for event in [more("Hi"), close(0)] {
            accumulator.push(&Json::from(event).decode().unwrap()).unwrap();
        }
        let message = Json::from_serialize(accumulator.message()).unwrap();
        assert!(message.as_str().contains(&format!("\"text\":{whole}")), "{first}: {}", message.as_str());
    }
}

#[test]
fn the_nesting_limit_of_a_part_applies_to_the_whole() {
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    let message = start()["message"].to_string().replacen('{', &format!("{{\"deep\":{deep},"), 1);
    let first = format!("{{\"type\":\"message_start\",\"message\":{message}}}");
    let first: StreamEvent = serde_json::from_str(&first).unwrap();
    assert!(first.to_sse().unwrap().to_string().contains(&deep));
    let mut accumulator = Accumulator::new();
    accumulator.push(&first).unwrap();
    for event in [end("end_turn"), stop()] {
        accumulator.push(&Json::from(event).decode().unwrap()).unwrap();
    }
    assert_eq!(accumulator.message().extra.get("deep").unwrap().as_str(), deep);
}
