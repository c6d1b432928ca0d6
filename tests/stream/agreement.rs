//! A streamed message equals the reply that is read whole.

use anthropic_messages::{
    Accumulator, AnthropicMessage, Client, ErrorKind, Json, MessageCreateRequest, MessageResponse,
};
use anthropic_messages_testing::{Reply, Server};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    read,
    stream::generated::{Generated, generated},
    stream::transcripts::{self, close, end, input, open, start, stop, text},
    stream_of, wire,
};

type Outcome = Result<MessageResponse, ErrorKind>;

fn request(max_tokens: i64) -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], max_tokens)
}

/// Whatever way a client reads the events of a server.
async fn by_calls(server: &Server, client: &Client, wire: &str) -> [Outcome; 2] {
    let reply = || Reply::raw(200, "text/event-stream", wire.to_owned());
    server.reply(reply()).then(reply());
    let streamed = match client.stream_message(&request(10)).await {
        Ok(mut stream) => stream.final_message().await.map_err(|error| error.kind()),
        Err(error) => Err(error.kind()),
    };
    let long = client.create_message(&request(100_000)).await;
    [streamed, long.map(|reply| reply.into_inner()).map_err(|error| error.kind())]
}

async fn from_bytes<C: AsRef<[u8]>>(chunks: impl IntoIterator<Item = C>) -> Outcome {
    read(stream_of(chunks)).await.1.map_err(|error| error.kind())
}

async fn whole(server: &Server, client: &Client, message: &str) -> MessageResponse {
    let reply = || Reply::raw(200, "application/json", message.to_owned());
    server.reply(reply()).then(reply());
    let whole = client.create_message(&request(10)).await.unwrap().into_inner();
    let (events, streamed) = read(client.stream_message(&request(10)).await.unwrap()).await;
    assert_eq!(streamed.unwrap(), whole, "as the answer to a streaming call");
    let relayed: String = events.iter().map(|event| event.to_sse().unwrap().to_string()).collect();
    if whole.stop_reason.is_some() {
        assert_eq!(from_bytes([relayed]).await.as_ref(), Ok(&whole), "relayed");
    }
    whole
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whole_equals_streamed(reply in generated()) {
        let whole: MessageResponse = serde_json::from_value(reply.message.clone()).unwrap();
        let streamed = runtime().block_on(from_bytes(reply.pieces()));
        prop_assert_eq!(streamed.as_ref(), Ok(&whole));
        let mut accumulator = Accumulator::new();
        for event in &reply.events {
            match Json::parse(event).unwrap().decode() {
                Ok(event) => accumulator.push(&event).unwrap(),
                // A block that lacks what its deltas bring.
                Err(_) => return Ok(()),
            }
        }
        prop_assert!(accumulator.finish());
        prop_assert_eq!(accumulator.message(), &whole);
    }

    #[test]
    fn a_reply_that_is_cut_anywhere_is_whole_or_an_error(reply in generated(), at in any::<prop::sample::Index>()) {
        let whole: MessageResponse = serde_json::from_value(reply.message.clone()).unwrap();
        let wire = reply.wire();
        let outcome = runtime().block_on(from_bytes([&wire.as_bytes()[..at.index(wire.len())]]));
        match outcome {
            Ok(message) => prop_assert_eq!(message, whole),
            Err(kind) => prop_assert_eq!(kind, ErrorKind::Incomplete),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whole_equals_streamed_by_every_call(reply in generated()) {
        let Generated { message, .. } = &reply;
        runtime().block_on(async {
            let server = Server::builder().check_requests(false).start().unwrap();
            let client = server.client().unwrap();
            let whole = whole(&server, &client, &message.to_string()).await;
            for streamed in by_calls(&server, &client, &reply.wire()).await {
                assert_eq!(streamed.as_ref(), Ok(&whole));
            }
        });
    }
}

#[tokio::test]
async fn every_transcript_is_the_same_whole_and_streamed() {
    let server = Server::builder().check_requests(false).start().unwrap();
    let client = server.client().unwrap();
    for transcripts::Transcript { name, events, message } in transcripts::all() {
        let whole = whole(&server, &client, &serde_json::to_string(&message).unwrap()).await;
        let [streamed, long] = by_calls(&server, &client, &wire(&events)).await;
        for streamed in [streamed, long, from_bytes([wire(&events)]).await] {
            assert_eq!(streamed.as_ref(), Ok(&whole), "{name}");
        }
    }
}

#[tokio::test]
async fn what_fails_fails_alike() {
    let server = Server::builder().check_requests(false).start().unwrap();
    let client = server.client().unwrap();
    let text_block = || open(0, json!({"type": "text", "text": ""}));
    let cases: [(Vec<Value>, ErrorKind); 8] = [
        (vec![start(), text_block(), text(0, "x")], ErrorKind::Incomplete),
        (vec![start(), stop()], ErrorKind::Incomplete),
        (vec![start(), text_block(), text(0, "x"), end("end_turn"), stop()], ErrorKind::Protocol),
        (
            vec![start(), open(1, json!({"type": "text", "text": ""})), close(1), end("end_turn"), stop()],
            ErrorKind::Protocol,
        ),
        (vec![start(), input(0, "{}")], ErrorKind::Protocol),
        (vec![start(), json!({"type": "content_block_stop", "index": "0"})], ErrorKind::Decode),
        (vec![start(), json!({"type": "error", "error": {"type": "overloaded_error"}})], ErrorKind::Overloaded),
        (vec![start(), json!({"error": {"type": "overloaded_error", "message": "x"}})], ErrorKind::Overloaded),
    ];
    for (events, kind) in cases {
        let unnamed: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let [streamed, long] = by_calls(&server, &client, &unnamed).await;
        for outcome in [streamed, long, from_bytes([unnamed]).await] {
            assert_eq!(outcome, Err(kind), "{events:?}");
        }
    }
}
