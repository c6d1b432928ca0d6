//! Documents and overlays as files: what can't be read, and what an overlay may do.

use anthropic_messages_codegen::Contract;
use serde_json::{Value, json};

#[test]
fn a_document_that_cannot_be_read_fails_with_a_remedy() {
    for (text, problem) in [
        ("", "spec.json: the file is empty"),
        ("{\"openapi\": ", "spec.json: the file is not JSON: EOF while parsing a value at line 1 column 12"),
        (
            "openapi: 3.1.0\ninfo: {}\n",
            "spec.json: the file is YAML, and only JSON is read; convert it, for example with `yq -o=json`",
        ),
        (
            "{\"openapi\": \"3.1.0\", \"paths\": {\"/a\": {}, \"/a\": {}}}",
            "spec.json: the member `/a` is repeated; remove one of the two at line 1 column 50",
        ),
        (
            "{\"swagger\": \"2.0\", \"paths\": {}}",
            "spec.json: the document is Swagger 2.0; convert it to OpenAPI 3, for example with `swagger2openapi`, at #/swagger",
        ),
        ("{}", "spec.json: the document must have an `openapi` of 3.x, at #/openapi"),
    ] {
        let error = Contract::parse("spec.json", text).and_then(|contract| contract.lower()).unwrap_err().to_string();
        assert_eq!(error, problem);
    }
}

/// Schemas of a contract, an update of `X`, and the keyword that would narrow it, if any.
fn updates() -> Vec<(Value, Value, Option<&'static str>)> {
    let string = || json!({"type": "string"});
    vec![
        (string(), json!({"enum": ["system"]}), Some("enum")),
        (string(), json!({"const": "system"}), Some("const")),
        (string(), json!({"maxLength": 3}), Some("maxLength")),
        (string(), json!({"pattern": "x"}), Some("pattern")),
        (string(), json!({"oneOf": [{"const": "a"}]}), Some("oneOf")),
        (string(), json!({"allOf": [{"minLength": 3}]}), Some("allOf")),
        (string(), json!({"not": {"const": "a"}}), Some("not")),
        (string(), json!({"$ref": "#/components/schemas/Y"}), Some("$ref")),
        (string(), json!({"minimum": 3, "items": string(), "properties": {"a": string()}}), None),
        (string(), json!({"type": ["string", "array"], "items": string()}), None),
        (string(), json!({"description": "words", "x-any": 1, "examples": ["a"]}), None),
        (json!({}), json!({"type": "string"}), Some("type")),
        (json!({"description": "words"}), json!({"minimum": 1}), Some("minimum")),
        (json!({"enum": ["a"]}), json!({"enum": ["b"], "minLength": 1}), None),
        (json!({"oneOf": [string()]}), json!({"oneOf": [{"type": "integer"}]}), None),
        (json!({"type": "array"}), json!({"items": string()}), Some("items")),
        (json!({"type": "array", "items": {}}), json!({"items": string()}), Some("type")),
        (json!({"type": "object"}), json!({"properties": {"a": string()}}), None),
        (json!({"type": "object"}), json!({"required": ["a"]}), Some("required")),
        (json!({"type": "object", "required": ["a"]}), json!({"required": ["a"]}), None),
        (json!({"type": "object"}), json!({"additionalProperties": false}), Some("additionalProperties")),
        (json!({"type": "object"}), json!({"additionalProperties": true}), None),
        (json!({"properties": {"a": string()}}), json!({"properties": {"a": {"enum": ["b"]}}}), Some("enum")),
        (json!({"oneOf": [{"type": "object"}]}), json!({"oneOf": [{"type": "object", "required": ["a"]}]}), None),
    ]
}

#[test]
fn an_overlay_never_excludes_values_that_the_contract_allows() {
    for (schema, update, narrowing) in updates() {
        let document = json!({"openapi": "3.1.0", "info": {"title": "t"}, "paths": {}, "components": {"schemas": {"X": schema, "Y": {"type": "string"}}}});
        let overlay = json!({"overlay": "1.0.0", "info": {}, "actions": [{"target": "$.components.schemas.X", "update": update}]});
        let contract = || Contract::parse("spec.json", &document.to_string()).unwrap();

        let refused = contract().overlay("user.json", &overlay.to_string());
        let noted = contract().built_in_overlay("ours.json", &overlay.to_string()).unwrap();
        let notes = noted.lower().unwrap().notes;
        match narrowing {
            Some(keyword) => {
                let error = refused.unwrap_err().to_string();
                assert!(error.contains("would narrow a schema of the contract"), "{update}: {error}");
                assert!(error.ends_with(&format!("/{keyword}")), "{update}: {error}");
                assert!(
                    notes[0].to_string().contains(&format!("its `{keyword}` is not applied")),
                    "{update}: {notes:?}"
                );
                let kept: Value = serde_json::from_str(&noted.to_json().unwrap()).unwrap();
                assert_eq!(kept, document, "{update}");
            }
            None => {
                refused.unwrap_or_else(|error| panic!("{update}: {error}"));
                assert!(!notes.iter().any(|note| note.text.contains("not applied")), "{update}: {notes:?}");
            }
        }
    }
}

#[test]
fn a_schema_that_only_the_overlay_has_may_be_narrowed_by_it() {
    let document = json!({"openapi": "3.1.0", "info": {"title": "t"}, "paths": {}, "components": {"schemas": {}}});
    let overlay = json!({"overlay": "1.0.0", "info": {}, "actions": [
        {"target": "$.components.schemas", "update": {"X": {"type": "object", "properties": {"a": {"type": "string"}}}}},
        {"target": "$.components.schemas.X", "update": {"required": ["a"]}},
    ]});
    Contract::parse("spec.json", &document.to_string()).unwrap().overlay("user.json", &overlay.to_string()).unwrap();
}

#[test]
fn accepted_notes_are_a_list_of_lines() {
    let document = json!({"openapi": "3.1.0", "info": {"title": "t"}, "paths": {}, "components": {"schemas": {
        "A": {"enum": [1, 2]}, "B": {"type": "array", "prefixItems": [{"type": "string"}]},
    }}});
    let lowered = Contract::parse("spec.json", &document.to_string()).unwrap().lower().unwrap();
    let lines: Vec<String> = lowered.notes.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lowered.notes_beyond("").len(), 2);
    assert_eq!(lowered.notes_beyond(&lines[0]), [&lowered.notes[1]]);
    assert!(lowered.notes_beyond(&format!("{}\r\n{}\n#/gone: a stale line\n", lines[1], lines[0])).is_empty());
}
