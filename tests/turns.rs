//! The rules of the API that its contract doesn't state: the client refuses a request before sending it, and the test server
//! answers it with 400 and the API's own sentence.

#![cfg(test)]

use std::collections::BTreeSet;

use anthropic_messages::{
    AnthropicMessage, ContentBlock, ErrorKind, MessageCreateRequest, MessageResponse, Usage, rules,
    types::CountTokensRequest,
};
use anthropic_messages_testing::Server;
use serde_json::{Value, json};

fn user(content: impl Into<Value>) -> Value {
    json!({"role": "user", "content": content.into()})
}

fn assistant(content: impl Into<Value>) -> Value {
    json!({"role": "assistant", "content": content.into()})
}

fn call(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "weather", "input": {"city": "Paris"}})
}

fn result(id: &str) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": "22 degrees"})
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn request(messages: impl Into<Value>, rest: Value) -> MessageCreateRequest {
    let mut document = json!({"model": "claude-sonnet-5", "max_tokens": 100, "messages": messages.into()});
    document.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    serde_json::from_value(document).unwrap()
}

fn turns(messages: impl Into<Value>) -> MessageCreateRequest {
    request(messages, json!({}))
}

fn tools(schemas: &[(&str, bool, Value)]) -> MessageCreateRequest {
    let tools: Vec<Value> = schemas
        .iter()
        .map(|(name, strict, schema)| json!({"name": name, "input_schema": schema, "strict": strict}))
        .collect();
    request([user("Hello")], json!({"tools": tools}))
}

fn members(count: usize, schema: &Value) -> Value {
    let members: serde_json::Map<_, _> = (0..count).map(|number| (format!("m{number}"), schema.clone())).collect();
    members.into()
}

/// An object with as many optional members.
fn optional(count: usize) -> Value {
    json!({"type": "object", "properties": members(count, &json!({"type": "string"})), "additionalProperties": false})
}

/// An object with as many required members of several types.
fn unions(count: usize) -> Value {
    let names: Vec<_> = (0..count).map(|number| format!("m{number}")).collect();
    let members = members(count, &json!({"type": ["string", "null"]}));
    json!({"type": "object", "properties": members, "required": names, "additionalProperties": false})
}

struct Case {
    rule: &'static str,
    request: MessageCreateRequest,
    pointer: &'static str,
    sentence: &'static str,
}

fn case(rule: &'static str, request: MessageCreateRequest, pointer: &'static str, sentence: &'static str) -> Case {
    Case { rule, request, pointer, sentence }
}

