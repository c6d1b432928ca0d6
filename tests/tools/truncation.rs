//! A tool never runs on input that is not whole.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anthropic_messages::{
    AnthropicTool, ErrorKind,
    tools::{Tool, ToolRunError},
};
use anthropic_messages_testing::{At, Fault, Reply, Server};
use serde_json::{Value, json};

use crate::request;

/// A tool that takes anything and counts how often it runs.
fn counting(runs: &Arc<AtomicUsize>) -> Tool {
    let runs = Arc::clone(runs);
    Tool::defined("delete", AnthropicTool::new("delete", json!({"type": "object"})), move |_: Value| {
        runs.fetch_add(1, Ordering::SeqCst);
        async {}
    })
}

/// Runs a reply that must not lead to anything.
async fn failed(server: &Server, streaming: bool) -> ToolRunError {
    let runs = Arc::new(AtomicUsize::new(0));
    let client = server.client_builder().max_retries(0).build().unwrap();
    let error = client.run_tools(request(), [counting(&runs)]).streaming(streaming).await.unwrap_err();
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    assert_eq!(error.conversation().messages(), request().messages);
    error
}

/// The events of a call whose input is this text.
fn call(input: &str, stop_reason: &str) -> Reply {
    called("tool_use", input, stop_reason)
}

fn called(kind: &str, input: &str, stop_reason: &str) -> Reply {
    let block = json!({"type": kind, "id": "toolu_1", "name": "delete", "input": {}});
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}});
    Reply::events([
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": input}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": null},
            "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ])
    .as_stream()
}

const INPUT: &str = r#"{"path": "/doc/a b", "count": 12, "deep": {"list": [1, 2]}}"#;

#[tokio::test]
async fn a_call_that_max_tokens_cut_at_any_byte_never_runs() {
    let server = Server::start().unwrap();
    for end in 0..=INPUT.len() {
        server.reply(call(INPUT.split_at(end).0, "max_tokens"));
        let error = failed(&server, true).await;
        assert_eq!(error.kind(), ErrorKind::CutOff, "after {end} bytes");
        assert_eq!(error.conversation().replies().len(), 1, "what came is there");
        assert!(error.to_string().contains("max_tokens"), "{error}");
    }
}

#[tokio::test]
async fn input_of_a_complete_call_that_is_not_json_never_runs_and_goes_back_as_an_error() {
    let server = Server::start().unwrap();
    for end in 1..INPUT.len() {
        let text = INPUT.split_at(end).0;
        server.reply(call(text, "tool_use")).then("Sorry.");
        let runs = Arc::new(AtomicUsize::new(0));
        let run = server.client().unwrap().run_tools(request(), [counting(&runs)]).streaming(true);
        assert_eq!(run.await.unwrap().text(), "Sorry.");
        assert_eq!(runs.load(Ordering::SeqCst), 0);
        let sent = server.last_request().unwrap();
        assert_eq!(sent.pointer("/messages/1/content/0/input").unwrap(), &json!({"INVALID_JSON": text}));
        let result = sent.tool_results()[0];
        assert_eq!(
            (&result["content"], &result["is_error"]),
            (&json!("the input of `delete` is not valid JSON"), &json!(true))
        );
    }
}

#[tokio::test]
async fn a_call_of_a_servers_tool_that_was_cut_is_not_sent_back() {
    for kind in ["server_tool_use", "mcp_tool_use"] {
        let server = Server::start().unwrap();
        server.reply(called(kind, r#"{"query": "ru"#, "max_tokens"));
        let client = server.client().unwrap();
        let outcome = client.run_tools(request(), [counting(&Arc::default())]).streaming(true).await.unwrap();
        assert_eq!(outcome.conversation().messages(), request().messages, "{kind}");
        assert_eq!(outcome.message().content.as_ref().unwrap().len(), 1, "it is kept");
    }
}

/// The places to cut a reply so that its tool still runs, up to three bytes after its end.
async fn whole(fault: impl Fn(At) -> Fault) -> Vec<usize> {
    let runs = Arc::new(AtomicUsize::new(0));
    let server = Server::start().unwrap();
    let client = server.client_builder().max_retries(0).build().unwrap();
    let mut whole = Vec::new();
    for end in 0.. {
        runs.store(0, Ordering::SeqCst);
        server.reply(call(INPUT, "tool_use").fault(fault(At::AfterByte(end))));
        let run = client.run_tools(request(), [counting(&runs)]).streaming(true).max_iterations(1);
        let is_whole = run.await.unwrap_err().kind() == ErrorKind::ToolLimit;
        assert_eq!(runs.load(Ordering::SeqCst), usize::from(is_whole), "after {end} bytes");
        if is_whole {
            whole.push(end);
            if whole.ends_with(&[end - 3, end - 2, end - 1, end]) {
                break;
            }
        }
    }
    whole
}

#[tokio::test]
async fn a_call_that_a_lost_connection_cut_at_any_byte_never_runs() {
    // The blank line behind `message_stop` may be missing.
    let length = *whole(Fault::reset).await.first().unwrap() + 2;
    let last_event = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".len();
    assert!(length > INPUT.len() + last_event);
    // Behind the stop reason only `message_stop` is missing, which a stream that ends as it should may lack.
    assert_eq!(whole(Fault::end).await, [length - last_event, length - 2, length - 1, length, length + 1]);
}

#[tokio::test]
async fn a_lost_connection_of_a_whole_reply_runs_nothing() {
    let reply = || Reply::tool_call("delete", json!({"path": "/"}));
    for end in (0..200).step_by(7) {
        let server = Server::start().unwrap();
        server.reply(reply().fault(Fault::reset(At::AfterByte(end))));
        failed(&server, false).await;
    }
}

#[tokio::test]
async fn no_call_of_a_reply_runs_that_may_have_been_cut_off() {
    for reason in ["max_tokens", "model_context_window_exceeded", "stop_sequence", "a_new_reason"] {
        for streaming in [false, true] {
            let server = Server::start().unwrap();
            let calls =
                Reply::tool_call("delete", json!({"path": "/a"})).and_tool_call("delete", json!({"path": "/b"}));
            server.reply(calls.stop_reason(reason));
            let error = failed(&server, streaming).await;
            assert_eq!(error.kind(), ErrorKind::CutOff);
            assert_eq!(error.conversation().replies()[0].tool_uses().count(), 2);
            let sentence = format!("the reply stopped with `{reason}` and may be cut off within a tool call");
            assert!(error.to_string().starts_with(&sentence), "{error}");
            assert!(error.error().request_id().is_some() && error.error().may_have_been_processed());
        }
    }
    let server = Server::start().unwrap();
    server.reply(Reply::tool_call("delete", json!({"path": "/a"})).field("stop_reason", Value::Null));
    assert_eq!(failed(&server, false).await.kind(), ErrorKind::CutOff);
}
