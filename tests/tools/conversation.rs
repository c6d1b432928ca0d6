//! Tests of the messages between a run and the API, streamed or not.

use anthropic_messages::{
    AnthropicMessage, AnthropicTool, Client, ErrorKind, MessageCreateRequest,
    tools::{Tool, ToolRun},
    types::ToolUnion,
};
use anthropic_messages_testing::{Reply, Server};
use serde_json::{Value, json};

use crate::{messages, request, results, weather};

const CITY: &str = "Paris";

fn call() -> Reply {
    Reply::tool_call("weather", json!({"city": CITY}))
}

/// A run with the tool of this file.
fn run(client: &Client, streaming: bool) -> ToolRun {
    client.run_tools(request(), [weather()]).streaming(streaming)
}

fn server() -> (Server, Client) {
    let server = Server::builder().strict(true).start().unwrap();
    let client = server.client_builder().max_retries(0).build().unwrap();
    (server, client)
}

#[tokio::test]
async fn a_reply_without_calls_ends_the_run() {
    for streaming in [false, true] {
        let (server, client) = server();
        server.reply("Fine.");
        let outcome = run(&client, streaming).await.unwrap();
        assert_eq!((outcome.text().as_str(), outcome.is_stopped()), ("Fine.", false));
        assert_eq!(outcome.conversation().messages().len(), 2);
        assert_eq!(outcome.conversation().messages()[1], AnthropicMessage::assistant("Fine."));
        assert_eq!(server.last_request().unwrap().wants_stream(), streaming);
    }
}

#[tokio::test]
async fn results_go_back_until_there_is_an_answer() {
    for streaming in [false, true] {
        let (server, client) = server();
        server.reply(call()).then(call().and_tool_call("weather", json!({"city": "Rome"}))).then("Warm.");
        let outcome = run(&client, streaming).await.unwrap();
        assert_eq!(outcome.text(), "Warm.");
        assert_eq!(outcome.conversation().replies().len(), 3);
        assert_eq!(outcome.conversation().messages().len(), 6);
        assert_eq!(results(&server), [(json!("22 degrees in Paris"), false), (json!("22 degrees in Rome"), false)]);
        for request in server.requests() {
            assert_eq!(request.pointer("/tools/0/name").unwrap(), "weather");
            assert_eq!(request.pointer("/tools").unwrap().as_array().unwrap().len(), 1);
        }
    }
}

/// A reply with all that must not be lost on its way back.
fn rich() -> Value {
    json!([
        {"type": "thinking", "thinking": "Hm.", "signature": "EqQBCgIYAhIM"},
        {"type": "redacted_thinking", "data": "EmwKAhgB"},
        {"type": "text", "text": "Let me look.", "citations": [{"type": "char_location", "cited_text": "c",
            "document_index": 0, "document_title": null, "start_char_index": 0, "end_char_index": 1}]},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "weather"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result",
            "title": "t", "url": "https://example.com", "encrypted_content": "e"}]},
        {"type": "new_block", "of": {"a": ["future", 1.5]}},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}, "new_field": [1, null]}
    ])
}

#[tokio::test]
async fn every_turn_goes_back_as_it_came() {
    for streaming in [false, true] {
        // The contract has no such block as yet.
        let server = Server::builder().check_requests(false).start().unwrap();
        let client = server.client().unwrap();
        server.reply(Reply::message(json!({"content": rich(), "stop_reason": "tool_use"}))).then("Warm.");
        let outcome = run(&client, streaming).await.unwrap();
        let sent = server.last_request().unwrap();
        assert_eq!(messages(&sent)[1], json!({"role": "assistant", "content": rich()}), "streaming: {streaming}");
        assert_eq!(messages(&sent)[2]["content"][0]["tool_use_id"], "toolu_1");
        assert_eq!(messages(&sent)[2]["content"].as_array().unwrap().len(), 1, "the server's own tool needs no result");
        assert_eq!(serde_json::to_value(&outcome.conversation().messages()[..3]).unwrap(), json!(messages(&sent)));
    }
}

