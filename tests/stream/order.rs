//! Events in any order.

use std::sync::LazyLock;

use anthropic_messages::{Accumulator, ErrorKind, Json, StreamEvent};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use crate::{
    failing,
    stream::transcripts::{self, close, delta, end, input, open, start, stop, text},
};

fn event(value: &Value) -> StreamEvent {
    Json::from(value.clone()).decode().unwrap()
}

fn text_block() -> Value {
    json!({"type": "text", "text": ""})
}

#[tokio::test]
async fn an_impossible_order_is_a_protocol_error_with_its_reason() {
    let thinking = || json!({"type": "thinking_delta", "thinking": "x"});
    let tool = || json!({"type": "tool_use", "name": "t", "input": {}});
    let mut other = start();
    other["message"]["id"] = json!("msg_2");
    let cases: Vec<(Vec<Value>, &str)> = vec![
        (vec![open(0, text_block())], "`content_block_start` before `message_start`"),
        (vec![text(0, "x")], "`content_block_delta` before `message_start`"),
        (vec![close(0)], "`content_block_stop` before `message_start`"),
        (vec![end("end_turn")], "`message_delta` before `message_start`"),
        (vec![stop()], "`message_stop` before `message_start`"),
        (vec![start(), other], "second `message_start`"),
        (vec![start(), text(0, "x")], "event for block 0, which is not open"),
        (vec![start(), close(3)], "event for block 3, which is not open"),
        (vec![start(), open(0, text_block()), close(0), text(0, "x")], "event for block 0, which is not open"),
        (vec![start(), open(0, text_block()), close(0), close(0)], "event for block 0, which is not open"),
        (vec![start(), open(0, text_block()), open(0, text_block())], "second `content_block_start` for block 0"),
        (
            vec![start(), open(0, text_block()), close(0), open(0, text_block())],
            "second `content_block_start` for block 0",
        ),
        (vec![start(), open(-1, text_block())], "block index -1 is negative"),
        (vec![start(), text(i64::MAX, "x")], "event for block 9223372036854775807, which is not open"),
        (vec![start(), open(0, text_block()), stop()], "message ended while block 0 was open"),
        (vec![start(), open(1, text_block()), close(1), stop()], "message ended without block 0"),
        (
            vec![start(), open(0, text_block()), close(0), open(i64::MAX, text_block()), close(i64::MAX), stop()],
            "message ended without block 1",
        ),
        (vec![start(), open(0, text_block()), delta(0, thinking())], "block 0 does not accept a `thinking_delta`"),
        (vec![start(), open(0, text_block()), input(0, "{}")], "block 0 does not accept a `input_json_delta`"),
        (vec![start(), open(0, tool()), text(0, "x")], "block 0 does not accept a `text_delta`"),
    ];
    for (events, reason) in cases {
        let error = failing(&events).await;
        assert_eq!(error.kind(), ErrorKind::Protocol, "{events:?}");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), reason);
        assert_eq!(error.to_string(), format!("event {} of the stream does not fit those before it", events.len()));
        assert_eq!(error.partial_message().is_some(), events[0] == start(), "{events:?}");
    }
}

#[test]
fn nothing_follows_the_end_of_a_message() {
    let mut accumulator = Accumulator::new();
    for value in [start(), end("end_turn"), stop()] {
        accumulator.push(&event(&value)).unwrap();
    }
    assert!(accumulator.has_stopped() && accumulator.finish());
    for value in [start(), open(0, text_block()), end("end_turn"), stop()] {
        let error = accumulator.push(&event(&value)).unwrap_err();
        assert_eq!(error.to_string(), format!("`{}` after the end of the message", value["type"].as_str().unwrap()));
    }
    accumulator.push(&event(&json!({"type": "ping"}))).unwrap();
    accumulator.push(&event(&json!({"type": "later"}))).unwrap();
}

