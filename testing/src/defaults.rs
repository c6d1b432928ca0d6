//! The replies to requests without a scripted one.

use serde_json::{Value, json};

use crate::contract::{Contract, Operation};
use crate::reply::Reply;
use crate::request::{ReceivedRequest, text_of};
use crate::sample::{full_sample, sample};

/// Returns the reply that [`Reply::echo`] describes.
pub(crate) fn default_reply(request: &ReceivedRequest, operation: &Operation, contract: &Contract) -> Reply {
    if operation.creates_messages {
        return message(request);
    }
    match &operation.response {
        Some(schema) => {
            let mut body = full_sample(schema, contract.document(), "text");
            if let Some(count) = body.get_mut("input_tokens") {
                *count = json!(rough_tokens(request.body.len()));
            }
            Reply::json(200, body)
        }
        None => Reply::raw(200, "application/json", "{}"),
    }
}

/// Estimates the tokens of a text from its bytes: a quarter, and at least one.
pub(crate) fn rough_tokens(bytes: usize) -> usize {
    bytes.div_ceil(4).max(1)
}

fn message(request: &ReceivedRequest) -> Reply {
    if let Some(result) = request.tool_results().last() {
        return Reply::text(text_of(result).unwrap_or_else(|| "The tool returned no text.".to_owned()));
    }
    let text = request.last_user_text().unwrap_or_default();
    match requested_tool(request, &text) {
        Some(tool) => {
            let schema = tool.get("input_schema").unwrap_or(&Value::Null);
            let input = sample(schema, schema, &text);
            let input = if input.is_object() { input } else { json!({}) };
            Reply::tool_call(name(tool).unwrap_or_default(), input)
        }
        None => Reply::text(text),
    }
}

/// Returns the custom tool that the request asks for.
fn requested_tool<'request>(request: &'request ReceivedRequest, text: &str) -> Option<&'request Value> {
    let tools = request.pointer("/tools")?.as_array()?;
    let custom = || tools.iter().filter(|tool| tool.get("input_schema").is_some());
    match request.pointer("/tool_choice/type").and_then(Value::as_str) {
        Some("none") => return None,
        Some("tool") => {
            let wanted = request.pointer("/tool_choice/name").and_then(Value::as_str);
            return custom().find(|tool| name(tool) == wanted);
        }
        _ => {}
    }
    let words = words(text);
    let is_named = |tool: &&Value| name(tool).is_some_and(|name| contains(&words, &self::words(name)));
    let must_call = request.pointer("/tool_choice/type").and_then(Value::as_str) == Some("any");
    let asks_for_any = must_call || words.iter().any(|word| word == "tool" || word == "tools");
    custom().find(is_named).or_else(|| custom().next().filter(|_| asks_for_any))
}

fn name(tool: &Value) -> Option<&str> {
    tool.get("name")?.as_str()
}

/// Returns the words of a text in lower case. `get_weather` and "get weather" are the same words.
fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn contains(words: &[String], part: &[String]) -> bool {
    !part.is_empty() && words.windows(part.len()).any(|window| window == part)
}
