//! The spans of scripted calls, as `tracing-opentelemetry` exports them.
//!
//! `UPDATE_SPANS=1 cargo test -p anthropic-messages-telemetry` writes `spans.txt` anew.

#![cfg(test)]

use std::{collections::BTreeMap, fmt::Write as _, path::Path, time::Duration};

use anthropic_messages::{
    AnthropicMessage, Client, ClientBuilder, Json, MessageCreateRequest, OutputConfig, observe,
    schemars::{self, JsonSchema},
    tools::{Tool, ToolError},
    types::{CountTokensRequest, JsonOutputFormat},
};
use anthropic_messages_testing::{At, Fault, Reply, Server};
use opentelemetry::{
    Value,
    propagation::{Injector, TextMapPropagator},
    trace::{Status, TracerProvider as _},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};
use serde::Deserialize;
use serde_json::json;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt};

/// The types of all attributes.
const TYPES: [(&str, &str); 30] = [
    ("anthropic.operation", "string"),
    ("anthropic.request.id", "string"),
    ("attempt", "int"),
    ("delay", "double"),
    ("error.type", "string"),
    ("gen_ai.operation.name", "string"),
    ("gen_ai.output.type", "string"),
    ("gen_ai.provider.name", "string"),
    ("gen_ai.request.max_tokens", "int"),
    ("gen_ai.request.model", "string"),
    ("gen_ai.request.stream", "boolean"),
    ("gen_ai.request.temperature", "double"),
    ("gen_ai.request.top_k", "double"),
    ("gen_ai.request.top_p", "double"),
    // The convention has a list, which `tracing` can't record.
    ("gen_ai.response.finish_reasons", "string"),
    ("gen_ai.response.id", "string"),
    ("gen_ai.response.model", "string"),
    ("gen_ai.response.time_to_first_chunk", "double"),
    ("gen_ai.tool.call.id", "string"),
    ("gen_ai.tool.name", "string"),
    ("gen_ai.tool.type", "string"),
    ("gen_ai.usage.cache_read.input_tokens", "int"),
    ("gen_ai.usage.cache_write.input_tokens", "int"),
    ("gen_ai.usage.input_tokens", "int"),
    ("gen_ai.usage.output_tokens", "int"),
    ("gen_ai.usage.reasoning.output_tokens", "int"),
    ("http.request.resend_count", "int"),
    ("http.response.status_code", "int"),
    ("reason", "string"),
    ("server.port", "int"),
];

/// Attributes whose values differ from run to run.
const VARIABLE: [&str; 3] = ["delay", "gen_ai.response.time_to_first_chunk", "server.port"];

/// Returns the spans that are exported while a call runs.
async fn spans(call: impl AsyncFnOnce()) -> Vec<SpanData> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("test"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_level(false)
        .with_filter(Targets::new().with_target("anthropic_messages", tracing::Level::INFO));
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    call().await;
    drop(guard);
    provider.force_flush().unwrap();
    let mut spans = exporter.get_finished_spans().unwrap();
    spans.sort_by_key(|span| span.start_time);
    spans
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::I64(_) => "int",
        Value::F64(_) => "double",
        Value::String(_) => "string",
        _ => "another type",
    }
}

/// Writes attributes in alphabetical order, after checking that each is there once and of its type.
fn attributes<'a>(attributes: impl IntoIterator<Item = &'a opentelemetry::KeyValue>, text: &mut String, port: u16) {
    let mut sorted = BTreeMap::new();
    for attribute in attributes {
        let name = attribute.key.as_str();
        // `tracing-opentelemetry` adds these to every event.
        if ["level", "target"].contains(&name) {
            continue;
        }
        let expected = TYPES.iter().chain([&("server.address", "string")]).find(|(known, _)| *known == name);
        assert_eq!(expected.map(|(_, expected)| *expected), Some(type_of(&attribute.value)), "{name}");
        assert!(sorted.insert(name, &attribute.value).is_none(), "{name} is there twice");
    }
    for (name, value) in sorted {
        let value = value.as_str().replace(&port.to_string(), "PORT");
        let shown = if VARIABLE.contains(&name) { "…" } else { &value };
        writeln!(
            text,
            "    {name}: {} = {shown}",
            TYPES.iter().find(|(known, _)| *known == name).map_or("string", |(_, r#type)| r#type)
        )
        .unwrap();
    }
}

fn rendered(spans: &[SpanData], port: u16) -> String {
    let mut text = String::new();
    for span in spans {
        let status = match &span.status {
            Status::Unset => "unset".to_owned(),
            Status::Ok => "ok".to_owned(),
            Status::Error { description } => format!("error: {description}").replace(&port.to_string(), "PORT"),
        };
        writeln!(text, "  {} ({:?}), {status}", span.name, span.span_kind).unwrap();
        attributes(&span.attributes, &mut text, port);
        for event in &span.events.events {
            writeln!(text, "   {}", event.name).unwrap();
            attributes(&event.attributes, &mut text, port);
        }
    }
    text
}

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("canary")], 1024)
}

