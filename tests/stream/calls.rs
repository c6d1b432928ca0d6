//! Streams of a client: the request and the response.

use std::sync::{Arc, Mutex};

use anthropic_messages::{
    AnthropicMessage, ErrorKind, MessageCreateRequest, MessageStream, Observer, StreamEvent, observe,
};
use anthropic_messages_testing::{At, Fault, Matcher, Reply, Server};
use serde_json::{Value, json};

use crate::{read, stream::transcripts};

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024)
}

fn names(events: &[StreamEvent]) -> Vec<String> {
    events.iter().map(|event| event.to_sse().unwrap().event.into_owned()).collect()
}

#[tokio::test]
async fn a_stream_requests_events_and_reports_its_response() {
    let server = Server::start().unwrap();
    server.reply(Reply::text("Hi").header("anthropic-ratelimit-tokens-remaining", "7"));
    let mut stream = server.client().unwrap().stream_message(&request()).await.unwrap();
    let sent = server.last_request().unwrap();
    assert!(sent.wants_stream());
    let body: Value = serde_json::from_slice(sent.body()).unwrap();
    assert_eq!((&body["max_tokens"], &body["messages"][0]["role"]), (&json!(1024), &json!("user")));
    let response = stream.response().unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 1));
    assert_eq!(response.rate_limits().tokens.remaining, Some(7));
    assert!(stream.request_id().is_some_and(|id| response.headers()["request-id"] == id));
    assert_eq!(stream.message().text(), "");
    assert_eq!(stream.final_message().await.unwrap().text(), "Hi");
}

#[tokio::test]
async fn a_stream_is_asked_for_once_whatever_the_request_says() {
    let server = Server::start().unwrap();
    let client = server.client().unwrap();
    let asked = request().stream(true).set_extra("top_k", 5);
    for stream in [None, Some(false), Some(true)] {
        let mut said = asked.clone();
        said.stream = stream;
        server.reply("Hi");
        client.stream_message(&said).await.unwrap();
        let sent = String::from_utf8(server.last_request().unwrap().body().to_vec()).unwrap();
        assert_eq!(sent.matches("\"stream\"").count(), 1, "{sent}");
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(sent, serde_json::to_value(&asked).unwrap());
    }
}