#[tokio::test]
async fn a_paused_turn_is_sent_back_as_it_is() {
    for streaming in [false, true] {
        let (server, client) = server();
        let search =
            json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}});
        server.reply(Reply::message(json!({"content": [search], "stop_reason": "pause_turn"}))).then("Found.");
        let outcome = run(&client, streaming).await.unwrap();
        assert_eq!(outcome.text(), "Found.");
        let sent = server.last_request().unwrap();
        assert_eq!(messages(&sent).len(), 2);
        assert_eq!(messages(&sent)[1], json!({"role": "assistant", "content": [search]}));
    }
}

#[tokio::test]
async fn a_refusal_ends_the_run_and_runs_nothing() {
    for streaming in [false, true] {
        let (server, client) = server();
        server.reply(call().stop_reason("refusal"));
        let outcome = run(&client, streaming).await.unwrap();
        assert!(outcome.is_refusal());
        assert_eq!(outcome.conversation().messages(), request().messages, "what is left of a call can't be sent");
        assert_eq!(outcome.conversation().replies().len(), 1);
    }
}

#[tokio::test]
async fn a_text_that_a_limit_cut_off_is_the_answer() {
    let (server, client) = server();
    server.reply(Reply::text("Once upon a").stop_reason("max_tokens"));
    let outcome = run(&client, false).await.unwrap();
    assert!(outcome.is_truncated());
    assert_eq!(outcome.conversation().messages().len(), 2);
}

#[tokio::test]
async fn a_reply_without_content_is_no_turn() {
    let (server, client) = server();
    server.reply(Reply::message(json!({"content": [], "stop_reason": "end_turn"})));
    let outcome = run(&client, false).await.unwrap();
    assert_eq!(outcome.conversation().messages(), request().messages);
}

#[tokio::test]
async fn a_run_goes_on_in_any_thread() {
    let (server, client) = server();
    server.reply(call()).then("Warm.").then("Fine.");
    let outcome = tokio::spawn(run(&client, true).into_future()).await.unwrap().unwrap();
    assert_eq!(outcome.text(), "Warm.");
    let mut steps = run(&client, false).steps();
    tokio::spawn(async move { while steps.next().await.is_some() {} }).await.unwrap();
}

#[tokio::test]
async fn the_container_is_carried_on() {
    let container = json!({"id": "container_1", "expires_at": "2026-12-01T00:00:00Z"});
    for (given, carried) in [
        (Value::Null, json!("container_1")),
        (json!("container_0"), json!("container_1")),
        (
            json!({"skills": [{"type": "custom", "skill_id": "s"}]}),
            json!({"id": "container_1", "skills": [{"type": "custom", "skill_id": "s"}]}),
        ),
    ] {
        for streaming in [false, true] {
            let (server, client) = server();
            server.reply(call().field("container", &container)).then(call()).then("Done.");
            let mut document = serde_json::to_value(request()).unwrap();
            document["container"] = given.clone();
            let request: MessageCreateRequest = serde_json::from_value(document).unwrap();
            client.run_tools(request, [weather()]).streaming(streaming).await.unwrap();
            for request in &server.requests()[1..] {
                assert_eq!(request.pointer("/container").unwrap(), &carried);
            }
        }
    }
}

#[tokio::test]
async fn a_run_makes_no_more_requests_than_it_may() {
    let (server, client) = server();
    server.reply(call()).times(3);
    let error = run(&client, false).max_iterations(3).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ToolLimit);
    assert!(error.to_string().starts_with("tool run stopped after 3 requests (request req_"), "{error}");
    assert!(error.error().may_have_been_processed() && error.error().attempts() == 1);
    assert_eq!(error.conversation().messages().len(), 7, "the last results are there to go on with");
}

#[tokio::test]
async fn a_run_makes_20_requests_unless_told_otherwise() {
    let (server, client) = server();
    server.reply(call()).times(20);
    assert_eq!(run(&client, false).await.unwrap_err().kind(), ErrorKind::ToolLimit);
}