/// Makes calls of a server with these replies, and writes down their spans.
async fn scripted(
    replies: impl IntoIterator<Item = Reply>,
    options: impl FnOnce(ClientBuilder) -> ClientBuilder,
    call: impl AsyncFnOnce(Client),
) -> String {
    let server = Server::builder().check_requests(false).start().unwrap();
    let mut replies = replies.into_iter();
    if let Some(first) = replies.next() {
        let _ = replies.fold(server.reply(first), |expectation, reply| expectation.then(reply));
    }
    let client = options(server.client_builder()).build().unwrap();
    let spans = spans(async || call(client).await).await;
    rendered(&spans, server.address().port())
}

async fn whole(replies: impl IntoIterator<Item = Reply>) -> String {
    scripted(replies, |builder| builder, async |client| drop(client.create_message(&request()).await)).await
}

async fn streamed(replies: impl IntoIterator<Item = Reply>) -> String {
    let read = async |client: Client| {
        if let Ok(mut stream) = client.stream_message(&request()).await {
            let _ = stream.final_message().await;
        }
    };
    scripted(replies, |builder| builder.idle_timeout(Duration::from_millis(50)), read).await
}

fn text() -> Reply {
    Reply::text("canary").header("request-id", "req_1").field("id", "msg_1")
}

fn busy() -> Reply {
    Reply::overloaded().retry_after(Duration::from_millis(1)).header("request-id", "req_0")
}

fn cached() -> Reply {
    let usage = json!({"input_tokens": 3, "cache_read_input_tokens": 9000, "cache_creation_input_tokens": 12,
        "output_tokens": 5});
    text().field("usage", usage)
}

