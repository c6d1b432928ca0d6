//! Replies to requests that aren't scripted.

use anthropic_messages_testing::{Reply, Server};
use serde_json::{Value, json};

use crate::support::{answer, ask, http, post_json, with};

fn with_tools(text: &str) -> Value {
    let schema = json!({
        "type": "object",
        "required": ["city", "days"],
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}
    });
    let tools = json!([
        {"name": "search", "input_schema": {"type": "object"}},
        {"name": "get_weather", "input_schema": schema}
    ]);
    with(ask(text), "tools", tools)
}

async fn called_tool(server: &Server, body: &Value) -> Option<String> {
    let (status, message) = post_json(server, body).await;
    assert_eq!(status, 200, "{message}");
    let is_call = message["stop_reason"] == "tool_use";
    assert_eq!(is_call, message["content"][0]["type"] == "tool_use");
    is_call.then(|| message["content"][0]["name"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_last_user_text_is_echoed() {
    let server = Server::start().unwrap();
    let (status, message) = post_json(&server, &ask("Hello there")).await;
    assert_eq!(status, 200);
    assert_eq!(message["content"], json!([{"type": "text", "text": "Hello there"}]));
    assert_eq!(message["type"], "message");
    assert_eq!(message["role"], "assistant");
    assert_eq!(message["model"], "claude-sonnet-5");
    assert_eq!(message["stop_reason"], "end_turn");
    assert_eq!(message["stop_sequence"], Value::Null);
}

#[tokio::test]
async fn the_usage_is_a_quarter_of_the_bytes() {
    let server = Server::start().unwrap();
    let body = ask(&"x".repeat(1000));
    let (_, message) = post_json(&server, &body).await;
    assert_eq!(message["usage"]["input_tokens"], body.to_string().len().div_ceil(4));
    assert_eq!(message["usage"]["output_tokens"], message["content"].to_string().len().div_ceil(4));
}

#[tokio::test]
async fn a_tool_is_called_if_the_text_asks_for_one() {
    let server = Server::start().unwrap();
    let table = [
        ("Please get weather for Paris", Some("get_weather")),
        ("GET_WEATHER!", Some("get_weather")),
        ("Use a tool", Some("search")),
        ("Just talk, together, wholesale", None),
    ];
    for (text, tool) in table {
        assert_eq!(called_tool(&server, &with_tools(text)).await.as_deref(), tool, "{text}");
    }
    assert_eq!(called_tool(&server, &ask("Use a tool")).await, None, "no tools are given");
}

#[tokio::test]
async fn tool_choice_takes_precedence_over_the_text() {
    let server = Server::start().unwrap();
    let choose = |text, choice| with(with_tools(text), "tool_choice", choice);
    let named = choose("talk", json!({"type": "tool", "name": "get_weather"}));
    assert_eq!(called_tool(&server, &named).await.as_deref(), Some("get_weather"));
    assert_eq!(called_tool(&server, &choose("talk", json!({"type": "any"}))).await.as_deref(), Some("search"));
    assert_eq!(called_tool(&server, &choose("use a tool", json!({"type": "none"}))).await, None);
}

#[tokio::test]
async fn a_tool_is_called_with_input_that_fits_its_schema() {
    let server = Server::start().unwrap();
    let (_, message) = post_json(&server, &with_tools("get weather")).await;
    assert_eq!(message["content"][0]["input"], json!({"city": "get weather", "days": 1}));
    assert!(message["content"][0]["id"].as_str().unwrap().starts_with("toolu_01"));
}

#[tokio::test]
async fn the_result_of_a_tool_is_echoed() {
    let server = Server::start().unwrap();
    let mut body = with_tools("get weather");
    let turns = body["messages"].as_array_mut().unwrap();
    turns.push(json!({"role": "assistant", "content": [
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}]}));
    turns.push(json!({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "21 degrees"}]}]}));
    assert_eq!(answer(&server, &body).await, "21 degrees");
}

#[tokio::test]
async fn the_default_reply_can_be_replaced() {
    let server = Server::builder().default_reply(Reply::text("always this")).start().unwrap();
    assert_eq!(answer(&server, &ask("a")).await, "always this");
    assert_eq!(answer(&server, &ask("b")).await, "always this");
}

#[tokio::test]
async fn the_default_can_be_scripted_with_a_fault_or_a_header() {
    let server = Server::start().unwrap();
    server.reply(Reply::echo().header("x-extra", "1"));
    let response = crate::support::post(&server, &ask("echo me")).await;
    assert_eq!(response.headers()["x-extra"], "1");
    assert_eq!(response.json::<Value>().await.unwrap()["content"][0]["text"], "echo me");
}

#[tokio::test]
async fn token_counts_are_estimated() {
    let server = Server::start().unwrap();
    let mut body = ask(&"x".repeat(1000));
    body.as_object_mut().unwrap().remove("max_tokens");
    let url = format!("{}/messages/count_tokens", server.base_url());
    let response = http().post(url).bearer_auth("key").json(&body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let count: Value = response.json().await.unwrap();
    assert_eq!(count["input_tokens"], body.to_string().len().div_ceil(4));
}