#[test]
fn nothing_follows_the_end_of_the_events() {
    let mut accumulator = Accumulator::new();
    accumulator.push(&event(&start())).unwrap();
    assert!(!accumulator.finish());
    assert!(accumulator.push(&event(&end("end_turn"))).is_err());
    assert!(!accumulator.finish(), "it stays as it was");
    let mut unused = Accumulator::new();
    assert!(!unused.finish() && !unused.has_started());
    assert!(unused.push(&event(&start())).is_err());
}

#[test]
fn a_block_that_an_unknown_event_may_contain_is_not_missing() {
    let mut accumulator = Accumulator::new();
    for value in
        [start(), json!({"type": "whole_block", "index": 0}), open(1, text_block()), text(1, "x"), close(1), stop()]
    {
        accumulator.push(&event(&value)).unwrap();
    }
    assert_eq!(accumulator.message().text(), "x");
}

#[test]
fn new_blocks_follow_those_of_message_start() {
    let mut first = start();
    first["message"]["content"] = json!([{"type": "text", "text": "a"}]);
    let mut accumulator = Accumulator::new();
    accumulator.push(&event(&first)).unwrap();
    assert!(accumulator.push(&event(&text(0, "x"))).is_err());
    for value in [open(1, text_block()), text(1, "b"), close(1), end("end_turn"), stop()] {
        accumulator.push(&event(&value)).unwrap();
    }
    assert_eq!(accumulator.into_message().text(), "ab");
}

#[test]
fn unknown_deltas_are_kept_with_their_block() {
    let unknown = json!({"type": "colour_delta", "colour": "red"});
    let mut accumulator = Accumulator::new();
    for value in [start(), open(0, text_block()), delta(0, unknown.clone()), delta(0, unknown.clone()), close(0)] {
        accumulator.push(&event(&value)).unwrap();
    }
    assert_eq!(accumulator.unknown_deltas(0), [Json::from(unknown.clone()), Json::from(unknown)]);
    assert!(accumulator.unknown_deltas(1).is_empty());
}

/// The events of all transcripts, and some that fit nowhere.
static POOL: LazyLock<Vec<StreamEvent>> = LazyLock::new(|| {
    let mut events: Vec<Value> = transcripts::all().into_iter().flat_map(|transcript| transcript.events).collect();
    events.extend([open(-1, text_block()), close(i64::MIN), open(i64::MAX, text_block()), input(3, "nonsense")]);
    // The stream reads incomplete events, not this function.
    events.iter().filter_map(|event| Json::from(event.clone()).decode().ok()).collect()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn events_in_any_order_make_a_message_or_an_error(picks in vec(any::<prop::sample::Index>(), 0..60), begins: bool) {
        let mut accumulator = Accumulator::new();
        if begins {
            accumulator.push(&event(&start())).unwrap();
        }
        for pick in picks {
            let before = accumulator.clone();
            if accumulator.push(pick.get(&POOL)).is_err() {
                prop_assert_eq!(accumulator.message(), before.message(), "an error changes nothing");
            }
        }
        let stopped = accumulator.has_stopped() && accumulator.message().stop_reason.is_some();
        let whole = accumulator.finish();
        prop_assert!(whole || !stopped);
        let json = serde_json::to_string(accumulator.message()).unwrap();
        match serde_json::from_str::<anthropic_messages::MessageResponse>(&json) {
            Ok(again) => prop_assert_eq!(&again, accumulator.message()),
            Err(_) => prop_assert!(accumulator.incomplete_inputs().next().is_some()),
        }
    }

    #[test]
    fn a_stream_whose_events_are_shuffled_never_panics(
        order in Just(transcripts::all().into_iter().flat_map(|it| it.events).take(30).collect::<Vec<_>>()).prop_shuffle()
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (events, outcome) = runtime.block_on(crate::read(crate::stream_of([crate::wire(&order)])));
        prop_assert!(events.len() <= order.len());
        prop_assert!(outcome.is_ok_and(|message| message.stop_reason.is_some()) || events.len() < order.len());
    }
}