#[tokio::test]
async fn spans_of_calls_are_those_of_the_snapshot() {
    let mut calls: Vec<(&str, String)> = Vec::new();
    calls.push(("complete reply", whole([text()]).await));
    calls.push(("retried", whole([busy(), text()]).await));
    calls.push(("retried in vain", whole([busy(), busy(), busy()]).await));
    let not_found = || Reply::error(404, "not_found_error", "canary").header("request-id", "req_1");
    calls.push(("not found", whole([not_found()]).await));
    calls.push(("refused by the model", whole([text().stop_reason("refusal")]).await));
    calls.push(("cut by the token limit", whole([text().stop_reason("max_tokens")]).await));
    calls.push(("cached prompt", whole([cached()]).await));
    let thinking = json!({"input_tokens": 3, "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 40}});
    calls.push((
        "thinking",
        whole([Reply::thinking("canary", "sig")
            .and_text("canary")
            .header("request-id", "req_1")
            .field("id", "msg_1")
            .field("usage", thinking)])
        .await,
    ));
    let tool =
        Reply::tool_call("weather", json!({"city": "canary"})).header("request-id", "req_1").field("id", "msg_1");
    calls.push(("tool call", whole([tool]).await));
    calls.push((
        "page of a gateway",
        whole([Reply::raw(200, "text/html", "canary").header("request-id", "req_1")]).await,
    ));
    let undecodable =
        Reply::json(200, json!({"content": [{"type": "text", "text": ["canary"]}]})).header("request-id", "req_1");
    calls.push(("undecodable", whole([undecodable]).await));
    let parameters = async |client: Client| {
        let schema: Json = json!({"type": "object"}).into();
        let request = request()
            .set_extra("temperature", json!(0.5))
            .set_extra("top_k", json!(40))
            .output_config(OutputConfig::new().format(JsonOutputFormat::new(schema)));
        let _ = client.create_message(&request).await;
    };
    calls.push(("parameters", scripted([text()], |builder| builder, parameters).await));
    let count = async |client: Client| {
        let request = CountTokensRequest::new("claude-sonnet-5", [AnthropicMessage::user("canary")]);
        let _ = client.count_tokens(&request).await;
    };
    calls.push((
        "token count",
        scripted(
            [Reply::json(200, json!({"input_tokens": 14})).header("request-id", "req_1")],
            |builder| builder,
            count,
        )
        .await,
    ));
    let limit = |builder: ClientBuilder| builder.timeout(Duration::from_millis(50));
    let create = async |client: Client| drop(client.create_message(&request()).await);
    calls.push(("timeout", scripted([text().fault(Fault::stall(At::BeforeHeaders))], limit, create).await));
    let abandon = async |client: Client| {
        let _ = tokio::time::timeout(Duration::from_millis(50), client.create_message(&request())).await;
    };
    calls.push((
        "dropped call",
        scripted([text().fault(Fault::stall(At::BeforeHeaders))], |builder| builder, abandon).await,
    ));
    let long = async |client: Client| {
        let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("canary")], 32_000);
        let _ = client.create_message(&request).await;
    };
    calls.push(("long reply, sent as a stream", scripted([text()], |builder| builder, long).await));
    calls.push(("streamed", streamed([text()]).await));
    calls.push(("streamed, cached prompt", streamed([busy(), cached()]).await));
    calls.push(("cut stream", streamed([text().fault(Fault::close(At::AfterEvent(3)))]).await));
    calls.push((
        "stream with an error",
        streamed([text().fault(Fault::error_event(3, "overloaded_error", "canary"))]).await,
    ));
    calls.push(("silent stream", streamed([text().fault(Fault::stall(At::AfterEvent(3)))]).await));
    let abandon = async |client: Client| {
        let mut stream = client.stream_message(&request()).await.unwrap();
        stream.next().await.unwrap().unwrap();
    };
    calls.push(("dropped stream", scripted([text()], |builder| builder, abandon).await));

    let calls_of_tools = Reply::message(json!({
        "id": "msg_1", "role": "assistant", "model": "claude-sonnet-5", "stop_reason": "tool_use",
        "usage": {"input_tokens": 3, "output_tokens": 5},
        "content": [
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "canary"}},
            {"type": "tool_use", "id": "toolu_2", "name": "broken", "input": {"city": "canary"}},
        ],
    }));
    let run = async |client: Client| {
        let weather =
            Tool::new("weather", "Weather of a city", |city: City| async move { format!("canary {}", city.city) });
        let broken = Tool::new("broken", "Fails", |_: City| async { Err::<String, _>(ToolError::new("canary")) });
        let _ = client.run_tools(request(), [weather, broken]).max_parallel(1).await;
    };
    let replies = [calls_of_tools.header("request-id", "req_1"), text()];
    let with_tools = scripted(replies, |builder| builder, run).await;

    let found: String = calls.iter().map(|(name, spans)| format!("{name}\n{spans}\n")).collect();
    assert!(found.matches("gen_ai.operation.name").count() == calls.len(), "a span for each call");
    let found = format!("{found}run with tools\n{with_tools}");
    assert!(!found.replace("gen_ai.request.model", "").contains("canary"), "content in\n{found}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spans.txt");
    if std::env::var_os("UPDATE_SPANS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "UPDATE_SPANS=1 writes these spans:\n{found}");
}

#[derive(Deserialize, JsonSchema)]
struct City {
    city: String,
}

/// Injects the context of the call's span into its requests.
#[derive(Debug)]
struct Propagation;

impl observe::Observer for Propagation {
    fn request(&self, request: &mut observe::Request<'_>) -> Result<(), observe::ObserverError> {
        struct Headers<'a, 'r>(&'a mut observe::Request<'r>, Result<(), observe::ObserverError>);
        impl Injector for Headers<'_, '_> {
            fn set(&mut self, name: &str, value: String) {
                if self.1.is_ok() && !value.is_empty() {
                    self.1 = self.0.set_header(name, &value);
                }
            }
        }
        let mut headers = Headers(request, Ok(()));
        TraceContextPropagator::new().inject_context(&tracing::Span::current().context(), &mut headers);
        headers.1
    }
}

#[tokio::test]
async fn the_trace_context_of_the_span_is_sent() {
    let server = Server::start().unwrap();
    server.reply(busy()).then(text());
    let client = server.client_builder().observer(Propagation).build().unwrap();
    let spans = spans(async || drop(client.create_message(&request()).await)).await;
    let [span] = &spans[..] else { panic!("{spans:?}") };
    let expected = format!("00-{}-{}-01", span.span_context.trace_id(), span.span_context.span_id());
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.header("traceparent"), Some(&*expected));
    }
}
