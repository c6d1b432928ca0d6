//! Accumulators that are serialized and deserialized.

use anthropic_messages::{Accumulator, Json, MessageResponse, StreamEvent};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    read,
    stream::generated::generated,
    stream::transcripts::{close, end, input, open, start, stop, text},
    stream_of, wire,
};

fn stored(accumulator: &Accumulator) -> Accumulator {
    let stored = serde_json::to_string(accumulator).unwrap();
    serde_json::from_str(&stored).unwrap_or_else(|error| panic!("{error}: {stored}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_deserialized_accumulator_continues(reply in generated()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (events, message) = runtime.block_on(read(stream_of(reply.pieces())));
        let mut accumulator = Accumulator::new();
        for event in &events {
            accumulator = stored(&accumulator);
            accumulator.push(event).unwrap();
        }
        let mut accumulator = stored(&accumulator);
        prop_assert!(accumulator.finish());
        prop_assert_eq!(stored(&accumulator).into_message(), message.unwrap());
    }
}

/// As a part of the caller's own history, whose enums serde buffers.
#[test]
fn it_is_read_back_from_a_buffer_with_blocks_in_any_order() {
    #[derive(serde::Deserialize, serde::Serialize)]
    #[serde(tag = "kind")]
    enum Entry {
        Interrupted(Accumulator),
    }
    let mut accumulator = Accumulator::new();
    let blocks = (0..200).rev().map(|index| open(index, json!({"type": "text", "text": index.to_string()})));
    for event in [start()].into_iter().chain(blocks) {
        accumulator.push(&Json::from(event).decode().unwrap()).unwrap();
        let entry = serde_json::to_string(&Entry::Interrupted(accumulator)).unwrap();
        Entry::Interrupted(accumulator) =
            serde_json::from_str(&entry).unwrap_or_else(|error| panic!("{error}: {entry}"));
    }
    let expected: String = (0..200).map(|index: i32| index.to_string()).collect();
    assert_eq!(accumulator.into_message().text(), expected);
}

#[test]
fn a_cut_input_stays_cut() {
    let events = [
        start(),
        open(0, json!({"type": "text", "text": ""})),
        text(0, "Let me see."),
        close(0),
        open(1, json!({"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}})),
        input(1, "{\"city\": \"Par"),
    ];
    let mut accumulator = Accumulator::new();
    for event in &events {
        accumulator.push(&Json::from(event.clone()).decode().unwrap()).unwrap();
    }
    // In the middle, and at the end.
    let mut accumulator = stored(&accumulator);
    assert_eq!(accumulator.partial_input(1), Some("{\"city\": \"Par"));
    assert!(!accumulator.finish());
    let accumulator = stored(&accumulator);
    assert_eq!(accumulator.incomplete_inputs().next().unwrap().text(), "{\"city\": \"Par");
    assert!(accumulator.tool_input(1).unwrap().is_err());
    let call = accumulator.message().tool_uses().next().unwrap();
    assert_eq!(call.incomplete_input().as_deref(), Some("{\"city\": \"Par"));
}

#[tokio::test]
async fn a_message_with_a_cut_input_round_trips() {
    let call = open(0, json!({"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}));
    for cut in ["{\"city\": \"Par", "{}", "", "12"] {
        let events = [start(), call.clone(), input(0, cut), end("max_tokens"), stop()];
        let message = read(stream_of([wire(&events)])).await.1.unwrap();
        let again: MessageResponse = serde_json::from_str(&serde_json::to_string(&message).unwrap()).unwrap();
        assert_eq!(again, message);
        assert_eq!(again.tool_uses().next().unwrap().incomplete_input().as_deref(), Some(cut));
        // As the beginning of a stream, which can't end where it is cut.
        let first = json!({"type": "message_start", "message": message});
        let mut stream = stream_of([wire(&[first, stop()])]);
        assert_eq!(stream.final_message().await.unwrap(), message, "{cut}");
        assert_eq!(stream.tool_input(0).unwrap().unwrap_err().text(), cut);
    }
}

#[test]
fn an_inconsistent_accumulator_is_rejected() {
    for wrong in ["{}", "null", r#"{"message": {}}"#] {
        assert!(serde_json::from_str::<Accumulator>(wrong).is_err(), "{wrong}");
    }
    let mut begun = Accumulator::new();
    for event in [start(), open(0, json!({"type": "text", "text": ""}))] {
        begun.push(&Json::from(event).decode().unwrap()).unwrap();
    }
    let whole = serde_json::to_string(&begun).unwrap();
    for (part, other) in [
        ("\"blocks\":[{", "\"blocks\":[{\"index\":-1,\"state\":\"Closed\",\"unknown_deltas\":[]},{"),
        ("\"Running\"", "\"Other\""),
    ] {
        assert!(whole.contains(part), "{whole}");
        assert!(serde_json::from_str::<Accumulator>(&whole.replace(part, other)).is_err(), "{part}");
    }
    let mut accumulator = stored(&Accumulator::new());
    let event: StreamEvent = serde_json::from_value(text(0, "x")).unwrap();
    assert!(accumulator.push(&event).is_err());
    assert!(!accumulator.has_started());
}
