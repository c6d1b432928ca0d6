//! The generated types accept, keep and write everything that the contract allows.

#![cfg(test)]

mod support;

use anthropic_messages::{AnthropicMessage, AnthropicTool, ContentBlock, Json, MessageCreateRequest, MessageResponse};
use serde_json::{Value, json};
use support::{
    instances::{Generator, Sample},
    types::TYPES,
};

const CONTRACT: &str = include_str!("../openapi.json");

fn contract() -> Value {
    serde_json::from_str(CONTRACT).unwrap()
}

/// Judges by the contract alone, without the overlay.
fn judge(schema: &str) -> jsonschema::Validator {
    let mut root = contract();
    root["$ref"] = json!(format!("#/components/schemas/{schema}"));
    jsonschema::draft202012::options().build(&root).unwrap()
}

fn round_trip(schema: &str, text: &str) -> Result<String, anthropic_messages::DecodeError> {
    let (.., function) = TYPES.iter().find(|(name, ..)| *name == schema).unwrap();
    function(text)
}

#[track_caller]
fn assert_valid(schema: &str, value: &impl serde::Serialize) {
    let value = serde_json::to_value(value).unwrap();
    let errors: Vec<String> = judge(schema).iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{value} breaks the contract: {errors:?}");
}

#[test]
fn documents_of_the_helpers_are_valid_under_the_bare_contract() {
    let reply: MessageResponse = serde_json::from_value(json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5",
        "content": [
            {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
            {"type": "text", "text": "I'll look it up."},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 12, "output_tokens": 34},
    }))
    .unwrap();
    let tool =
        AnthropicTool::new("get_weather", Json::from(json!({"type": "object"}))).description("Weather of a city");
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("How is Paris?")], 1024)
        .system("Answer in one sentence.")
        .tools([tool]);
    assert_valid("MessageCreateRequest", &request);

    let mut with_echo = request.clone();
    with_echo.messages.push(reply.into());
    with_echo.messages.push(AnthropicMessage::user("And tomorrow?"));
    assert_valid("MessageCreateRequest", &with_echo);
    assert_eq!(with_echo.check(), Ok(()));
}

#[test]
fn a_reply_that_is_sent_back_is_unchanged() {
    let content = json!([
        {"type": "thinking", "thinking": "", "signature": "c2ln", "novel": 1},
        {"type": "text", "text": "Hi", "citations": null},
        {"type": "hologram", "voxels": [1, 2, 3]},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"n": 1.0}},
    ]);
    let reply: MessageResponse = serde_json::from_value(json!({"content": content})).unwrap();
    let turn = Json::from_serialize(&AnthropicMessage::from(reply)).unwrap();
    assert_eq!(turn, Json::from(json!({"role": "assistant", "content": content})));
}

#[test]
fn every_document_of_the_contract_round_trips() {
    let contract = contract();
    let schemas = contract["components"]["schemas"].as_object().unwrap();
    assert_eq!(schemas.len(), 6);
    for schema in schemas.keys() {
        let judge = judge(schema);
        let mut generator = Generator::new(&contract, 20_261_021);
        let mut judged = 0;
        for _ in 0..2_500 {
            let Sample { sent, beyond_serde_json } = generator.sample(schema);
            if !beyond_serde_json {
                let value: Value = serde_json::from_str(&sent).unwrap();
                assert!(judge.is_valid(&value), "the generator made an invalid {schema}: {sent}");
                judged += 1;
            }
            let back = round_trip(schema, &sent).unwrap_or_else(|error| panic!("{schema} {sent}: {error}"));
            assert_eq!(Json::parse(&back).unwrap(), Json::parse(&sent).unwrap(), "{schema} {sent}");
        }
        assert!(judged > 500, "{schema}: only {judged} samples could be judged");
    }
}

