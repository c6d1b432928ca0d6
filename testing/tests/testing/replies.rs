//! Replies that aren't streams.

use std::time::Duration;

use anthropic_messages::MessageResponse;
use anthropic_messages_testing::{At, Clock, Fault, Framing, Reply, Server};
use serde_json::{Value, json};

use crate::support::{answer, ask, exchange, post, post_json};

async fn sent(reply: Reply) -> (u16, Value) {
    let server = Server::start().unwrap();
    server.reply(reply);
    post_json(&server, &ask("hi")).await
}

#[tokio::test]
async fn a_text_becomes_a_whole_message_in_the_order_of_the_api() {
    let server = Server::start().unwrap();
    server.reply(Reply::text("Hi").usage(3, 4));
    let text = post(&server, &ask("hi")).await.text().await.unwrap();
    let id = text.split('"').nth(3).unwrap();
    assert!(id.starts_with("msg_01") && id.len() == 28, "{id}");
    let expected = format!(
        r#"{{"id":"{id}","type":"message","role":"assistant","model":"claude-sonnet-5","content":[{{"type":"text","text":"Hi"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":3,"output_tokens":4}}}}"#
    );
    assert_eq!(text, expected);
}

#[tokio::test]
async fn a_message_keeps_its_fields_and_gets_the_missing_ones() {
    let (_, message) = sent(Reply::message(json!({
        "id": "msg_mine", "content": [{"type": "text", "text": "x"}], "stop_reason": "max_tokens", "extra": [1]
    })))
    .await;
    assert_eq!(message["id"], "msg_mine");
    assert_eq!(message["stop_reason"], "max_tokens");
    assert_eq!(message["extra"], json!([1]));
    assert_eq!(message["model"], "claude-sonnet-5");
    assert_eq!(message["role"], "assistant");
}

#[tokio::test]
async fn a_typed_message_is_sent_unchanged() {
    let whole = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 1, "output_tokens": 2}
    });
    let typed: MessageResponse = serde_json::from_value(whole.clone()).unwrap();
    assert_eq!(sent(Reply::message(&typed)).await.1, whole);
}

#[tokio::test]
async fn tool_calls_get_ids_and_their_stop_reason() {
    let reply = Reply::text("Let me look.").and_tool_call("a", json!({"x": 1})).and_tool_call("b", json!({}));
    let (_, message) = sent(reply).await;
    assert_eq!(message["stop_reason"], "tool_use");
    let blocks = message["content"].as_array().unwrap();
    assert_eq!(blocks[0], json!({"type": "text", "text": "Let me look."}));
    assert_eq!((&blocks[1]["name"], &blocks[1]["input"]), (&json!("a"), &json!({"x": 1})));
    assert_eq!(blocks[2]["type"], "tool_use");
    assert_ne!(blocks[1]["id"], blocks[2]["id"]);

    let block = json!({"type": "tool_use", "id": "toolu_mine", "name": "a", "input": {}});
    let (_, message) = sent(Reply::text("x").and_block(block.clone())).await;
    assert_eq!(message["content"][1], block);
}

#[tokio::test]
async fn thinking_other_blocks_and_fields_can_be_added() {
    let reply = Reply::thinking("hm", "sig")
        .and_block(json!({"type": "redacted_thinking", "data": "x"}))
        .and_text("so")
        .stop_reason("stop_sequence")
        .field("stop_sequence", "END")
        .field("container", json!({"id": "c"}));
    let (_, message) = sent(reply).await;
    assert_eq!(
        message["content"],
        json!([
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "so"}
        ])
    );
    assert_eq!(message["stop_reason"], "stop_sequence");
    assert_eq!(message["stop_sequence"], "END");
    assert_eq!(message["container"]["id"], "c");
}

