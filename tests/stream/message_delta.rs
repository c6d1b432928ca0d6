//! The members that a `message_delta` sets.

use anthropic_messages::{ErrorKind, MessageResponse};
use serde_json::{Value, json};

use crate::{
    failing, read,
    stream::transcripts::{start, stop},
    stream_of, wire,
};

fn change(delta: Value, usage: Value) -> Value {
    json!({"type": "message_delta", "delta": delta, "usage": usage})
}

async fn after(changes: impl IntoIterator<Item = Value>) -> MessageResponse {
    let mut first = start();
    first["message"]["stop_reason"] = json!("end_turn");
    let events: Vec<Value> = [first].into_iter().chain(changes).chain([stop()]).collect();
    read(stream_of([wire(&events)])).await.1.unwrap()
}

#[tokio::test]
async fn token_counts_are_totals() {
    let message = after([
        change(json!({}), json!({"output_tokens": 5, "input_tokens": 7})),
        change(json!({}), json!({"output_tokens": 9, "cache_read_input_tokens": 3})),
    ])
    .await;
    let usage = message.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens), (Some(7), Some(9), Some(3)));
}

#[tokio::test]
async fn members_that_a_message_delta_omits_are_kept() {
    let details = json!({"type": "refusal", "category": "bio"});
    let message = after([
        change(
            json!({"stop_reason": "refusal", "stop_sequence": "END", "stop_details": details}),
            json!({"output_tokens": 5}),
        ),
        change(json!({}), json!({"output_tokens": 6})),
        change(json!({"stop_reason": null, "stop_sequence": null, "stop_details": null}), json!({"output_tokens": 7})),
    ])
    .await;
    let value = serde_json::to_value(&message).unwrap();
    assert_eq!(value["stop_reason"], "refusal");
    assert_eq!(value["stop_sequence"], "END");
    assert_eq!(value["stop_details"], details);
    assert_eq!(value["usage"], json!({"input_tokens": 10, "output_tokens": 7}));
    assert_eq!((&value["id"], &value["model"]), (&json!("msg_1"), &json!("claude-sonnet-5")));
}

#[tokio::test]
async fn the_last_stop_reason_wins() {
    let message = after(
        ["tool_use", "end_turn"].map(|reason| change(json!({"stop_reason": reason}), json!({"output_tokens": 1}))),
    )
    .await;
    assert_eq!(message.stop_reason.unwrap(), "end_turn");
}

#[tokio::test]
async fn members_outside_the_contract_are_set_too() {
    let mut event = change(json!({"mood": "calm", "score": 1e300}), json!({"output_tokens": 5, "invented_tokens": 2}));
    event["context_management"] = json!({"applied_edits": []});
    let message = after([event, change(json!({"mood": null}), json!({"output_tokens": 6}))]).await;
    let value = serde_json::to_value(&message).unwrap();
    assert_eq!((&value["mood"], &value["score"]), (&json!("calm"), &json!(1e300)));
    assert_eq!(value["context_management"], json!({"applied_edits": []}));
    assert_eq!(value["usage"]["invented_tokens"], 2);
    let names: Vec<&str> = message.extra.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["mood", "score", "context_management"], "in the order that they came in");
}

#[tokio::test]
async fn usage_that_arrives_later_is_added() {
    for usage in [None, Some(Value::Null)] {
        let mut first = start();
        first["message"].as_object_mut().unwrap().remove("usage");
        first["message"].as_object_mut().unwrap().extend(usage.map(|usage| ("usage".to_owned(), usage)));
        let events = [first, change(json!({"stop_reason": "end_turn"}), json!({"output_tokens": 4})), stop()];
        let usage = read(stream_of([wire(&events)])).await.1.unwrap().usage.unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (None, Some(4)));
    }
}

#[tokio::test]
async fn a_change_to_something_impossible_is_a_protocol_error() {
    let mut event = change(json!({}), json!({"output_tokens": 4}));
    event["model"] = json!([1]);
    let error = failing(&[start(), event]).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "failed to decode the message after a `message_delta`");
    assert!(source.source().is_some());
    assert_eq!(error.partial_message().unwrap().model.as_deref(), Some("claude-sonnet-5"));
}
