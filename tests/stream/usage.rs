//! Token counts that are absent or null do not fail the message.

use anthropic_messages::{AnthropicMessage, MessageCreateRequest, MessageResponse};
use anthropic_messages_testing::{Reply, Server};
use serde_json::{Value, json};

use crate::{
    message, read,
    stream::transcripts::{close, open, start, stop, text},
    stream_of, wire,
};

/// Usage as servers send it, and what is known then of input and output.
fn usages() -> Vec<(Option<Value>, Option<i64>, Option<i64>)> {
    vec![
        (None, None, None),
        (Some(Value::Null), None, None),
        (Some(json!({})), None, None),
        (Some(json!({"output_tokens": null})), None, None),
        (Some(json!({"input_tokens": null, "output_tokens": 7})), None, Some(7)),
        (Some(json!({"input_tokens": 3})), Some(3), None),
        (Some(json!({"input_tokens": 3, "output_tokens": 7, "cache_creation": {}})), Some(3), Some(7)),
        (Some(json!({"output_tokens": 7, "cache_creation": {"ephemeral_1h_input_tokens": null}})), None, Some(7)),
        (Some(json!({"output_tokens": 7, "cache_creation": null, "server_tool_use": null})), None, Some(7)),
        // Odd ones.
        (Some(json!("n/a")), None, None),
        (Some(json!([])), None, None),
        (Some(json!({"input_tokens": "many", "output_tokens": 7})), None, Some(7)),
        (Some(json!({"input_tokens": 3, "output_tokens": 7.5})), Some(3), None),
        (
            Some(json!({"input_tokens": 3, "output_tokens": 7, "cache_creation": 5, "server_tool_use": []})),
            Some(3),
            Some(7),
        ),
        (Some(json!({"output_tokens": 7, "server_tool_use": {"web_search_requests": "2"}, "speed": 1})), None, Some(7)),
    ]
}

fn with_usage(mut object: Value, usage: Option<&Value>) -> Value {
    object.as_object_mut().unwrap().remove("usage");
    if let Some(usage) = usage {
        object["usage"] = usage.clone();
    }
    object
}

fn known(message: &MessageResponse) -> (Option<i64>, Option<i64>) {
    message.usage.as_ref().map_or((None, None), |usage| (usage.input_tokens, usage.output_tokens))
}

async fn streamed(first: &Value, last: &Value) -> MessageResponse {
    let first = json!({"type": "message_start", "message": first});
    let events = [first, open(0, json!({"type": "text", "text": ""})), text(0, "Hi"), close(0), last.clone(), stop()];
    read(stream_of([wire(&events)])).await.1.unwrap()
}

#[tokio::test]
async fn one_rule_holds_in_all_three_places() {
    let server = Server::builder().check_requests(false).start().unwrap();
    let client = server.client().unwrap();
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 10);
    let none = with_usage(start()["message"].clone(), None);
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}});
    for (usage, input, output) in usages() {
        let usage = usage.as_ref();
        let mut whole = with_usage(none.clone(), usage);
        whole["content"] = json!([{"type": "text", "text": "Hi"}]);
        whole["stop_reason"] = json!("end_turn");
        server.reply(Reply::json(200, &whole));
        let whole = client.create_message(&request).await.unwrap().into_inner();
        assert_eq!(known(&whole), (input, output), "whole: {usage:?}");
        let written = serde_json::to_value(&whole).unwrap();
        assert_eq!(written.get("usage"), usage, "nothing is lost of it");
        let early = streamed(&with_usage(none.clone(), usage), &end).await;
        assert_eq!((known(&early), early.text()), ((input, output), "Hi".to_owned()), "at the start: {usage:?}");
        let late = streamed(&none, &with_usage(end.clone(), usage)).await;
        assert_eq!((known(&late), late.text()), ((input, output), "Hi".to_owned()), "at the end: {usage:?}");
    }
}

#[tokio::test]
async fn a_count_that_is_not_repeated_stays() {
    let first = start()["message"].clone();
    let odd = [json!(null), json!({}), json!({"output_tokens": null}), json!({"output_tokens": "many"}), json!("n/a")];
    for usage in [None].into_iter().chain(odd.map(Some)) {
        let end = with_usage(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}), usage.as_ref());
        assert_eq!(known(&streamed(&first, &end).await), (Some(10), Some(1)), "{usage:?}");
    }
}

#[tokio::test]
async fn a_message_delta_needs_no_delta() {
    let mut first = start()["message"].clone();
    first["stop_reason"] = json!("end_turn");
    for end in [
        json!({"type": "message_delta"}),
        json!({"type": "message_delta", "delta": null, "usage": null}),
        json!({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 1}}),
    ] {
        assert_eq!(streamed(&first, &end).await.text(), "Hi", "{end}");
    }
}

#[test]
fn total_input_tokens_is_the_sum_of_the_reported_counts() {
    let total = |usage: Value| message(json!({"usage": usage})).usage.unwrap().total_input_tokens();
    assert_eq!(total(json!({})), 0);
    assert_eq!(total(json!({"cache_read_input_tokens": 5})), 5);
}

#[test]
fn an_odd_count_is_in_extra_and_gives_way_to_a_known_one() {
    let mut message = message(json!({"usage": {"input_tokens": "many", "output_tokens": 7}}));
    let usage = message.usage.as_mut().unwrap();
    assert_eq!(usage.extra.get("input_tokens").unwrap().as_str(), "\"many\"");
    assert!(usage.check().is_ok());
    usage.input_tokens = Some(3);
    assert_eq!(serde_json::to_value(&message).unwrap()["usage"], json!({"input_tokens": 3, "output_tokens": 7}));
}