#[tokio::test]
async fn numbers_keep_their_text() {
    let server = Server::start().unwrap();
    let input: Box<serde_json::value::RawValue> =
        serde_json::from_str(r#"{"n":123456789012345678901234567890,"x":1e400}"#).unwrap();
    server.reply(Reply::tool_call("t", input));
    let text = post(&server, &ask("hi")).await.text().await.unwrap();
    assert!(text.contains(r#""input":{"n":123456789012345678901234567890,"x":1e400}"#), "{text}");
}

#[tokio::test]
async fn an_api_error_has_its_type_message_details_and_headers() {
    let server = Server::start().unwrap();
    let details = json!({"error_code": "ramp_limit_exceeded"});
    server.reply(Reply::error(429, "rate_limit_error", "slow down").details(details.clone()).header("x-a", "1"));
    let response = post(&server, &ask("hi")).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["x-a"], "1");
    assert_eq!(response.headers()["content-type"], "application/json");
    let id = response.headers()["request-id"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    let error = json!({"type": "rate_limit_error", "message": "slow down", "details": details});
    assert_eq!(body, json!({"type": "error", "error": error, "request_id": id}));
}

#[tokio::test]
async fn a_status_implies_its_error_type() {
    let table = [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ];
    for (status, kind) in table {
        let (sent_status, body) = sent(Reply::status(status)).await;
        assert_eq!((sent_status, &body["error"]["type"]), (status, &json!(kind)));
    }
    assert_eq!(sent(Reply::overloaded()).await.0, 529);
    assert_eq!(sent(Reply::rate_limited()).await.0, 429);
}

#[tokio::test]
async fn retry_after_has_milliseconds_only_if_seconds_are_inexact() {
    let server = Server::start().unwrap();
    server.reply(Reply::overloaded().retry_after(Duration::from_secs(7)).should_retry(false));
    server.reply(Reply::overloaded().retry_after(Duration::from_millis(1500)));
    let whole = post(&server, &ask("hi")).await;
    assert_eq!(whole.headers()["retry-after"], "7");
    assert!(!whole.headers().contains_key("retry-after-ms"));
    assert_eq!(whole.headers()["x-should-retry"], "false");
    let part = post(&server, &ask("hi")).await;
    assert_eq!(part.headers()["retry-after"], "2");
    assert_eq!(part.headers()["retry-after-ms"], "1500");
}

#[tokio::test]
async fn a_scripted_header_replaces_the_servers_own() {
    let server = Server::start().unwrap();
    server.reply(Reply::text("x").header("request-id", "req_mine").header("x-a", "1").header("x-a", "2"));
    let response = post(&server, &ask("hi")).await;
    assert_eq!(response.headers().get_all("request-id").iter().collect::<Vec<_>>(), ["req_mine"]);
    assert_eq!(response.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
}

#[tokio::test]
async fn a_header_of_the_server_can_be_removed() {
    let server = Server::start().unwrap();
    server.reply(Reply::text("x").without_header("Request-Id").without_header("content-type"));
    let response = post(&server, &ask("hi")).await;
    let names: Vec<&str> = response.headers().keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["content-length"]);
}

#[tokio::test]
async fn a_header_need_not_be_text() {
    let server = Server::start().unwrap();
    server.reply(Reply::text("x").header("x-a", b"\x80\xff"));
    assert_eq!(post(&server, &ask("hi")).await.headers()["x-a"].as_bytes(), b"\x80\xff");
}

#[tokio::test]
async fn a_reply_can_have_no_body() {
    let server = Server::start().unwrap();
    server.reply(Reply::empty(503).header("x-a", "1"));
    let response = post(&server, &ask("hi")).await;
    assert_eq!((response.status().as_u16(), &response.headers()["x-a"].to_str().unwrap()), (503, &"1"));
    assert_eq!(
        (response.headers().get("content-type"), response.headers()["content-length"].as_bytes()),
        (None, &b"0"[..])
    );
    assert_eq!(response.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn raw_bodies_are_sent_unchanged() {
    assert_eq!(sent(Reply::json(201, json!({"b": 1}))).await, (201, json!({"b": 1})));
    let server = Server::start().unwrap();
    server.reply(Reply::raw(200, "application/octet-stream", vec![0, 255, 1]));
    server.reply(Reply::gateway_page(502));
    let raw = post(&server, &ask("hi")).await;
    assert_eq!(raw.headers()["content-type"], "application/octet-stream");
    assert_eq!(&raw.bytes().await.unwrap()[..], [0, 255, 1]);
    let page = post(&server, &ask("hi")).await;
    assert_eq!((page.status().as_u16(), page.headers()["content-type"].to_str().unwrap()), (502, "text/html"));
    assert!(page.text().await.unwrap().starts_with("<html>"));
}

#[tokio::test]
async fn a_closure_can_reply() {
    let server = Server::start().unwrap();
    server
        .reply(Reply::from_request(|request| {
            Reply::text(format!("{} {}", request.number(), request.last_user_text().unwrap()))
        }))
        .times(2);
    assert_eq!(answer(&server, &ask("a")).await, "1 a");
    assert_eq!(answer(&server, &ask("b")).await, "2 b");
}

#[tokio::test]
async fn settings_of_a_reply_apply_to_the_reply_of_its_closure() {
    let server = Server::start().unwrap();
    let made = || Reply::from_request(|_| Reply::text("made").header("x-inner", "1"));
    server.reply(made().header("x-outer", "2"));
    let reply = post(&server, &ask("hi")).await;
    assert_eq!(
        (&reply.headers()["x-inner"], &reply.headers()["x-outer"]),
        (&"1".parse().unwrap(), &"2".parse().unwrap())
    );
    server.reply(made().fault(Fault::reset(At::AfterByte(20))));
    assert!(post(&server, &ask("hi")).await.bytes().await.is_err());
}

#[tokio::test]
async fn a_reply_can_be_delayed() {
    let clock = Clock::manual();
    let server = Server::builder().clock(clock.clone()).start().unwrap();
    server.reply(Reply::text("late").delayed(Duration::from_secs(60)));
    let (reply, ()) = tokio::join!(answer_owned(&server), async {
        server.until(|counts| counts.pausing == 1).await.unwrap();
        clock.advance(Duration::from_secs(59));
        assert_eq!(server.counts().pausing, 1);
        clock.advance(Duration::from_secs(1));
    });
    assert_eq!(reply, "late");
}

async fn answer_owned(server: &Server) -> String {
    answer(server, &ask("hi")).await
}

#[test]
fn a_body_has_the_framing_that_is_set() {
    let server = Server::start().unwrap();
    let reply = Reply::json(200, json!([1, 2, 3]));
    server.reply(reply.clone());
    let plain = exchange(&server, &ask("hi"));
    assert!(plain.head().contains("content-length: 7"), "{}", plain.head());
    assert_eq!(plain.body(), "[1,2,3]");

    server.reply(reply.clone().framed(Framing::Chunked));
    let chunked = exchange(&server, &ask("hi"));
    assert!(chunked.head().contains("transfer-encoding: chunked"));
    assert_eq!(chunked.body(), "7\r\n[1,2,3]\r\n0\r\n\r\n");

    server.reply(reply.framed(Framing::UntilClose));
    let closed = exchange(&server, &ask("hi"));
    assert!(!closed.head().contains("content-length") && !closed.head().contains("transfer-encoding"));
    assert_eq!(closed.body(), "[1,2,3]");
    assert!(closed.was_closed());
}

#[tokio::test]
async fn identifiers_follow_from_the_seed() {
    async fn bytes(seed: u64) -> String {
        let server = Server::builder().seed(seed).start().unwrap();
        server.reply(Reply::tool_call("t", json!({})));
        let response = post(&server, &ask("hi")).await;
        format!("{:?}", response.headers()) + &response.text().await.unwrap()
    }
    assert_eq!(bytes(1).await, bytes(1).await);
    assert_ne!(bytes(1).await, bytes(2).await);
}
