//! Calls that block the current thread, from every place that they may be made from.

#![cfg(test)]
#![cfg(feature = "blocking")]

mod support;

use std::thread;

use anthropic_messages::{
    AnthropicMessage, ErrorKind, MessageCreateRequest, StreamEvent, blocking::Client, types::CountTokensRequest,
};
use anthropic_messages_testing::{At, Fault, Reply, Server};
use support::answers::{answering_all, json, message};

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024)
}

fn client(server: &Server) -> Client {
    Client::new(server.client().unwrap()).unwrap()
}

/// A whole call, a stream and a call by its future.
fn exercise(server: &Server) {
    let client = client(server);
    let reply = client.create_message(&request()).unwrap();
    assert_eq!((reply.text().as_str(), reply.attempts()), ("Hi", 1));
    let events: Vec<StreamEvent> = client.stream_message(&request()).unwrap().map(Result::unwrap).collect();
    let text: String = events.iter().filter_map(StreamEvent::text_delta).collect();
    assert_eq!(text, "Hi");
    assert_eq!(client.stream_message(&request()).unwrap().final_message().unwrap().text(), "Hi");
    let again = client.clone().with_options(|o| o.header("x-tag", "1"));
    assert_eq!(again.create_message(&request()).unwrap().text(), "Hi");
    assert_eq!(server.requests().last().unwrap().header("x-tag"), Some("1"));
}

fn server() -> Server {
    answering_all([message("Hi")])
}

#[test]
fn calls_work_without_a_runtime() {
    exercise(&server());
    // The client is dropped on another thread, and used by several.
    let server = server();
    let client = client(&server);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || client.create_message(&request()).unwrap().text())
        })
        .collect();
    drop(client);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), "Hi");
    }
}

#[tokio::test]
async fn calls_work_inside_of_a_runtime_of_one_thread() {
    exercise(&server());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_work_inside_of_a_runtime_of_several_threads() {
    tokio::spawn(async { exercise(&server()) }).await.unwrap();
}

#[tokio::test]
async fn calls_work_inside_of_spawn_blocking() {
    tokio::task::spawn_blocking(|| exercise(&server())).await.unwrap();
}

#[test]
fn every_operation_has_a_method() {
    let server = answering_all([json(200, r#"{"input_tokens":5}"#)]);
    let request = CountTokensRequest::from(&request());
    let count = client(&server).count_tokens(&request).unwrap();
    assert_eq!(count.input_tokens, Some(5));

    let blocking = include_str!(concat!(env!("OUT_DIR"), "/blocking.rs"));
    let surface = include_str!(concat!(env!("OUT_DIR"), "/surface.txt"));
    let operations: Vec<&str> =
        surface.lines().filter_map(|line| line.strip_prefix("async fn ")?.split(['(', '<']).next()).collect();
    assert!(operations.contains(&"count_tokens"), "{operations:?}");
    for operation in operations {
        let starts = [format!("pub fn {operation}("), format!("pub fn {operation}<")];
        assert!(starts.iter().any(|start| blocking.contains(start)), "{operation} has no blocking method");
    }
}

#[test]
fn a_stream_that_is_cut_off_is_an_error() {
    let cut = Reply::text("A long reply that is cut").fault(Fault::end(At::AfterEvent(4)));
    let server = answering_all([cut]);
    let client = client(&server);
    let last = client.stream_message(&request()).unwrap().last().unwrap();
    assert_eq!(last.unwrap_err().kind(), ErrorKind::Incomplete);
    let error = client.stream_message(&request()).unwrap().final_message().unwrap_err();
    assert!(error.kind() == ErrorKind::Incomplete && error.partial_message().is_some(), "{error:?}");
}
