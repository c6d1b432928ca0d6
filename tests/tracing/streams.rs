//! The span of a call that is answered with a stream.

use std::{collections::BTreeMap, time::Duration};

use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};
use anthropic_messages_testing::{At, Fault, Reply};

use crate::{
    has,
    support::answers::{answer, answering},
    support::capture::Capture,
};

const START: &str = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"role\":\"assistant\",\
    \"model\":\"claude-sonnet-5\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n";
const END: &str = "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\
    \"usage\":{\"output_tokens\":5}}\n\ndata: {\"type\":\"message_stop\"}\n\n";

/// Reads a stream of a model of this name to its end, and returns the fields of its span.
async fn span(events: String, model: &str) -> BTreeMap<String, String> {
    let headers = [("content-type", "text/event-stream"), ("request-id", "req_1")];
    span_of(answer(200, &headers, events), model).await
}

/// The same of any answer.
async fn span_of(reply: Reply, model: &str) -> BTreeMap<String, String> {
    let capture = Capture::begin();
    let server = answering([reply]);
    let builder = Client::builder().api_key("k").base_url(server.base_url()).no_proxy();
    let client = builder.idle_timeout(Duration::from_millis(20)).build().unwrap();
    let request = MessageCreateRequest::new(model, [AnthropicMessage::user("Hello")], 1024);
    if let Ok(mut stream) = client.stream_message(&request).await {
        let _ = stream.final_message().await;
    }
    let spans = capture.spans("anthropic_messages.call");
    let of_model = spans.into_iter().filter(|span| span.get("gen_ai.request.model").is_some_and(|name| name == model));
    let [span] = of_model.collect::<Vec<_>>().try_into().unwrap();
    span
}

#[tokio::test]
async fn a_stream_says_in_its_span_how_it_ended() {
    let span = span(format!("{START}{END}"), "claude-streamed").await;
    has(
        &span,
        &[
            ("otel.name", "chat claude-streamed"),
            ("anthropic.operation", "create_message_stream"),
            ("gen_ai.request.stream", "true"),
            ("gen_ai.response.id", "msg_1"),
            ("gen_ai.response.model", "claude-sonnet-5"),
            ("gen_ai.response.finish_reasons", "end_turn"),
            ("gen_ai.usage.input_tokens", "3"),
            ("gen_ai.usage.output_tokens", "5"),
            ("http.response.status_code", "200"),
            ("anthropic.request.id", "req_1"),
        ],
    );
    assert!(span.contains_key("gen_ai.response.time_to_first_chunk"));
    assert_eq!(span.get("error.type"), None);
}

#[tokio::test]
async fn a_stream_that_fails_says_why_in_its_span_and_nothing_of_what_was_said() {
    let failed = "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"canary\"}}\n\n";
    let overloaded = span(format!("{START}{failed}"), "claude-overloaded").await;
    has(&overloaded, &[("error.type", "overloaded"), ("otel.status_code", "ERROR"), ("gen_ai.response.id", "msg_1")]);
    assert!(!format!("{overloaded:?}").contains("canary"));
    has(&span(START.to_owned(), "claude-cut").await, &[("error.type", "incomplete"), ("otel.status_code", "ERROR")]);
}

#[tokio::test]
async fn a_stream_that_falls_silent_says_so_and_how_long_it_took() {
    let span = span_of(Reply::text("Hi").fault(Fault::stall(At::AfterEvent(2))), "claude-silent").await;
    has(&span, &[("error.type", "stalled"), ("otel.status_code", "ERROR")]);
}

#[tokio::test]
async fn an_answer_that_is_no_stream_is_a_failure_in_its_span() {
    let page = span_of(answer(200, &[("content-type", "text/html; canary")], "canary"), "claude-page").await;
    has(&page, &[("error.type", "content_type"), ("otel.status_code", "ERROR")]);
    let json = [("content-type", "application/json")];
    let wrong = span_of(answer(200, &json, r#"{"content":[{"type":"text","text":["canary"]}]}"#), "claude-wrong").await;
    has(&wrong, &[("error.type", "decode"), ("otel.status_code", "ERROR")]);
    for span in [page, wrong] {
        assert!(!format!("{span:?}").contains("canary"), "{span:?}");
    }
}