#[test]
fn lone_surrogates_are_replaced_in_typed_strings_and_kept_in_raw_json() {
    for (sent, expected) in [
        (r#"{"type":"text","text":"a\ud800b"}"#, "{\"type\":\"text\",\"text\":\"a\u{FFFD}b\"}"),
        (r#"{"type":"text","text":"\udc00"}"#, "{\"type\":\"text\",\"text\":\"\u{FFFD}\"}"),
        (r#"{"type":"text","text":"\udc00\ud800"}"#, "{\"type\":\"text\",\"text\":\"\u{FFFD}\u{FFFD}\"}"),
        (r#"{"text":"x\ud83d","type":"text"}"#, "{\"type\":\"text\",\"text\":\"x\u{FFFD}\"}"),
        (r#"{"type":"text","text":"\ud83d\ude00"}"#, "{\"type\":\"text\",\"text\":\"😀\"}"),
        (r#"{"type":"text","text":"","x":"\ud800"}"#, r#"{"type":"text","text":"","x":"\ud800"}"#),
        (
            r#"{"type":"tool_use","name":"\udfff","input":{"\ud800":"\udfff"}}"#,
            "{\"type\":\"tool_use\",\"name\":\"\u{FFFD}\",\"input\":{\"\\ud800\":\"\\udfff\"}}",
        ),
        (r#"{"type":"novel","y":"\ud800"}"#, r#"{"type":"novel","y":"\ud800"}"#),
    ] {
        let back = round_trip("ContentBlock", sent).unwrap();
        assert_eq!(Json::parse(&back).unwrap(), Json::parse(expected).unwrap(), "{sent}");
    }
}

/// A stream that is cut has the text of a tool's input as a string. The reply is stored, and read back as it was.
#[test]
fn a_reply_with_a_cut_tool_input_is_read_back() {
    let text = r#"{"content":[{"type":"tool_use","name":"f","input":"{\"city\": \"Par"}]}"#;
    let reply: MessageResponse = serde_json::from_str(text).unwrap();
    let Some([ContentBlock::ToolUse(call)]) = reply.content.as_deref() else { panic!("not a tool_use") };
    assert_eq!(call.incomplete_input().as_deref(), Some(r#"{"city": "Par"#));
    assert_eq!(serde_json::to_string(&reply).unwrap(), text);
    // Never sent back: the API takes objects only.
    let request = MessageCreateRequest::new("m", [AnthropicMessage::from(reply)], 1);
    assert_eq!(request.check().unwrap_err().pointer(), "/messages/0/content/0/input");
}

#[test]
fn a_bare_string_as_content_is_one_block_of_text() {
    let message: AnthropicMessage = serde_json::from_value(json!({"role": "user", "content": "Hello"})).unwrap();
    assert_eq!(message, AnthropicMessage::user("Hello"));
    let cut: AnthropicMessage = serde_json::from_str(r#"{"role": "user", "content": "\ud800"}"#).unwrap();
    assert_eq!(cut, AnthropicMessage::user("\u{FFFD}"));
}

#[test]
fn a_document_that_breaks_the_contract_names_the_place() {
    let message = r#"[{"role":"user","content":[]}]"#;
    let cases = [
        ("MessageCreateRequest", format!(r#"{{"messages":{message},"max_tokens":1}}"#), "", "missing field `model`"),
        ("MessageCreateRequest", format!(r#"{{"model":"m","messages":{message}}}"#), "", "missing field `max_tokens`"),
        (
            "MessageCreateRequest",
            format!(r#"{{"model":5,"messages":{message},"max_tokens":1}}"#),
            "/model",
            "invalid type: integer, expected a string",
        ),
        (
            "MessageCreateRequest",
            format!(r#"{{"model":"m","messages":{message},"max_tokens":1.5}}"#),
            "/max_tokens",
            "invalid value: floating point, expected an integer of 64 bits",
        ),
        (
            "MessageCreateRequest",
            format!(r#"{{"model":"m","messages":{message},"max_tokens":9223372036854775808}}"#),
            "/max_tokens",
            "invalid value: integer, expected an integer of 64 bits",
        ),
        (
            "AnthropicMessage",
            r#"{"role":"user","content":[{"type":"text","text":"secret"},{"type":"text","text":["secret"]}]}"#
                .to_owned(),
            "/content/1/text",
            "invalid type: sequence, expected a string",
        ),
        (
            "AnthropicMessage",
            r#"{"role":"user","content":[{"input":{},"name":7,"type":"tool_use"}]}"#.to_owned(),
            "/content/0/name",
            "invalid type: integer, expected a string",
        ),
        (
            "AnthropicMessage",
            r#"{"role":"user","content":[{"type":"tool_use","name":"f","input":["secret"]}]}"#.to_owned(),
            "/content/0/input",
            "invalid type: sequence, expected an object",
        ),
        ("ContentBlock", r#"{"text":"no type"}"#.to_owned(), "", "missing field `type`"),
        ("ContentBlock", r#"{"type":"text"}"#.to_owned(), "", "missing field `text`"),
        ("ContentBlock", r#"{"type":"text","type":"text","text":""}"#.to_owned(), "", "duplicate field `type`"),
        ("ContentBlock", r#"{"text":"","type":"text","type":"text"}"#.to_owned(), "", "duplicate field `type`"),
        ("ContentBlock", r#"{"type":3,"text":""}"#.to_owned(), "/type", "invalid type: integer, expected a string"),
        (
            "AnthropicTool",
            r#"{"name":"f","input_schema":[1]}"#.to_owned(),
            "/input_schema",
            "invalid type: sequence, expected an object",
        ),
        ("MessageResponse", "[]".to_owned(), "", "invalid type: sequence, expected an object (MessageResponse)"),
    ];
    for (schema, text, pointer, message) in cases {
        let error = round_trip(schema, &text).unwrap_err();
        assert_eq!(error.pointer(), pointer, "{schema} {text}: {error}");
        assert!(error.to_string().starts_with(message), "{schema} {text}: {error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}

#[test]
fn a_request_is_checked_before_it_is_sent() {
    let empty = MessageCreateRequest::new("claude-sonnet-5", Vec::<AnthropicMessage>::new(), 1024);
    assert_eq!(empty.check().unwrap_err().pointer(), "/messages");

    let mut twice = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hi")], 1024);
    twice.extra.insert("model", "x");
    assert_eq!(twice.check().unwrap_err().to_string(), "/model is set twice: `extra` repeats the field `model`");
    assert!(serde_json::to_string(&twice).unwrap_err().to_string().contains("`extra` repeats the field `model`"));

    let input = serde_json::from_value::<ContentBlock>(json!({"type": "tool_use", "name": "f", "input": {}})).unwrap();
    let ContentBlock::ToolUse(mut call) = input else { panic!("not a tool_use") };
    call.input = Json::from("text");
    let request = MessageCreateRequest::new("m", [AnthropicMessage::assistant(ContentBlock::from(call))], 1);
    let violation = request.check().unwrap_err();
    assert_eq!(
        violation.to_string(),
        "/messages/0/content/0/input is of type string, and the contract asks for an object"
    );
}

#[test]
fn integers_may_be_spelled_with_a_fraction_of_zero() {
    for (spelled, value) in [("1.0", 1), ("1e3", 1000), ("-0.0", 0), ("9007199254740992.0", 9_007_199_254_740_992_i64)]
    {
        let text = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[]}}],"max_tokens":{spelled}}}"#);
        let request: MessageCreateRequest = serde_json::from_str(&text).unwrap();
        assert_eq!(request.max_tokens, value, "{spelled}");
    }
}
