//! Tools and structured output: schemas of Rust types, the tool loop, and what never runs.

#![cfg(test)]

mod tools {
    mod conversation;
    mod execution;
    mod hooks;
    mod interrupt;
    mod output;
    mod resume;
    mod steps;
    mod structured;
    mod truncation;
}

use anthropic_messages::{
    AnthropicMessage, MessageCreateRequest,
    schemars::{self, JsonSchema},
    tools::Tool,
};
use anthropic_messages_testing::{ReceivedRequest, Server};
use serde::Deserialize;
use serde_json::Value;

/// The input of the tools here.
#[derive(Deserialize, JsonSchema)]
struct City {
    city: String,
}

fn request() -> MessageCreateRequest {
    MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("How is the weather?")], 1024)
}

/// A tool that returns the city it was called with.
fn weather() -> Tool {
    Tool::new("weather", "Weather of a city", |input: City| async move { format!("22 degrees in {}", input.city) })
}

/// The results that the last request carries: their content and whether they are errors.
fn results(server: &Server) -> Vec<(Value, bool)> {
    let request = server.last_request().unwrap();
    let result = |result: &&Value| (result["content"].clone(), result["is_error"] == true);
    request.tool_results().iter().map(result).collect()
}

fn messages(request: &ReceivedRequest) -> &Vec<Value> {
    request.pointer("/messages").unwrap().as_array().unwrap()
}
