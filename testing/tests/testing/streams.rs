//! Replies as streams of events.

use std::time::Duration;

use anthropic_messages_testing::{Chunking, Clock, Reply, Server};
use serde_json::{Value, json};

use crate::support::{ask, ask_for_stream, events, exchange, post, post_json};

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}

/// Returns the chunks of a chunked body, in order.
fn chunks(framed: &str) -> Vec<String> {
    let (mut rest, mut chunks) = (framed, Vec::new());
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        let (chunk, after) = after.split_at(length);
        chunks.push(chunk.to_owned());
        rest = after.strip_prefix("\r\n").unwrap();
    }
    assert_eq!(chunks.pop().as_deref(), Some(""), "the last chunk is empty");
    chunks
}

#[tokio::test]
async fn a_message_is_streamed_if_the_request_asks_for_it() {
    let server = Server::start().unwrap();
    server.reply(Reply::text("Hello, world").usage(5, 7).delta_length(6));
    let response = post(&server, &ask_for_stream("hi")).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    let events = events(&response.text().await.unwrap());
    assert_eq!(
        names(&events),
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert!(events.iter().all(|(name, data)| data["type"] == *name));
    let start = &events[0].1["message"];
    assert_eq!((&start["content"], &start["stop_reason"]), (&json!([]), &Value::Null));
    assert_eq!(start["usage"], json!({"input_tokens": 5, "output_tokens": 1}));
    assert_eq!(events[3].1["delta"], json!({"type": "text_delta", "text": "Hello,"}));
    assert_eq!(events[4].1["delta"], json!({"type": "text_delta", "text": " world"}));
    assert_eq!(events[6].1["delta"], json!({"stop_reason": "end_turn", "stop_sequence": null}));
    assert_eq!(events[6].1["usage"], json!({"input_tokens": 5, "output_tokens": 7}));
}

#[tokio::test]
async fn every_kind_of_delta_is_streamed() {
    let server = Server::start().unwrap();
    let cited = json!({"type": "text", "text": "cited", "citations": [{"type": "page_location"}]});
    let reply = Reply::thinking("hm", "sig").and_block(cited).and_tool_call("t", json!({"a": 1}));
    server.reply(reply);
    let events = events(&post(&server, &ask_for_stream("hi")).await.text().await.unwrap());
    let deltas: Vec<&Value> =
        events.iter().filter(|(name, _)| name == "content_block_delta").map(|(_, data)| &data["delta"]).collect();
    assert_eq!(
        deltas,
        [
            &json!({"type": "thinking_delta", "thinking": "hm"}),
            &json!({"type": "signature_delta", "signature": "sig"}),
            &json!({"type": "text_delta", "text": "cited"}),
            &json!({"type": "citations_delta", "citation": {"type": "page_location"}}),
            &json!({"type": "input_json_delta", "partial_json": ""}),
            &json!({"type": "input_json_delta", "partial_json": "{\"a\":1}"}),
        ]
    );
}

#[tokio::test]
async fn events_become_a_message_if_the_request_does_not_stream() {
    let server = Server::start().unwrap();
    server.reply(
        Reply::thinking("step by step", "sig").and_text("so").and_tool_call("t", json!({"a": [1, 2]})).delta_length(2),
    );
    let streamed = events(&post(&server, &ask_for_stream("hi")).await.text().await.unwrap());
    server.reply(Reply::events(streamed.iter().map(|(_, data)| data)));
    let (status, message) = post_json(&server, &ask("hi")).await;
    assert_eq!(status, 200);
    assert_eq!(message["content"][0], json!({"type": "thinking", "thinking": "step by step", "signature": "sig"}));
    assert_eq!(message["content"][1], json!({"type": "text", "text": "so"}));
    assert_eq!(message["content"][2]["input"], json!({"a": [1, 2]}));
    assert_eq!(message["stop_reason"], "tool_use");
}

#[tokio::test]
async fn events_are_streamed_unchanged() {
    let server = Server::start().unwrap();
    server.reply(Reply::events([json!({"type": "invented", "a": 1}), json!({"type": "ping"})]));
    let text = post(&server, &ask_for_stream("hi")).await.text().await.unwrap();
    let events = events(&text);
    assert_eq!(names(&events), ["invented", "ping"]);
    assert_eq!(events[0].1, json!({"type": "invented", "a": 1}));
}

#[tokio::test]
async fn json_and_stream_can_be_forced() {
    let server = Server::start().unwrap();
    server.reply(Reply::text("x").as_json()).then(Reply::text("x").as_stream());
    let json = post(&server, &ask_for_stream("hi")).await;
    assert_eq!(json.headers()["content-type"], "application/json");
    assert_eq!(json.json::<Value>().await.unwrap()["content"][0]["text"], "x");
    let stream = post(&server, &ask("hi")).await.text().await.unwrap();
    assert!(stream.starts_with("event: message_start\n"));
}

#[test]
fn a_stream_has_the_chunking_that_is_set() {
    let server = Server::start().unwrap();
    let reply = Reply::text("Hello").usage(1, 2);
    let sent = |chunking: Chunking| {
        server.reply(reply.clone().field("id", "msg_1").chunked(chunking));
        chunks(exchange(&server, &ask_for_stream("hi")).body())
    };
    let by_event = sent(Chunking::ByEvent);
    let whole = by_event.concat();
    assert_eq!(by_event.len(), 7);
    assert!(by_event.iter().all(|chunk| chunk.ends_with("\n\n")));
    assert_eq!(sent(Chunking::Whole).concat(), whole);
    assert_eq!(sent(Chunking::Whole).len(), 1);
    let sevens = sent(Chunking::Bytes(7));
    assert_eq!(sevens.concat(), whole);
    assert!(sevens.iter().rev().skip(1).all(|chunk| chunk.len() == 7));
    let at = sent(Chunking::At(vec![1, 50]));
    assert_eq!(at.iter().map(String::len).collect::<Vec<_>>(), [1, 49, whole.len() - 50]);
}

#[tokio::test]
async fn chunks_are_paced_by_the_clock_of_the_server() {
    let clock = Clock::manual();
    let server = Server::builder().clock(clock.clone()).start().unwrap();
    server.reply(Reply::events((0..3).map(|n| json!({"type": "ping", "n": n}))).paced(Duration::from_secs(5)));
    let mut response = post(&server, &ask_for_stream("hi")).await;
    for n in 0..3 {
        if n > 0 {
            server.until(|counts| counts.pausing == 1).await.unwrap();
            clock.advance(Duration::from_secs(4));
            assert_eq!(server.counts().pausing, 1, "a second is left");
            clock.advance(Duration::from_secs(1));
        }
        let chunk = response.chunk().await.unwrap().unwrap();
        assert!(std::str::from_utf8(&chunk).unwrap().contains(&format!("\"n\":{n}")), "{chunk:?}");
    }
    assert!(response.chunk().await.unwrap().is_none());
}

#[test]
fn a_skipping_clock_takes_no_time_and_shows_the_time_it_skipped() {
    let server = Server::builder().clock(Clock::skipping()).start().unwrap();
    server.reply(
        Reply::events([json!({"type": "ping"}), json!({"type": "ping"}), json!({"type": "ping"})])
            .paced(Duration::from_secs(3600))
            .delayed(Duration::from_secs(60)),
    );
    assert!(exchange(&server, &ask_for_stream("hi")).was_closed());
    assert_eq!(server.clock().now(), Duration::from_secs(2 * 3600 + 60));
}