/// A rule, a request that breaks it, the place, and the API's sentence.
fn broken() -> Vec<Case> {
    let cached = json!({"type": "text", "text": "", "cache_control": {"type": "ephemeral"}});
    let surrogate: MessageCreateRequest = serde_json::from_str(
        r#"{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content":
            [{"type": "tool_use", "id": "a", "name": "n", "input": {"text": "cut \ud83d"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}]}"#,
    )
    .unwrap();
    let object = |properties: Value| json!({"type": "object", "properties": properties, "additionalProperties": false});
    let strict = |schema: Value| tools(&[("save", true, schema)]);
    let circle = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"],
        "additionalProperties": false, "$defs": {"A": {"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}},
        "additionalProperties": false}, "B": {"type": "array", "items": {"$ref": "#/$defs/A"}}}});
    let many: Vec<_> = (0..21).map(|_| ("save", true, object(json!({})))).collect();
    let format = |schema: Value| {
        request([user("Hi")], json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}}))
    };
    vec![
        case(
            "empty_cache_breakpoint",
            turns([user([text("Hi"), cached.clone()])]),
            "/messages/0/content/1/text",
            "messages.0.content.1.text: cache_control cannot be set for empty text blocks",
        ),
        case(
            "empty_cache_breakpoint",
            request([user("Hi")], json!({"system": [cached]})),
            "/system/0/text",
            "system.0.text: cache_control cannot be set for empty text blocks",
        ),
        case(
            "empty_text",
            turns([user("")]),
            "/messages/0/content/0/text",
            "messages: text content blocks must be non-empty",
        ),
        case(
            "empty_text",
            request([user("Hi")], json!({"system": [text("")]})),
            "/system/0/text",
            "system: text content blocks must be non-empty",
        ),
        case(
            "empty_turn",
            turns([user(json!([])), assistant("Hi"), user("Go on")]),
            "/messages/0/content",
            "messages.0: all messages must have non-empty content except for the optional final assistant message",
        ),
        case(
            "final_whitespace",
            turns([user("Hi"), assistant([text("One, ")])]),
            "/messages/1/content/0/text",
            "messages: final assistant content cannot end with trailing whitespace",
        ),
        case(
            "call_without_result",
            turns([
                user("Hi"),
                assistant([text("Let me see."), call("a"), call("b")]),
                user([result("a"), text("Well?")]),
            ]),
            "/messages/1/content/2",
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: b. Each `tool_use` block \
             must have a corresponding `tool_result` block in the next message.",
        ),
        case(
            "call_without_result",
            turns([user("Hi"), assistant([call("a")])]),
            "/messages/1/content/0",
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a. Each `tool_use` block \
             must have a corresponding `tool_result` block in the next message.",
        ),
        case(
            "result_without_call",
            turns([user([result("a")])]),
            "/messages/0/content/0/tool_use_id",
            "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: a. Each `tool_result` block must \
             have a corresponding `tool_use` block in the previous message.",
        ),
        case(
            "tool_name",
            tools(&[("save", false, json!({"type": "object"})), ("save it", false, json!({"type": "object"}))]),
            "/tools/1/name",
            "tools.1.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        ),
        case(
            "lone_surrogate",
            surrogate,
            "/messages/1/content/0/input",
            "The request body is not valid JSON: no low surrogate in string",
        ),
        case(
            "schema_root",
            tools(&[("save", false, json!({"type": "object", "anyOf": [{"required": ["a"]}]}))]),
            "/tools/0/input_schema",
            "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level",
        ),
        case(
            "schema_recursion",
            strict(circle),
            "/tools/0/input_schema",
            "Circular reference detected in schema definitions: A -> B -> A. Self-referencing or mutually-referencing \
             definitions are not supported.",
        ),
        case(
            "schema_keyword",
            strict(object(json!({"a": {"type": "string", "pattern": r"\bword\b"}}))),
            "/tools/0/input_schema/properties/a/pattern",
            "tools.0.custom.input_schema: the schema has a pattern with a word boundary, which a strict schema can't have",
        ),
        case(
            "schema_keyword",
            format(object(json!({"a": {"type": "array", "prefixItems": [{"type": "string"}]}}))),
            "/output_config/format/schema/properties/a/prefixItems",
            "output_config.format.schema: the schema has a tuple, which a strict schema can't have; use a struct",
        ),
        case(
            "schema_keyword",
            strict(object(json!({"a": true}))),
            "/tools/0/input_schema/properties/a",
            "tools.0.custom.input_schema: the schema accepts any value, which a strict schema can't",
        ),
        case(
            "strict_tools",
            tools(&many),
            "/tools",
            "Too many strict tools (21). The maximum number of strict tools supported is 20.",
        ),
        case(
            "optional_members",
            tools(&[("a", true, optional(20)), ("b", true, optional(5))]),
            "/tools/1/input_schema",
            "Schemas contains too many optional parameters (25), which would make grammar compilation inefficient. Reduce \
             the number of optional parameters in your tool schemas (limit: 24).",
        ),
        case(
            "union_members",
            tools(&[("a", true, unions(10)), ("b", true, unions(7))]),
            "/tools/1/input_schema",
            "Schemas contains too many parameters with union types (17 parameters with type arrays or anyOf). This causes \
             exponential compilation cost. Reduce the number of nullable or union-typed parameters (limit: 16).",
        ),
    ]
}

#[tokio::test]
async fn a_broken_rule_is_told_before_sending_and_answered_with_400() {
    let server = Server::start().unwrap();
    let client = server.client().unwrap();
    let unchecked = server.client_builder().check_requests(false).build().unwrap();
    for Case { rule, request, pointer, sentence } in broken() {
        let violation = rules::check(&request).unwrap_err();
        assert_eq!((violation.rule().name, violation.pointer(), violation.message()), (rule, pointer, sentence));
        let sent = server.requests().len();
        for error in [
            client.create_message(&request).await.unwrap_err(),
            client.stream_message(&request).await.unwrap_err(),
            client.run_tools(request.clone(), []).await.unwrap_err().into(),
        ] {
            assert_eq!(
                (error.kind(), error.pointer(), error.attempts()),
                (ErrorKind::Contract, Some(pointer), 0),
                "{rule}"
            );
        }
        assert_eq!(server.requests().len(), sent, "{rule}: nothing is sent");
        let error = unchecked.create_message(&request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest, "{rule}");
        assert_eq!(error.api_error().unwrap().message(), Some(sentence));
    }
}

#[test]
fn every_rule_has_a_case_and_a_source() {
    let cases: BTreeSet<_> = broken().iter().map(|case| case.rule).collect();
    let rules: BTreeSet<_> = rules::RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(cases, rules);
    assert!(rules::RULES.iter().all(|rule| rule.source.starts_with("https://")));
}

