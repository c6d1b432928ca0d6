//! Calls of `create_message` that are sent as a stream.

use std::{pin::pin, time::Duration};

use anthropic_messages::{AnthropicMessage, ErrorKind, MessageCreateRequest};
use anthropic_messages_testing::{At, Clock, Fault, Reply, Server};
use futures_util::future::poll_immediate;
use serde_json::Value;

fn request(max_tokens: i64) -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], max_tokens)
}

fn was_streamed(server: &Server) -> bool {
    let body: Value = serde_json::from_slice(server.last_request().unwrap().body()).unwrap();
    body["stream"] == true
}

#[tokio::test]
async fn a_reply_that_may_outlast_the_connection_is_streamed_and_returned_whole() {
    let server = Server::start().unwrap();
    let client = server.client().unwrap();
    for (max_tokens, streamed) in [(1, false), (21_333, false), (21_334, true), (i64::MAX, true)] {
        server.reply(Reply::text("Hi").usage(3, 4));
        let reply = client.create_message(&request(max_tokens)).await.unwrap();
        assert_eq!((reply.text().as_str(), reply.attempts()), ("Hi", 1));
        assert_eq!(reply.usage.as_ref().unwrap().output_tokens, Some(4));
        assert!(reply.request_id().is_some());
        assert_eq!(was_streamed(&server), streamed, "{max_tokens}");
    }
}

#[tokio::test]
async fn a_time_limit_that_the_caller_chose_is_enough() {
    let server = Server::start().unwrap();
    let client = server.client_builder().timeout(Duration::from_secs(3600)).build().unwrap();
    client.create_message(&request(100_000)).await.unwrap();
    assert!(!was_streamed(&server));
    let client = server.client().unwrap().with_options(|o| o.timeout(Duration::from_secs(3600)));
    client.create_message(&request(100_000)).await.unwrap();
    assert!(!was_streamed(&server));
}

#[tokio::test]
async fn a_raised_time_limit_holds_for_the_wait_for_an_answer_as_well() {
    let clock = Clock::manual();
    let server = Server::builder().clock(clock.clone()).start().unwrap();
    server.reply(Reply::text("Hi").delayed(Duration::from_secs(1)));
    let client = server.client_builder().timeout(Duration::from_secs(1800)).build().unwrap();
    let request = request(100_000);
    let mut call = pin!(client.create_message(&request));
    tokio::select! {
        outcome = call.as_mut() => panic!("it was answered: {outcome:?}"),
        arrived = server.until(|counts| counts.pausing == 1) => drop(arrived.unwrap()),
    }
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1700)).await;
    tokio::time::resume();
    assert!(poll_immediate(call.as_mut()).await.is_none());
    clock.advance(Duration::from_secs(1));
    assert_eq!(call.await.unwrap().text(), "Hi");
    assert!(!was_streamed(&server));
}

#[tokio::test]
async fn a_request_that_asks_for_a_stream_gets_its_message_whole() {
    let server = Server::start().unwrap();
    server.reply("Hi");
    let reply = server.client().unwrap().create_message(&request(10).stream(true)).await.unwrap();
    assert_eq!(reply.text(), "Hi");
    assert!(was_streamed(&server));
}

#[tokio::test]
async fn its_failures_are_those_of_a_stream() {
    let server = Server::start().unwrap();
    server.reply(Reply::text("Hello, world").delta_length(5).fault(Fault::reset(At::AfterEvent(4))));
    let error = server.client().unwrap().create_message(&request(100_000)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert_eq!(error.partial_message().unwrap().text(), "Hello");
    assert!(error.may_have_been_processed());
}

#[tokio::test]
async fn it_is_bounded_as_any_answer_is() {
    let server = Server::start().unwrap();
    server.reply(Reply::text("Hello, world. ".repeat(1000)).delta_length(14)).any_times();
    let client = server.client_builder().max_response_bytes(50_000).build().unwrap();
    let error = client.create_message(&request(100_000)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
    assert!(error.to_string().starts_with("response exceeds the limit of 50000 bytes"), "{error}");
    let partial = error.partial_message().unwrap().text();
    assert!(partial.starts_with("Hello, world. Hello") && partial.len() < 14_000, "{}", partial.len());
    assert!(error.may_have_been_processed());
    // One that the caller reads is not.
    let whole = client.stream_message(&request(100_000)).await.unwrap().final_message().await.unwrap();
    assert_eq!(whole.text().len(), 14_000);
}

#[test]
fn such_a_call_can_be_spawned() {
    fn spawnable<T: Send>(_: &T) {}
    let server = Server::start().unwrap();
    let (client, request) = (server.client().unwrap(), request(100_000));
    spawnable(&client.create_message(&request));
    spawnable(&client.stream_message(&request));
}
