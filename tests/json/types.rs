//! The rules of the types of the contract: members in any order, explicit nulls, integers, repeated members, halves of
//! surrogate pairs.

use anthropic_messages::{
    AnthropicMessage, ContentBlock, Json, MessageCreateRequest, MessageResponse, types::ContentBlockText,
};
use serde_json::Value;

use crate::round_trip;

/// Returns the texts of an object with its members in every order.
fn orders(members: &[&str]) -> Vec<String> {
    fn permute(rest: &mut Vec<String>, chosen: &mut Vec<String>, all: &mut Vec<String>) {
        if rest.is_empty() {
            all.push(format!("{{{}}}", chosen.join(",")));
        }
        for index in 0..rest.len() {
            chosen.push(rest.remove(index));
            permute(rest, chosen, all);
            rest.insert(index, chosen.pop().unwrap());
        }
    }
    let mut all = Vec::new();
    permute(&mut members.iter().map(|member| (*member).to_owned()).collect(), &mut Vec::new(), &mut all);
    all
}

#[test]
fn unions_are_read_in_every_order_of_members() {
    let inner = r#"{"text":"a","x":{"type":"image"},"type":"text"}"#;
    let result = format!(r#""content":[{inner},{{"type":"text","text":"b"}}]"#);
    let cases: [(&str, &[&str]); 7] = [
        (
            "ContentBlock",
            &[r#""type":"text""#, r#""text":"a""#, r#""citations":[]"#, r#""x":{"type":"y"}"#, r#""n":null"#],
        ),
        (
            "ContentBlock",
            &[r#""type":"tool_result""#, r#""tool_use_id":"t""#, &result, r#""is_error":false"#, r#""y":[[]]"#],
        ),
        ("ContentBlock", &[r#""type":"novel""#, r#""text":5"#, r#""content":{"type":5}"#, r#""z":"\ud800""#]),
        ("ContentBlock", &[r#""\u0074ype":"text""#, r#""t\u0065xt":"a""#, r#""x":1"#]),
        ("AnthropicMessage", &[r#""role":"user""#, &result, r#""x":1"#]),
        ("AnthropicTool", &[r#""name":"f""#, r#""input_schema":{"type":"object"}"#, r#""type":"custom""#]),
        (
            "StreamEvent",
            &[r#""type":"content_block_delta""#, r#""index":0"#, r#""delta":{"text":"a","type":"text_delta"}"#],
        ),
    ];
    for (schema, members) in cases {
        for document in orders(members) {
            let back = round_trip(schema, &document).unwrap_or_else(|error| panic!("{document}: {error}"));
            assert_eq!(Json::parse(&back).unwrap(), Json::parse(&document).unwrap(), "{document}");
        }
    }
}

#[test]
fn errors_have_the_same_place_in_every_order_of_members() {
    for document in
        orders(&[r#""type":"tool_result""#, r#""tool_use_id":"t""#, r#""content":[{"text":[5],"type":"text"}]"#])
    {
        let error = round_trip("ContentBlock", &document).unwrap_err();
        assert_eq!(error.pointer(), "/content/0/text", "{document}");
        assert_eq!(error.offset(), document.find("[5]"), "{document}");
    }
    for document in orders(&[r#""type":"tool_use""#, r#""name":"f""#, r#""x":1"#]) {
        let error = round_trip("ContentBlock", &document).unwrap_err();
        assert_eq!((error.pointer(), error.offset()), ("", Some(0)), "{document}");
        assert!(error.to_string().starts_with("missing field `input`"), "{document}: {error}");
    }
}

#[test]
fn an_explicit_null_is_written_again() {
    for (schema, document) in [
        ("ContentBlock", r#"{"type":"text","text":"","citations":null}"#),
        ("ContentBlock", r#"{"type":"text","text":"","citations":null,"cache_control":null,"x":null}"#),
        ("ContentBlock", r#"{"type":"text","text":""}"#),
        ("MessageResponse", r#"{"stop_reason":null,"stop_sequence":null,"usage":null}"#),
        ("MessageResponse", r#"{"content":[{"type":"text","text":"","cache_control":null}],"stop_reason":null}"#),
        ("AnthropicTool", r#"{"type":null,"name":"f","input_schema":{}}"#),
        (
            "MessageCreateRequest",
            r#"{"model":"m","messages":[],"max_tokens":1,"system":null,"tools":null,"metadata":null}"#,
        ),
    ] {
        let back = round_trip(schema, document).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), serde_json::from_str::<Value>(document).unwrap());
    }
}

#[test]
fn a_null_speaks_only_while_its_field_is_none() {
    let mut block: ContentBlockText = serde_json::from_str(r#"{"type":"text","text":"a","citations":null}"#).unwrap();
    assert_eq!(block, ContentBlockText::new("a"), "no part of equality");
    assert_eq!(block.extra.len(), 0);
    block.citations = Some(Vec::new());
    assert_eq!(serde_json::to_string(&block).unwrap(), r#"{"type":"text","text":"a","citations":[]}"#);
    block.citations = None;
    assert_eq!(serde_json::to_string(&block.clone()).unwrap(), r#"{"type":"text","text":"a","citations":null}"#);
    block.extra = Default::default();
    assert_eq!(serde_json::to_string(&block).unwrap(), r#"{"type":"text","text":"a"}"#);
}

#[test]
fn a_null_can_be_set() {
    let request = || MessageCreateRequest::new("m", [AnthropicMessage::user("Hi")], 1).system("Be brief.");
    let cleared = request().set_null("system").set_null("temperature");
    assert!(cleared.system.is_none());
    let json = serde_json::to_value(&cleared).unwrap();
    assert_eq!((&json["system"], &json["temperature"]), (&Value::Null, &Value::Null));
    assert!(json.get("tools").is_none());
    assert_eq!(cleared.check(), Ok(()));
    assert_eq!(serde_json::to_value(cleared.system("Again.")).unwrap()["system"], "Again.");
    // A name that the contract does not have is a member like any other.
    assert_eq!(serde_json::to_value(request().set_null("novel")).unwrap().get("novel"), Some(&Value::Null));
    // One that can't be null is refused as one that is set twice is.
    let wrong = request().set_null("model");
    assert_eq!(wrong.check().unwrap_err().pointer(), "/model");
    assert!(serde_json::to_string(&wrong).is_err());
}

#[test]
fn integers_are_exact_or_refused() {
    let read = |number: &str| round_trip("StreamEvent", format!(r#"{{"type":"content_block_stop","index":{number}}}"#));
    for (spelled, written) in [
        ("1.0", "1"),
        ("1e3", "1000"),
        ("-0.0", "0"),
        ("9007199254740993.0", "9007199254740993"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("922337203685477580700e-2", "9223372036854775807"),
    ] {
        assert_eq!(
            read(spelled).unwrap(),
            format!(r#"{{"type":"content_block_stop","index":{written}}}"#),
            "{spelled}"
        );
    }
    for (spelled, found) in [
        ("1.5", "floating point"),
        ("1e-400", "floating point"),
        ("1.0000000000000000001", "floating point"),
        ("9223372036854775808", "integer"),
        ("1e400", "integer"),
        ("123456789012345678901234567890", "integer"),
    ] {
        let error = read(spelled).unwrap_err();
        assert_eq!((error.pointer(), error.offset()), ("/index", Some(37)), "{spelled}");
        assert!(error.to_string().starts_with(&format!("invalid value: {found}, expected an integer")), "{error}");
    }
}

#[test]
fn a_repeated_member_is_refused() {
    for (schema, document, name) in [
        ("ContentBlock", r#"{"type":"text","type":"text","text":""}"#, "type"),
        ("ContentBlock", r#"{"text":"","type":"text","type":"text"}"#, "type"),
        ("ContentBlock", r#"{"type":"text","text":"","text":""}"#, "text"),
        ("ContentBlock", r#"{"type":"text","text":"","te\u0078t":""}"#, "text"),
        ("ContentBlock", r#"{"type":"text","text":"","citations":null,"citations":null}"#, "citations"),
        ("ContentBlock", r#"{"type":"text","text":"","citations":null,"citations":[]}"#, "citations"),
        ("ContentBlock", r#"{"type":"text","text":"","x":1,"x":1}"#, "x"),
        ("ContentBlock", r#"{"x":1,"type":"text","\u0078":1,"text":""}"#, "x"),
        ("MessageResponse", r#"{"stop_reason":null,"stop_reason":null}"#, "stop_reason"),
    ] {
        let error = round_trip(schema, document).unwrap_err();
        assert!(error.to_string().starts_with(&format!("duplicate field `{name}`")), "{document}: {error}");
        assert_eq!(error.pointer(), "", "{document}");
    }
    // In free-form JSON all of them are kept.
    for document in [
        r#"{"type":"text","text":"","x":{"a":1,"a":2}}"#,
        r#"{"type":"tool_use","name":"f","input":{"a":1,"a":2}}"#,
        r#"{"type":"novel","a":1,"a":2}"#,
    ] {
        assert_eq!(round_trip("ContentBlock", document).unwrap(), document);
    }
}

#[test]
fn halves_of_surrogate_pairs_are_replaced_in_strings_and_kept_in_free_form_json() {
    for (text, expected) in [
        (r"\ud83d\ude00", "😀"),
        (r"a\ud83d", "a\u{FFFD}"),
        (r"\ude00b", "\u{FFFD}b"),
        (r"\ude00\ud83d", "\u{FFFD}\u{FFFD}"),
        (r"\ud83d\ud83d\ude00", "\u{FFFD}😀"),
        (r"\ud83d\n", "\u{FFFD}\n"),
        (r"\ud83d\u0041", "\u{FFFD}A"),
    ] {
        let block: ContentBlock = serde_json::from_str(&format!(r#"{{"type":"text","text":"{text}"}}"#)).unwrap();
        assert_eq!(block, ContentBlockText::new(expected).into(), "{text}");
        for document in [
            format!(r#"{{"type":"novel","{text}":"{text}"}}"#),
            format!(r#"{{"type":"text","text":"","x":{{"{text}":"{text}"}}}}"#),
        ] {
            assert_eq!(round_trip("ContentBlock", &document).unwrap(), document);
        }
    }
}

#[test]
fn unknown_keys_with_halves_of_surrogate_pairs_do_not_collide() {
    let document = "{\"role\":\"user\",\"content\":[],\"\\ud800\":1,\"\\udfff\":2,\"\u{FFFD}\":3}";
    let message: AnthropicMessage = serde_json::from_str(document).unwrap();
    // No Rust string holds them. They are spelled out, so that each is another.
    let members: Vec<(&str, &str)> = message.extra.iter().map(|(name, value)| (name, value.as_str())).collect();
    assert_eq!(members, [("\\ud800", "1"), ("\\udfff", "2"), ("\u{FFFD}", "3")]);
    let back: AnthropicMessage = serde_json::from_str(&serde_json::to_string(&message).unwrap()).unwrap();
    assert_eq!(back, message);
}

#[test]
fn an_error_has_its_pointer_and_its_byte() {
    let document = "{\n \"content\": [\n  {\"type\": \"text\", \"a~b/c\": [], \"text\": \"\"},\n  {\"type\": \"text\", \"text\": 7}\n ]\n}";
    let error = round_trip("MessageResponse", document).unwrap_err();
    assert_eq!(error.pointer(), "/content/1/text");
    assert_eq!(error.offset(), document.find('7'));
    assert_eq!((error.line(), error.column()), (4, 28));
    assert_eq!(error.to_string(), "invalid type: integer, expected a string, at /content/1/text (line 4 column 28)");
    let error = round_trip("ContentBlock", r#"{"type":"text","text":"","a~b/c":[1,{"k":tru}]}"#).unwrap_err();
    assert_eq!((error.pointer(), error.offset()), ("/a~0b~1c/1/k", Some(41)));
}

/// Types of the contract, and types that only serde knows, in each other.
#[test]
fn an_error_in_any_type_has_its_pointer_in_the_whole_document() {
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "it is never read whole")]
    struct Stored {
        id: u8,
        turns: Vec<AnthropicMessage>,
        more: std::collections::BTreeMap<String, Option<(bool, MessageResponse)>>,
        kind: Kind,
    }
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "it is never read whole")]
    enum Kind {
        Plain,
        With(AnthropicMessage),
        Named { of: Vec<i8> },
    }
    let turn = r#"{"role":"user","content":[{"type":"text","text":?}]}"#;
    let whole = r#"{"id":1,"turns":[?1,?2],"more":{"a/b":[true,{"content":[?3]}],"c":null},"kind":?4}"#;
    let document = |values: [&str; 4]| {
        let mut whole = whole.to_owned();
        for (number, value) in (1..).zip(values) {
            whole = whole.replace(&format!("?{number}"), value);
        }
        Json::parse(&whole).unwrap()
    };
    let good = turn.replace('?', "\"secret\"");
    let bad = turn.replace('?', "[5.5]");
    let block = r#"{"type":"text","text":""}"#;
    let cases: [([&str; 4], &str, &str, &str); 10] = [
        (
            [&good, &bad, block, "\"Plain\""],
            "/turns/1/content/0/text",
            "[5.5]",
            "invalid type: sequence, expected a string",
        ),
        (
            [&good, "\"secret\"", block, "\"Plain\""],
            "/turns/1",
            "\"secret\"],",
            "invalid type: string, expected an object",
        ),
        ([&good, &good, r#"{"type":7}"#, "\"Plain\""], "/more/a~1b/1/content/0/type", "7}", "invalid type: integer"),
        (
            [&good, &good, r#"{"type":"text"}"#, "\"Plain\""],
            "/more/a~1b/1/content/0",
            "{\"type\":\"text\"}]",
            "missing field `text`",
        ),
        (
            [&good, &good, block, &format!(r#"{{"With":{bad}}}"#)],
            "/kind/With/content/0/text",
            "[5.5]",
            "invalid type: sequence",
        ),
        (
            [&good, &good, block, r#"{"Named":{"of":[1,128]}}"#],
            "/kind/Named/of/1",
            "128",
            "invalid value: integer, expected i8",
        ),
        (
            [&good, &good, block, r#"{"Named":{"of":[1,"secret"]}}"#],
            "/kind/Named/of/1",
            "\"secret\"]}}",
            "invalid type: string, expected i8",
        ),
        ([&good, &good, block, r#"{"Named":{}}"#], "/kind/Named", "{}}", "missing field `of`"),
        (
            [&good, &good, block, "\"secret\""],
            "/kind",
            "\"secret\"}",
            "unknown variant, expected `Plain` or `With` or `Named`",
        ),
        ([&good, &good, block, "7"], "/kind", "7}", "invalid type: integer, expected a variant"),
    ];
    for (values, pointer, at, message) in cases {
        let document = document(values);
        let error = document.decode::<Stored>().unwrap_err();
        assert_eq!(error.pointer(), pointer, "{error}: {document}");
        assert_eq!(error.offset(), document.as_str().rfind(at), "{error}: {document}");
        assert!(error.to_string().starts_with(message), "{error}");
        assert!(!format!("{error:?}").contains("secret"), "{error}");
        // The public face says the same, as far as one text can.
        let public = serde_json::from_str::<Stored>(document.as_str()).unwrap_err().to_string();
        assert!(!public.contains('\u{1F}'), "{public:?}");
    }
    assert!(document([&good, &good, block, r#"{"With":{"role":"user","content":"x"}}"#]).decode::<Stored>().is_ok());
}