#[tokio::test]
async fn what_the_api_accepts_passes() {
    let server = Server::start().unwrap();
    let client = server.client().unwrap();
    let new_block = json!({"type": "new_block", "id": "a"});
    let cases = [
        turns([user("Hi"), assistant("One,"), user("Go on "), assistant(" two")]),
        turns([user("Hi"), assistant(json!([]))]),
        // Neighbouring turns of a role are one turn.
        turns([user("Hi"), assistant("Let me see."), assistant([call("a")]), user([result("a")]), user("Well?")]),
        turns([user("Hi"), assistant([call("a")]), assistant([call("b")]), user([result("b")]), user([result("a")])]),
        turns([user(json!([])), user("Hi")]),
        tools(&[
            ("a", true, optional(24)),
            ("b", false, optional(30)),
            ("c", true, unions(16)),
            ("d", false, unions(30)),
        ]),
        tools(&[("a", false, json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=a)"}}}))]),
    ];
    for request in cases {
        rules::check(&request).unwrap();
        client.create_message(&request).await.unwrap();
    }
    // The calls and results of a turn with an unknown block are uncertain.
    rules::check(&turns([user("Hi"), assistant([call("a")]), user([new_block.clone()])])).unwrap();
    rules::check(&turns([user("Hi"), assistant([new_block]), user([result("a")])])).unwrap();
}

#[test]
fn a_reply_goes_back_without_what_the_api_rejects() {
    let page = json!({"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_1", "citations": null, "content":
        {"type": "web_fetch_result", "url": "https://example.com", "retrieved_at": null, "content": {"type": "document",
        "title": null, "citations": null, "source": {"type": "text", "media_type": "text/plain", "data": "Page"}}}});
    let reply = json!({"type": "message", "role": "assistant", "stop_reason": "tool_use",
        "content": [text(""), page, text("Well."), text(""), call("a")]});
    let reply: MessageResponse = serde_json::from_value(reply).unwrap();
    let turn = serde_json::to_value(AnthropicMessage::from(reply)).unwrap();
    let page = json!({"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_1", "content":
        {"type": "web_fetch_result", "url": "https://example.com", "retrieved_at": null, "content": {"type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Page"}}}});
    assert_eq!(turn, assistant([page, text("Well."), call("a")]));

    let cut =
        r#"{"content": [{"type": "tool_use", "id": "a", "name": "n", "input": {"a": "\ud83d", "b": "\ud83d\ude00"}}]}"#;
    let turn = AnthropicMessage::from(serde_json::from_str::<MessageResponse>(cut).unwrap());
    let [ContentBlock::ToolUse(call)] = turn.content.as_slice() else { panic!("{turn:?}") };
    assert_eq!(call.input.as_str(), r#"{"a": "\ufffd", "b": "\ud83d\ude00"}"#);
}

#[test]
fn tokens_are_counted_for_a_request_as_it_is() {
    let request = request(
        [user("Hi")],
        json!({"system": "Be brief.", "tools": [{"name": "a", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "any"}, "thinking": {"type": "disabled"}, "stop_sequences": ["x"], "stream": true}),
    );
    let count = serde_json::to_value(CountTokensRequest::from(&request)).unwrap();
    assert_eq!(
        count,
        json!({"model": "claude-sonnet-5", "messages": [user([text("Hi")])], "system": "Be brief.",
            "tools": [{"name": "a", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"},
            "thinking": {"type": "disabled"}})
    );
}

#[test]
fn usages_add_up() {
    let usage = |value: Value| serde_json::from_value::<Usage>(value).unwrap();
    let usages = [
        usage(json!({"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 10, "service_tier": "standard",
            "cache_creation": {"ephemeral_5m_input_tokens": 3}, "inference_geo": "us"})),
        usage(json!({"input_tokens": 4, "output_tokens": null, "service_tier": "standard", "inference_geo": "eu",
            "server_tool_use": {"web_search_requests": 2}, "output_tokens_details": {"thinking_tokens": 7}})),
    ];
    let sum: Usage = usages.iter().sum();
    assert_eq!(
        sum,
        usage(json!({"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 10, "service_tier": "standard",
            "cache_creation": {"ephemeral_5m_input_tokens": 3}, "server_tool_use": {"web_search_requests": 2},
            "output_tokens_details": {"thinking_tokens": 7}}))
    );
    assert_eq!(Vec::<Usage>::new().into_iter().sum::<Usage>(), Usage::default());
}
