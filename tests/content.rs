//! The helpers for content, compared with the JSON that they must produce.

#![cfg(test)]

use anthropic_messages::{
    AnthropicMessage, Json, MessageCreateRequest, MessageResponse,
    types::{
        CacheControl, CitationsConfig, ContentBlock, ContentBlockDocument, ContentBlockThinking, ContentBlockToolUse,
        DocumentSource, ImageSource, StopReason, ThinkingConfig, ToolChoice, Usage,
    },
};
use serde_json::{Value, json};

const MERGED: &str = include_str!(concat!(env!("OUT_DIR"), "/contract.json"));
const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\0\xFF";
const PDF: &[u8] = b"%PDF-1.7\n\xE2\xE3\xCF\xD3";

/// Checks that a block is written as expected, and that the contract allows it.
#[track_caller]
fn assert_block(block: impl Into<ContentBlock>, expected: &Value) {
    let block = block.into();
    assert_eq!(serde_json::to_value(&block).unwrap(), *expected);
    assert_valid("ContentBlock", expected);
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user(block)], 1024);
    assert_eq!(request.check(), Ok(()));
}

#[track_caller]
fn assert_valid(schema: &str, value: &Value) {
    let mut root: Value = serde_json::from_str(MERGED).unwrap();
    root["$ref"] = json!(format!("#/components/schemas/{schema}"));
    let judge = jsonschema::draft202012::options().build(&root).unwrap();
    let errors: Vec<String> = judge.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{value} breaks the contract: {errors:?}");
}

fn call(value: Value) -> ContentBlockToolUse {
    serde_json::from_value(value).unwrap()
}