#[tokio::test]
async fn a_streamed_request_differs_only_in_stream() {
    let server = Server::start().unwrap();
    let (input, odd) = (r#"{"b":1.0,"a":0.10,"c":1.50E+3}"#, r#"{"z":1E2,"y":12345678901234567890123}"#);
    let call = format!(r#"{{"type":"tool_use","id":"toolu_1","name":"look_up","input":{input}}}"#);
    let result = r#"{"type":"tool_result","tool_use_id":"toolu_1","content":"0"}"#;
    let turns = format!(
        r#"[{{"role":"user","content":"Hi"}},{{"role":"assistant","content":[{call}]}},{{"role":"user","content":[{result}]}}]"#
    );
    let said = format!(r#"{{"model":"claude-sonnet-5","messages":{turns},"max_tokens":1,"odd":{odd}}}"#);
    let request: MessageCreateRequest = serde_json::from_str(&said).unwrap();
    server.when(Matcher::any()).reply("Hi");
    server.client().unwrap().stream_message(&request).await.unwrap();
    let sent = String::from_utf8(server.last_request().unwrap().body().to_vec()).unwrap();
    let unasked = serde_json::to_string(&request).unwrap();
    assert_eq!(sent, format!(r#"{},"stream":true}}"#, unasked.strip_suffix('}').unwrap()));
    assert!(sent.contains(input) && sent.contains(odd), "{sent}");
}

#[tokio::test]
async fn a_stream_and_a_whole_answer_give_equal_messages() {
    let server = Server::start().unwrap();
    let client = server.client().unwrap();
    for transcript in transcripts::all() {
        for delta_length in [1, 7, 1000] {
            let reply = || Reply::message(&transcript.message).delta_length(delta_length);
            server.reply(reply()).then(reply());
            let whole = client.create_message(&request()).await.unwrap().into_inner();
            let streamed = client.stream_message(&request()).await.unwrap().final_message().await.unwrap();
            assert_eq!(streamed, whole, "{}", transcript.name);
        }
        // The server assembles the same events with separate code, based on the contract alone.
        if transcript.name.starts_with("blocks that begin") {
            continue;
        }
        server.reply(Reply::events(&transcript.events)).then(Reply::events(&transcript.events));
        let whole = client.create_message(&request()).await.unwrap().into_inner();
        let streamed = client.stream_message(&request()).await.unwrap().final_message().await.unwrap();
        assert_eq!(streamed, whole, "{}", transcript.name);
    }
}

#[tokio::test]
async fn a_complete_message_in_place_of_a_stream_yields_its_events() {
    let server = Server::start().unwrap();
    for transcript in transcripts::all() {
        server.reply(Reply::json(200, &transcript.message));
        let stream = server.client().unwrap().stream_message(&request()).await.unwrap();
        assert!(stream.request_id().is_some());
        let (events, message) = read(stream).await;
        assert_eq!(message.unwrap(), transcript.message, "{}", transcript.name);
        assert!(matches!(events.last(), Some(StreamEvent::MessageStop(_))));
    }
    server.reply(Reply::text("Hello").and_text(" you").as_json());
    let mut stream = server.client().unwrap().stream_message(&request()).await.unwrap();
    let mut text = stream.text_stream();
    assert_eq!(text.next().await.unwrap().unwrap(), "Hello");
    assert_eq!(text.next().await.unwrap().unwrap(), " you");
    assert!(text.next().await.is_none());
    assert!(stream.has_stopped());
    server.reply(Reply::text("Hello").as_json());
    let (events, _) = read(server.client().unwrap().stream_message(&request()).await.unwrap()).await;
    let expected = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names(&events), expected);
}

#[tokio::test]
async fn json_that_is_no_message_is_an_error() {
    let server = Server::start().unwrap();
    server.reply(Reply::json(200, json!({"content": 5})));
    let error = server.client().unwrap().stream_message(&request()).await.unwrap_err();
    assert_eq!((error.kind(), error.pointer()), (ErrorKind::Decode, Some("/content")));
    assert_eq!(error.body(), b"{\"content\":5}");
    assert_eq!(error.status().unwrap().as_u16(), 200);
}

#[tokio::test]
async fn failures_before_the_stream_are_retried_as_those_of_any_call() {
    let server = Server::start().unwrap();
    server.reply(Reply::overloaded().retry_after(std::time::Duration::from_millis(1))).then("Hi");
    let mut stream = server.client().unwrap().stream_message(&request()).await.unwrap();
    assert_eq!(stream.response().unwrap().attempts(), 2);
    assert_eq!(stream.final_message().await.unwrap().text(), "Hi");
}

#[tokio::test]
async fn a_key_that_an_error_event_repeats_is_not_shown() {
    let server = Server::builder().api_key("sk-canary-1").start().unwrap();
    server.reply(Reply::text("Hi").fault(Fault::error_event(2, "api_error", "no such key: sk-canary-1")));
    let (_, outcome) = read(server.client().unwrap().stream_message(&request()).await.unwrap()).await;
    let error = outcome.unwrap_err();
    let shown = format!("{error} {error:?} {} {:?}", error.body_prefix(), error.api_error().unwrap().message());
    assert!(shown.contains("[redacted]") && !shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn debug_of_a_stream_and_its_errors_omits_content() {
    let server = Server::start().unwrap();
    server.when(Matcher::any()).reply(Reply::text("canary of a reply").fault(Fault::reset(At::AfterEvent(4))));
    let mut stream: MessageStream = server.client().unwrap().stream_message(&request()).await.unwrap();
    let mut shown = String::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(_) => shown += &format!("{stream:?} {:?}", stream.accumulator()),
            Err(error) => shown += &format!("{error} {error:?} {:?}", std::error::Error::source(&error)),
        }
    }
    assert!(shown.contains("ended before the message was complete"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_stream_can_be_sent_to_another_task() {
    fn sendable<T: Send + Unpin + 'static>() {}
    sendable::<MessageStream>();
    sendable::<anthropic_messages::TextStream<MessageStream>>();
    sendable::<anthropic_messages::Accumulator>();
}

/// Records the names of the events an observer receives.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Observer for Told {
    fn unknown(&self, unknown: &observe::Unknown<'_>) {
        self.0.lock().unwrap().push(format!("{} {:?} {}", unknown.operation, unknown.item, unknown.name));
    }
}

#[tokio::test]
async fn an_observer_is_told_once_of_what_there_is_no_type_for() {
    let server = Server::start().unwrap();
    let told = Told::default();
    let client = server.client_builder().observer(told.clone()).build().unwrap();
    let mut events = transcripts::plain_text().events;
    for event in &mut events[3..5] {
        event["delta"]["mood"] = json!("calm");
    }
    events.insert(1, json!({"type": "note"}));
    server.reply(Reply::events(&events));
    read(client.stream_message(&request()).await.unwrap()).await.1.unwrap();
    let expected = ["create_message_stream Variant note", "create_message_stream Field mood"];
    assert_eq!(*told.0.lock().unwrap(), expected);
    told.0.lock().unwrap().clear();
    server.reply(Reply::text("Hi").field("mood", "calm").as_json());
    client.stream_message(&request()).await.unwrap().final_message().await.unwrap();
    assert_eq!(*told.0.lock().unwrap(), ["create_message_stream Field mood"]);
}