#[tokio::test]
async fn a_condition_stops_the_run_before_the_next_request() {
    let (server, client) = server();
    server.reply(call()).then(call().and_text("stop"));
    let run = run(&client, false).stop_when(|conversation| conversation.replies().last().unwrap().text() == "stop");
    let outcome = run.await.unwrap();
    assert!(outcome.is_stopped());
    assert_eq!(outcome.text(), "stop");
    assert_eq!(outcome.conversation().messages().len(), 5, "the tools of the last reply have run");
}

#[tokio::test]
async fn a_failed_request_leaves_the_conversation_to_go_on_with() {
    for streaming in [false, true] {
        let (server, client) = server();
        server.reply(call()).then(Reply::overloaded()).then("Warm.");
        let error = run(&client, streaming).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Overloaded);
        assert_eq!(error.error().status().unwrap(), 529);
        assert_eq!(error.conversation().messages().len(), 3);
        let (_, conversation) = error.into_parts();
        let outcome = client.run_tools(conversation.into_request(), [weather()]).await.unwrap();
        assert_eq!(outcome.text(), "Warm.");
        let sent = server.last_request().unwrap();
        assert_eq!(sent.pointer("/tools").unwrap().as_array().unwrap().len(), 1, "the tool is declared once");
    }
}

#[tokio::test]
async fn an_outcome_is_gone_on_with() {
    let (server, client) = server();
    server.reply(call()).then("Warm.").then("Yes.");
    let outcome = run(&client, false).await.unwrap();
    let mut request = outcome.into_conversation().into_request();
    request.messages.push(AnthropicMessage::user("Sure?"));
    assert_eq!(client.run_tools(request, [weather()]).await.unwrap().text(), "Yes.");
    assert_eq!(messages(&server.last_request().unwrap()).len(), 5);
}

#[tokio::test]
async fn what_the_request_says_about_a_tool_stays() {
    let (server, client) = server();
    server.reply("Fine.");
    let own = AnthropicTool::new("weather", json!({"type": "object"})).description("The request's own");
    let search: ToolUnion =
        serde_json::from_value(json!({"type": "web_search_20250305", "name": "web_search"})).unwrap();
    let other = Tool::defined("other", AnthropicTool::new("other", json!({"type": "object"})), |_: Value| async {});
    let request = request().tools([search, own.into()]);
    client.run_tools(request, [weather(), other]).await.unwrap();
    let tools = server.last_request().unwrap().pointer("/tools").unwrap().clone();
    let names: Vec<_> = tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["web_search", "weather", "other"]);
    assert_eq!(tools[1]["description"], "The request's own");
}

#[tokio::test]
async fn a_strict_tool_says_so() {
    let (server, client) = server();
    server.reply("Fine.");
    client.run_tools(request(), [weather().strict()]).await.unwrap();
    let tool = server.last_request().unwrap().pointer("/tools/0").unwrap().clone();
    assert_eq!(tool["strict"], true);
    assert_eq!(tool["input_schema"]["additionalProperties"], false);
}

#[tokio::test]
async fn a_call_that_has_no_id_can_not_be_answered() {
    let (server, client) = server();
    let block = json!({"type": "tool_use", "name": "weather", "input": {"city": "Paris"}});
    let body = json!({"type": "message", "role": "assistant", "content": [block], "stop_reason": "tool_use"});
    server.reply(Reply::json(200, body));
    let error = run(&client, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tool);
    assert_eq!(error.conversation().messages().len(), 1);
}

#[tokio::test]
async fn printing_shows_nothing_of_what_was_said() {
    let (server, client) = server();
    server.reply(call()).then("secret answer").then(call()).then(Reply::status(400));
    let outcome = run(&client, false).await.unwrap();
    let error = run(&client, false).await.unwrap_err();
    for shown in [format!("{outcome:?}"), format!("{error:?} {error}"), format!("{:?}", run(&client, false))] {
        assert!(!shown.contains("secret") && !shown.contains("weather?") && !shown.contains(CITY), "{shown}");
    }
    let source = std::error::Error::source(&error);
    assert_eq!(source.map(ToString::to_string), std::error::Error::source(error.error()).map(ToString::to_string));
}