fn weather() -> ContentBlockToolUse {
    call(json!({"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}))
}

#[test]
fn an_image_is_made_from_bytes_of_a_known_format() {
    let source = |media_type: &str, data: &str| json!({"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}});
    let cases: [(&[u8], Value); 5] = [
        (PNG, source("image/png", "iVBORw0KGgoA/w==")),
        (b"\xFF\xD8\xFF\xE0", source("image/jpeg", "/9j/4A==")),
        (b"GIF87a", source("image/gif", "R0lGODdh")),
        (b"GIF89a", source("image/gif", "R0lGODlh")),
        (b"RIFF\x24\0\0\0WEBPVP8 ", source("image/webp", "UklGRiQAAABXRUJQVlA4IA==")),
    ];
    for (bytes, expected) in cases {
        assert_block(ContentBlock::image(ImageSource::from_bytes(bytes).unwrap()), &expected);
    }
}

/// Base64 input would be encoded twice, and the API would receive a broken image.
#[test]
fn base64_is_not_encoded_again() {
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ";
    let wrapped = "iVBO\r\nRw0KGgoAAAANSUhEUgAAAAEAAAAB\n";
    for text in [png, wrapped, "R0lGODdh", "JVBERi0xLjcK", &format!("data:image/png;base64,{png}")] {
        let image = ImageSource::encode("image/png", text).unwrap_err();
        assert_eq!(image.to_string(), "data is encoded already: expected bytes, found base64 or a `data:` URL");
        assert!(DocumentSource::encode("application/pdf", text).is_err(), "{text}");
    }
    for bytes in [PNG, PDF, b"BM", b"plain text", b"aGVsbG8gd29ybGQ=", b""] {
        assert!(ImageSource::encode("image/png", bytes).is_ok(), "{bytes:?}");
    }
    let source = |data: &str| json!({"type": "base64", "media_type": "image/png", "data": data});
    let found = serde_json::to_value(ImageSource::from_base64("image/png", wrapped).unwrap()).unwrap();
    assert_eq!(found, source("iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"));
    assert!(DocumentSource::from_base64("application/pdf", "JVBERi0xLjcK").is_ok());
    for text in ["", "iVBO Rw0KG", "data:image/png;base64,iVBO", "a_-b", "not base64!"] {
        let error = ImageSource::from_base64("image/png", text).unwrap_err();
        assert_eq!(error.to_string(), "not base64: expected the standard alphabet with padding", "{text}");
    }
}

#[test]
fn a_file_is_read_by_its_content() {
    let folder = std::env::temp_dir().join(format!("anthropic-messages-content-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("image.jpeg");
    std::fs::write(&path, PNG).unwrap();
    assert_eq!(ImageSource::from_path(&path).unwrap(), ImageSource::from_bytes(PNG).unwrap());
    let wrong = DocumentSource::from_path(&path).unwrap_err();
    let missing = ImageSource::from_path(folder.join("none")).unwrap_err();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(wrong.kind(), std::io::ErrorKind::InvalidData);
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn short_constructors_write_what_the_contract_allows() {
    for (value, schema, expected) in [
        (serde_json::to_value(CacheControl::one_hour()), "CacheControl", json!({"type": "ephemeral", "ttl": "1h"})),
        (
            serde_json::to_value(ThinkingConfig::enabled(2048)),
            "ThinkingConfig",
            json!({"type": "enabled", "budget_tokens": 2048}),
        ),
        (serde_json::to_value(ThinkingConfig::disabled()), "ThinkingConfig", json!({"type": "disabled"})),
        (serde_json::to_value(ToolChoice::auto()), "ToolChoice", json!({"type": "auto"})),
        (serde_json::to_value(ToolChoice::any()), "ToolChoice", json!({"type": "any"})),
        (serde_json::to_value(ToolChoice::tool("t")), "ToolChoice", json!({"type": "tool", "name": "t"})),
        (serde_json::to_value(ToolChoice::none()), "ToolChoice", json!({"type": "none"})),
        (
            serde_json::to_value(AnthropicMessage::from("Hi")),
            "AnthropicMessage",
            json!({"role": "user", "content": [{"type": "text", "text": "Hi"}]}),
        ),
    ] {
        assert_eq!(value.unwrap(), expected);
        assert_valid(schema, &expected);
    }
}

#[test]
fn bytes_of_another_format_are_refused_or_sent_as_told() {
    for bytes in [b"".as_slice(), PDF, b"GIF88a", b"RIFF\x24\0\0\0WAVE", b"\x89PNG", b"BM"] {
        let error = ImageSource::from_bytes(bytes).unwrap_err();
        assert_eq!(error.to_string(), "not an image: expected the signature of a JPEG, PNG, GIF or WebP file");
    }
    for bytes in [b"".as_slice(), PNG, b" %PDF-1.7", b"Hello"] {
        assert_eq!(
            DocumentSource::from_bytes(bytes).unwrap_err().to_string(),
            "not a PDF: expected the bytes `%PDF-` at the start"
        );
    }
    // A media type that the contract does not list goes out as it is given, for the server to judge.
    let bitmap = serde_json::to_value(ContentBlock::image(ImageSource::encode("image/bmp", b"BM").unwrap())).unwrap();
    let expected = json!({"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "Qk0="}});
    assert_eq!(bitmap, expected);
}

#[test]
fn images_and_documents_are_named_by_an_address_or_a_file() {
    assert_block(
        ContentBlock::image(ImageSource::url("https://example.com/a.png")),
        &json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}),
    );
    assert_block(
        ContentBlock::image(ImageSource::file("file_1")),
        &json!({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
    );
    assert_block(
        ContentBlock::document(DocumentSource::url("https://example.com/a.pdf")),
        &json!({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}),
    );
    assert_block(
        ContentBlock::document(DocumentSource::file("file_1")),
        &json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
    );
}

#[test]
fn a_document_is_made_from_bytes_of_a_pdf_or_from_text() {
    let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjcK4uPP0w=="});
    assert_block(
        ContentBlock::document(DocumentSource::from_bytes(PDF).unwrap()),
        &json!({"type": "document", "source": pdf}),
    );
    assert_block(
        ContentBlock::document(DocumentSource::encode("application/pdf", PDF).unwrap()),
        &json!({"type": "document", "source": pdf}),
    );
    assert_block(
        ContentBlockDocument::new()
            .source(DocumentSource::text("The grass is green."))
            .title("Colours")
            .citations(CitationsConfig::new().enabled(true)),
        &json!({
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "The grass is green."},
            "title": "Colours",
            "citations": {"enabled": true},
        }),
    );
}

#[test]
fn a_tool_result_answers_its_call() {
    assert_block(
        ContentBlock::tool_result(&weather(), "22 °C"),
        &json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "22 °C"}),
    );
    assert_block(
        ContentBlock::tool_result(
            &weather(),
            [ContentBlock::text("22 °C"), ContentBlock::image(ImageSource::file("f"))],
        ),
        &json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": [
            {"type": "text", "text": "22 °C"},
            {"type": "image", "source": {"type": "file", "file_id": "f"}},
        ]}),
    );
    assert_block(
        ContentBlock::tool_error(&weather(), format!("no city called {}", "Pariss")),
        &json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "no city called Pariss", "is_error": true}),
    );
}

#[test]
fn a_tool_result_names_the_toolset_of_its_call() {
    let click = call(json!({
        "type": "tool_use", "id": "toolu_2", "name": "left_click", "toolset_name": "browser", "input": {},
    }));
    assert_block(
        ContentBlock::tool_result(&click, "done"),
        &json!({"type": "tool_result", "tool_use_id": "toolu_2", "content": "done", "toolset_name": "browser"}),
    );
}

#[test]
fn a_cache_breakpoint_is_set_on_the_blocks_that_users_write() {
    let search_result = json!({"type": "search_result", "title": "t", "source": "s", "content": []});
    let blocks = [
        ContentBlock::text("a"),
        ContentBlock::image(ImageSource::file("f")),
        ContentBlock::document(DocumentSource::file("f")),
        serde_json::from_value(search_result).unwrap(),
        weather().into(),
        ContentBlock::tool_result(&weather(), "22 °C"),
    ];
    for block in blocks {
        let mut expected = serde_json::to_value(&block).unwrap();
        expected["cache_control"] = json!({"type": "ephemeral"});
        let once = block.with_cache_control(CacheControl::new()).unwrap();
        assert_block(once.clone(), &expected);

        expected["cache_control"]["ttl"] = json!("1h");
        assert_block(once.with_cache_control(CacheControl::new().ttl("1h")).unwrap(), &expected);
    }
}

#[test]
fn a_cache_breakpoint_is_refused_where_it_can_not_go() {
    let unknown: ContentBlock = serde_json::from_value(json!({"type": "hologram"})).unwrap();
    for block in [ContentBlockThinking::new("Let me see.").into(), unknown] {
        let error = block.with_cache_control(CacheControl::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no cache breakpoint possible: expected text, an image, a document, a search result, a tool call or a tool result"
        );
    }
}

/// Code that set a member before the contract named it sets the field afterwards.
#[test]
fn an_extra_member_that_is_a_field_sets_the_field() {
    let request = || MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hi")], 10);
    let by_name = request()
        .set_extra("temperature", 0.2)
        .set_extra("top_k", 5)
        .set_extra("model", "claude-opus-5")
        .set_extra("novel", true);
    let expected = json!({
        "model": "claude-opus-5",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "max_tokens": 10,
        "temperature": 0.2,
        "top_k": 5,
        "novel": true,
    });
    assert_eq!(serde_json::to_value(&by_name).unwrap(), expected);
    assert_valid("MessageCreateRequest", &expected);
    assert_eq!(by_name.check(), Ok(()));
    assert_eq!(by_name.extra.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["novel"]);
    let by_setter = request().temperature(0.2).top_k(5).set_extra("model", "claude-opus-5").set_extra("novel", true);
    assert_eq!(by_name, by_setter);
    let null = request().temperature(0.2).set_extra("temperature", Json::null());
    assert_eq!((null.temperature, serde_json::to_value(&null).unwrap()["temperature"].is_null()), (None, true));
    let misfit = request().set_extra("temperature", "hot");
    assert_eq!(misfit.check().unwrap_err().pointer(), "/temperature");
    assert!(serde_json::to_string(&misfit).is_err());
}

#[test]
fn all_input_tokens_are_those_of_the_cache_and_the_rest() {
    let usage = |value: Value| serde_json::from_value::<Usage>(value).unwrap().total_input_tokens();
    assert_eq!(usage(json!({"input_tokens": 3, "output_tokens": 1})), 3);
    assert_eq!(
        usage(json!({
            "input_tokens": 3, "output_tokens": 1, "cache_creation_input_tokens": 40, "cache_read_input_tokens": 500,
        })),
        543
    );
    assert_eq!(
        usage(json!({
            "input_tokens": 3, "output_tokens": 1, "cache_creation_input_tokens": null, "cache_read_input_tokens": 500,
        })),
        503
    );
    assert_eq!(usage(json!({"input_tokens": i64::MAX, "output_tokens": 1, "cache_read_input_tokens": 1})), i64::MAX);
}

#[test]
fn predicates_of_a_stop_reason_classify_every_value() {
    let cases = [
        ("end_turn", [true, false, false, false, false]),
        ("stop_sequence", [true, false, false, false, false]),
        ("max_tokens", [false, true, false, false, false]),
        ("model_context_window_exceeded", [false, true, false, false, false]),
        ("tool_use", [false, false, true, false, false]),
        ("pause_turn", [false, false, false, true, false]),
        ("refusal", [false, false, false, false, true]),
        ("a_reason_of_next_year", [false; 5]),
    ];
    for (text, expected) in cases {
        let reason = StopReason::from(text);
        let found =
            [reason.is_complete(), reason.is_truncated(), reason.is_tool_use(), reason.is_pause(), reason.is_refusal()];
        assert_eq!(found, expected, "{text}");
        let reply: MessageResponse = serde_json::from_value(json!({"stop_reason": text})).unwrap();
        assert_eq!([reply.is_truncated(), reply.is_refusal()], [expected[1], expected[4]], "{text}");
    }
    let unfinished = MessageResponse::new();
    assert!(!unfinished.is_truncated() && !unfinished.is_refusal());
}

#[test]
fn citations_of_a_reply_are_in_order() {
    let reply = json!({"content": [
        {"type": "text", "text": "The grass is ", "citations": null},
        {"type": "text", "text": "green", "citations": [
            {"type": "char_location", "cited_text": "one", "document_index": 0, "document_title": null,
             "start_char_index": 0, "end_char_index": 3},
            {"type": "page_location", "cited_text": "two", "document_index": 0, "document_title": "t",
             "start_page_number": 1, "end_page_number": 2},
            {"type": "content_block_location", "cited_text": "three", "document_index": 0, "document_title": null,
             "start_block_index": 0, "end_block_index": 1},
        ]},
        {"type": "thinking", "thinking": "", "signature": "c2ln"},
        {"type": "text", "text": ".", "citations": [
            {"type": "search_result_location", "cited_text": "four", "source": "s", "title": null,
             "search_result_index": 0, "start_block_index": 0, "end_block_index": 1},
            {"type": "web_search_result_location", "cited_text": "five", "url": "u", "encrypted_index": "e", "title": null},
            {"type": "smell_location", "cited_text": "of next year"},
        ]},
    ]});
    assert_valid("MessageResponse", &json!({"content": [reply["content"][0], reply["content"][1]]}));
    let reply: MessageResponse = serde_json::from_value(reply).unwrap();
    let cited: Vec<Option<&str>> = reply.citations().map(|citation| citation.cited_text()).collect();
    assert_eq!(cited, [Some("one"), Some("two"), Some("three"), Some("four"), Some("five"), None]);
    assert_eq!(MessageResponse::new().citations().count(), 0);
}
