//! The span of a call. `telemetry/tests` compares exported spans.

#![cfg(test)]
#![cfg(feature = "tracing")]

mod support;
mod tracing {
    mod streams;
}

use std::collections::BTreeMap;

use anthropic_messages::internal_for_tests::TestClientBuilder as _;
use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};
use anthropic_messages_testing::Server;
use support::answers::{answer, answering, api_error, json, message};
use support::bodies::message_body;
use support::capture::Capture;
use support::timing::NoWaiting;

/// Makes a call with a model of this name, and returns the fields of its span.
async fn span(server: &Server, model: &str) -> BTreeMap<String, String> {
    let capture = Capture::begin();
    let builder = Client::builder().api_key("k").base_url(server.base_url()).no_proxy().timing(NoWaiting::default());
    let request = MessageCreateRequest::new(model, [AnthropicMessage::user("Hello")], 1024);
    let _ = builder.build().unwrap().create_message(&request).await;
    let spans = capture.spans("anthropic_messages.call");
    let of_model = spans.into_iter().filter(|span| span.get("gen_ai.request.model").is_some_and(|name| name == model));
    let [span] = of_model.collect::<Vec<_>>().try_into().unwrap();
    span
}

#[track_caller]
fn has(span: &BTreeMap<String, String>, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        assert_eq!(span.get(*name).map(String::as_str), Some(*value), "{name} of {span:#?}");
    }
}

#[tokio::test]
async fn a_call_is_one_span_with_the_names_of_opentelemetry() {
    let server = answering([api_error(529, "overloaded_error"), message("Hi")]);
    let span = span(&server, "claude-success").await;
    let port = server.address().port().to_string();
    has(
        &span,
        &[
            ("otel.kind", "client"),
            ("otel.name", "chat claude-success"),
            ("anthropic.operation", "create_message"),
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "anthropic"),
            ("gen_ai.request.max_tokens", "1024"),
            ("gen_ai.response.id", "msg_1"),
            ("gen_ai.response.model", "claude-sonnet-5"),
            ("gen_ai.response.finish_reasons", "end_turn"),
            ("gen_ai.usage.input_tokens", "3"),
            ("gen_ai.usage.output_tokens", "5"),
            ("http.response.status_code", "200"),
            ("http.request.resend_count", "1"),
            ("anthropic.request.id", "req_1"),
            ("server.address", "127.0.0.1"),
            ("server.port", &port),
        ],
    );
    assert_eq!(span.get("error.type"), None);
}

#[tokio::test]
async fn a_call_that_fails_says_why_in_its_span() {
    let server = answering([api_error(404, "not_found_error")]);
    let span = span(&server, "claude-failure").await;
    has(
        &span,
        &[
            ("http.response.status_code", "404"),
            ("error.type", "not_found"),
            ("otel.status_code", "ERROR"),
            ("otel.status_description", &format!("404 Not Found from `{}/messages`", server.base_url())),
        ],
    );
}

#[tokio::test]
async fn an_answer_that_can_not_be_used_is_a_failure_in_its_span() {
    let html = [("content-type", "text/html; canary"), ("request-id", "req_1")];
    let answers = [
        ("decode", "200", json(200, r#"{"content":[{"type":"text","text":["canary"]}]}"#)),
        ("content_type", "200", answer(200, &html, "canary")),
        ("unexpected_status", "202", json(202, message_body("Hi"))),
    ];
    for (kind, status, reply) in answers {
        let span = span(&answering([reply]), &format!("claude-{kind}")).await;
        has(
            &span,
            &[
                ("error.type", kind),
                ("otel.status_code", "ERROR"),
                ("http.response.status_code", status),
                ("anthropic.request.id", "req_1"),
            ],
        );
        assert!(span.contains_key("otel.status_description") && !format!("{span:?}").contains("canary"), "{span:?}");
    }
}

#[tokio::test]
async fn every_retry_is_an_event() {
    let server = answering([api_error(503, "api_error"), message("Hi")]);
    span(&server, "claude-retry").await;
    let lines = Capture::begin().lines();
    let retry = lines
        .iter()
        .find(|line| line.contains("retrying") && line.contains(r#""http.response.status_code": "503""#))
        .unwrap();
    for field in [r#""delay": "0.4375""#, r#""attempt": "1""#, r#""error.type": "server""#] {
        assert!(retry.contains(field), "{retry}");
    }
}
