//! One test a construct: before and after.

use serde_json::json;

use crate::{generate, paths, schemas};

#[test]
fn null_in_a_list_of_types_makes_an_option() {
    let outcome = generate(&schemas(&json!({"A": {"type": "object", "required": ["b", "c"], "properties": {
        "a": {"type": ["string", "null"]}, "b": {"type": ["integer", "null"]}, "c": {"type": "boolean"},
    }}})));
    outcome.unwrap().has(&["a: Option<String>", "b: Option<i64>", "c: bool"]).notes(&[]);
}

#[test]
fn null_in_a_union_makes_an_option_of_the_rest() {
    let outcome = generate(&schemas(&json!({
        "B": {"type": "object", "properties": {"x": {"type": "string"}}},
        "A": {"type": "object", "required": ["one", "any"], "properties": {
            "one": {"oneOf": [{"$ref": "#/components/schemas/B"}, {"type": "null"}]},
            "any": {"anyOf": [{"type": "null"}, {"type": "number"}]},
            "old": {"allOf": [{"$ref": "#/components/schemas/B"}], "nullable": true},
        }},
    })));
    outcome.unwrap().has(&["one: Option<B>", "any: Option<f64>", "old: Option<B>"]).notes(&[]);
}

#[test]
fn null_among_the_values_of_an_enum_makes_an_option() {
    let outcome = generate(&schemas(
        &json!({"A": {"type": "object", "required": ["e"], "properties": {"e": {"enum": ["x", null]}}}}),
    ));
    outcome.unwrap().has(&["e: Option<Ae>", "enum Ae", "X", "Unknown(String)"]).notes(&[]);
}

#[test]
fn nullable_on_a_named_schema_moves_to_where_it_is_used() {
    let outcome = generate(&schemas(&json!({
        "Stop": {"type": ["string", "null"], "enum": ["a", null]},
        "A": {"type": "object", "required": ["stop"], "properties": {"stop": {"$ref": "#/components/schemas/Stop"}}},
    })));
    outcome.unwrap().has(&["stop: Option<Stop>", "enum Stop"]).notes(&[]);
}

#[test]
fn a_list_of_types_is_a_union_by_type() {
    let outcome = generate(&schemas(&json!({"A": {"type": "object", "properties": {
        "v": {"type": ["string", "array", "null"], "items": {"type": "integer"}},
        "n": {"type": ["integer", "number"]},
        "all": {"type": ["null", "boolean", "number", "string", "array", "object", "integer"]},
    }}})));
    let outcome = outcome.unwrap();
    outcome.has(&[
        "v: Option<Av>",
        "enum Av",
        "String(String)",
        "Array(Vec<i64>)",
        "n: Option<f64>",
        "all: Option<Json>",
    ]);
    outcome.lacks("enum An").notes(&[]);
}

#[test]
fn a_constant_string_is_an_enum_of_one_that_new_fills_in() {
    let outcome = generate(&schemas(&json!({"A": {"type": "object", "required": ["kind", "data"], "properties": {
        "kind": {"const": "a"}, "data": {"type": "string"},
    }}})));
    outcome.unwrap().has(&["kind: AKind", "enum AKind", "new(data: impl Into<String>)"]).notes(&[]);
}

#[test]
fn values_that_are_no_strings_are_their_plain_type() {
    let outcome = generate(&schemas(
        &json!({"A": {"type": "object", "required": ["i", "n", "b", "l", "o", "m"], "properties": {
            "i": {"enum": [1, 2]}, "n": {"enum": [1.5, 2]}, "b": {"const": true}, "l": {"const": [1]}, "o": {"const": {"x": 1}},
            "m": {"enum": ["a", 1]},
        }}}),
    ));
    let outcome = outcome.unwrap();
    outcome.has(&["i: i64", "n: f64", "b: bool", "l: Vec<Json>", "o: Json", "m: Json"]);
    assert_eq!(outcome.notes.len(), 6);
    let mixed = "/components/schemas/A/properties/m: an enum of several types becomes any JSON";
    assert!(outcome.notes.iter().any(|note| note == mixed), "{:?}", outcome.notes);
}

#[test]
fn values_without_names_of_their_own_make_a_string() {
    let outcome = generate(&schemas(
        &json!({"A": {"type": "object", "required": ["e"], "properties": {"e": {"enum": ["a-b", "a_b"]}}}}),
    ));
    outcome.unwrap().has(&["e: String"]).notes(&[
        "/components/schemas/A/properties/e: two values of the enum have the same Rust name; it becomes a string",
    ]);
}

#[test]
fn inline_objects_enums_and_unions_get_names_of_their_own() {
    let outcome = generate(&schemas(&json!({
        "FooBar": {"type": "object", "properties": {"x": {"type": "string"}}},
        "Foo": {"type": "object", "properties": {
            "bar": {"type": "object", "properties": {"y": {"type": "string"}}},
            "mode": {"type": "string", "enum": ["on"]},
            "items": {"type": "array", "items": {"type": "object", "properties": {"z": {"type": "integer"}}}},
        }},
    })));
    let outcome = outcome.unwrap();
    outcome
        .has(&["bar: Option<FooBar2>", "struct FooBar2", "mode: Option<FooMode>", "items: Option<Vec<FooItemsItem>>"])
        .notes(&[]);
}

#[test]
fn titles_are_no_names() {
    let titled = |tag: &str| json!({"type": "object", "required": ["type"], "properties": {"type": {"title": "Type", "enum": [tag]}}});
    let outcome = generate(&schemas(&json!({"A": titled("a"), "B": titled("b")}))).unwrap();
    outcome.has(&["enum AType", "enum BType"]).lacks("enum Type\n");
}

#[test]
fn all_of_is_one_merged_object() {
    let outcome = generate(&schemas(&json!({
        "Base": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
        "A": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}]},
        "B": {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/Base", "description": "Only words."}}},
    })));
    outcome.unwrap().has(&["new(id: impl Into<String>, n: impl Into<i64>)", "a: Option<Base>"]).notes(&[]);
}

#[test]
fn a_reference_with_siblings_is_both() {
    let outcome = generate(&schemas(&json!({
        "Base": {"type": "object", "properties": {"id": {"type": "string"}}},
        "A": {"type": "object", "properties": {"b": {"$ref": "#/components/schemas/Base", "required": ["id"], "properties": {"more": {"type": "boolean"}}}}},
    })));
    outcome
        .unwrap()
        .has(&["b: Option<Ab>", "struct Ab", "more: Option<bool>", "new(id: impl Into<String>)"])
        .notes(&[]);
}

#[test]
fn definitions_and_deep_references_become_types() {
    let outcome = generate(&schemas(&json!({
        "A": {"type": "object", "$defs": {"D": {"type": "object", "properties": {"x": {"type": "string"}}}},
            "properties": {"d": {"$ref": "#/components/schemas/A/$defs/D"}, "e": {"$ref": "#/components/schemas/B/properties/in%20ner"}}},
        "B": {"type": "object", "properties": {"in ner": {"type": "object", "properties": {"y": {"type": "string"}}}}},
    })));
    outcome.unwrap().has(&["d: Option<D>", "struct D", "e: Option<InNer>", "in_ner: Option<InNer>"]).notes(&[]);
}

#[test]
fn references_that_lead_out_are_any_json_with_a_note() {
    let outcome = generate(&schemas(&json!({"A": {"type": "object", "properties": {
        "x": {"$ref": "other.json#/X"}, "y": {"$ref": "#anchor"}, "z": {"$dynamicRef": "#meta"},
    }}})));
    outcome.unwrap().has(&["x: Option<Json>", "y: Option<Json>", "z: Option<Json>"]).notes(&[
        "/components/schemas/A/properties/x: the external `$ref` other.json#/X becomes any JSON; bundle the documents to keep its type",
        "/components/schemas/A/properties/y: the `$ref` #anchor to an anchor or the whole document becomes any JSON",
    ]);
}

#[test]
fn a_reference_to_nothing_is_an_error_with_its_place() {
    let error = generate(&schemas(
        &json!({"A": {"type": "object", "properties": {"x": {"$ref": "#/components/schemas/Gone"}}}}),
    ))
    .err();
    assert_eq!(
        error.unwrap(),
        "spec.json: the `$ref` #/components/schemas/Gone points to nothing, at #/components/schemas/A/properties/x"
    );
}

#[test]
fn a_schema_may_hold_itself() {
    let outcome = generate(&schemas(&json!({
        "Tree": {"type": "object", "required": ["left", "children"], "properties": {
            "left": {"oneOf": [{"$ref": "#/components/schemas/Tree"}, {"type": "null"}]},
            "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
        }},
        "Loop": {"$ref": "#/components/schemas/Loop"},
        "Loops": {"allOf": [{"$ref": "#/components/schemas/Loops"}, {"type": "object"}]},
    })));
    let error = outcome.err().unwrap();
    assert!(
        error.starts_with("spec.json: the `$ref` or `allOf` refers to itself, at #/components/schemas/Loops"),
        "{error}"
    );
    let outcome = generate(&schemas(&json!({
        "Tree": {"type": "object", "required": ["left"], "properties": {
            "left": {"oneOf": [{"$ref": "#/components/schemas/Tree"}, {"type": "null"}]},
        }},
        "Loop": {"$ref": "#/components/schemas/Loop"},
    })));
    outcome
        .unwrap()
        .has(&["left: Option<Box<Tree>>"])
        .notes(&["/components/schemas/Loop: the schema only refers to itself; it becomes any JSON"]);
}

#[test]
fn boolean_schemas_are_any_json() {
    let outcome = generate(&schemas(
        &json!({"A": {"type": "object", "required": ["t", "f"], "properties": {"t": true, "f": false}}}),
    ));
    outcome
        .unwrap()
        .has(&["t: Json", "f: Json"])
        .notes(&["/components/schemas/A/properties/f: `false` allows no value; it becomes any JSON"]);
}

#[test]
fn tuples_are_lists_of_any_json() {
    let outcome = generate(&schemas(
        &json!({"A": {"type": "object", "properties": {"t": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}}}}),
    ));
    outcome
        .unwrap()
        .has(&["t: Option<Vec<Json>>"])
        .notes(&["/components/schemas/A/properties/t: the items of a tuple become any JSON"]);
}

#[test]
fn maps_are_maps_and_further_properties_are_extra() {
    let outcome = generate(&schemas(&json!({"A": {"type": "object", "properties": {
        "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        "free": {"type": "object"},
        "open": {"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": {"type": "string"}},
        "closed": {"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": false},
        "patterns": {"type": "object", "patternProperties": {"^x": {"type": "string"}}},
    }}})));
    outcome
        .unwrap()
        .has(&[
            "map: Option<Map<i64>>",
            "free: Option<Json>",
            "open: Option<AOpen>",
            "closed: Option<AClosed>",
            "patterns: Option<Json>",
        ])
        .notes(&[
            "/components/schemas/A/properties/open: `additionalProperties` beside `properties` are any JSON in `extra`",
            "/components/schemas/A/properties/patterns: `patternProperties` become any JSON",
        ]);
}

#[test]
fn constraints_are_checks_and_never_types() {
    let outcome = generate(&schemas(&json!({"A": {"type": "object", "required": ["l", "s", "n", "m"], "properties": {
        "l": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 5, "uniqueItems": true},
        "s": {"type": "string", "minLength": 2, "maxLength": 3, "pattern": "^x", "format": "uuid", "default": 5},
        "n": {"type": "integer", "minimum": 1, "exclusiveMaximum": 10, "format": "int32", "multipleOf": 2},
        "m": {"type": "number", "minimum": 0, "exclusiveMinimum": true},
        "e": {"enum": ["a"], "minLength": 1}, "o": {"type": "object", "minimum": 77}, "any": {"maxItems": 77},
    }}})))
    .unwrap();
    outcome.has(&["l: Vec<String>", "s: String", "n: i64", "m: f64", "e: Option<Ae>"]).notes(&[]);
    // A keyword that applies to no value of the type adds no rule.
    assert!(!outcome.source.contains("77") && !outcome.source.contains("MinLength(1u64)"));
    for rule in [
        "MinItems(1u64)",
        "MaxItems(5u64)",
        "MinLength(2u64)",
        "MaxLength(3u64)",
        "Minimum(1f64)",
        "ExclusiveMaximum(10f64)",
        "ExclusiveMinimum(0f64)",
    ] {
        assert!(outcome.source.contains(rule), "{rule}");
    }
}

#[test]
fn properties_with_one_rust_name_stay_apart() {
    let outcome = generate(&schemas(
        &json!({"A": {"type": "object", "properties": {"fooBar": {"type": "string"}, "foo_bar": {"type": "integer"}, "extra": {"type": "string"}, "type": {"type": "string"}}}}),
    ));
    outcome.unwrap().has(&["foo_bar: Option<String>", "extra_: Option<String>", "type_: Option<String>"]).notes(&[
        "/components/schemas/A/properties/foo_bar: `foo_bar` and `fooBar` have the same Rust name; `foo_bar` stays in `extra`",
    ]);
}

#[test]
fn names_that_rust_has_taken_are_numbered() {
    let object = json!({"type": "object", "properties": {"x": {"type": "string"}}});
    let outcome = generate(&schemas(&json!({"Option": object, "foo-bar": object, "foo_bar": object, "3d": object})));
    outcome.unwrap().has(&["struct Option2", "struct FooBar", "struct FooBar2", "struct X3d"]);
}

#[test]
fn a_document_of_version_3_0_passes_through() {
    let outcome = generate(
        &json!({"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {}, "components": {"schemas": {
            "A": {"type": "object", "required": ["x"], "properties": {"x": {"type": "string", "nullable": true}}},
        }}}),
    );
    outcome.unwrap().has(&["x: Option<String>"]).notes(&[]);
}

#[test]
fn a_type_of_nothing_but_null_is_any_json() {
    let outcome = generate(&schemas(&json!({"A": {"type": "object", "required": ["t", "c"], "properties": {
        "t": {"type": "null"}, "c": {"const": null}, "u": {"oneOf": [{"type": "null"}]},
    }}})));
    outcome.unwrap().has(&["t: Option<Json>", "c: Option<Json>", "u: Option<Json>"]).notes(&[]);
}

#[test]
fn what_only_validates_is_dropped() {
    let outcome = generate(&schemas(
        &json!({"A": {"type": "object", "minProperties": 1, "unevaluatedProperties": false,
            "if": {"properties": {"a": {"const": "x"}}}, "then": {"required": ["b"]}, "else": {"not": {"required": ["b"]}},
            "dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": {"properties": {"c": {"type": "string"}}}},
            "properties": {
                "a": {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png", "examples": ["x"]},
                "b": {"type": "array", "items": {"type": "string"}, "contains": {"const": "x"}, "minContains": 2},
                "c": {"type": "object", "propertyNames": {"pattern": "^x"}, "additionalProperties": {"type": "integer"}},
                "d": {"type": "string", "contentMediaType": "application/json", "contentSchema": {"type": "object"}, "xml": {}},
                "e": {"type": "boolean", "format": "int32", "not": {"const": true}},
            },
        }}),
    ));
    outcome
        .unwrap()
        .has(&[
            "a: Option<String>",
            "b: Option<Vec<String>>",
            "c: Option<Map<i64>>",
            "d: Option<String>",
            "e: Option<bool>",
        ])
        .notes(&[]);
}

#[test]
fn free_form_objects_are_held_to_be_objects_in_lists_maps_and_unions_too() {
    let free = json!({"type": "object"});
    let outcome = generate(&schemas(&json!({"A": {"type": "object", "properties": {
        "one": free, "list": {"type": "array", "items": free}, "map": {"type": "object", "additionalProperties": free},
        "deep": {"type": "array", "items": {"type": "array", "items": {"type": ["object", "null"]}}},
        "union": {"oneOf": [{"type": "string"}, {"type": "array", "items": free}]},
        "any": {"type": "array", "items": {}},
    }}})));
    let outcome = outcome.unwrap();
    outcome.has(&[
        "one: Option<Json>",
        "list: Option<Vec<Json>>",
        "map: Option<Map<Json>>",
        "deep: Option<Vec<Vec<Option<Json>>>>",
    ]);
    let source: String = outcome.source.split_whitespace().collect();
    for name in ["one", "list", "map", "deep"] {
        assert!(source.contains(&format!("check::objects(&self.{name},\"{name}\")")), "{name}");
    }
    assert!(!source.contains("check::objects(&self.any"));
    assert!(source.contains("objects{Array}") && source.contains("|value:::std::vec::Vec<crate::json::FreeObject>|"));
}

#[test]
fn read_only_and_write_only_properties_are_optional_where_they_are_not_sent() {
    let user = json!({"type": "object", "required": ["id", "password", "name"], "properties": {
        "id": {"type": "string", "readOnly": true}, "password": {"type": "string", "writeOnly": true}, "name": {"type": "string"},
    }});
    let content =
        |name: &str| json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}}});
    let mut document = paths(&json!({
        "/both": {"post": {"operationId": "both", "requestBody": {"content": content("Both")}, "responses": {"200": {"description": "", "content": content("Both")}}}},
        "/sent": {"post": {"operationId": "send", "requestBody": {"content": content("Sent")}, "responses": {"204": {"description": ""}}}},
        "/received": {"get": {"operationId": "receive", "responses": {"200": {"description": "", "content": content("Received")}}}},
    }));
    document["components"] = json!({"schemas": {"Both": user, "Sent": user, "Received": user}});
    let outcome = generate(&document).unwrap();
    let lines = |name: &str| {
        let lines = outcome.surface.lines().skip_while(|line| *line != format!("struct {name}"));
        lines.skip(1).take(4).map(str::trim).collect::<Vec<_>>()
    };
    let new = "new(name: impl Into<String>, password: impl Into<String>)";
    assert_eq!(lines("Both"), ["id: Option<String>", "name: String", "password: Option<String>", new]);
    assert_eq!(lines("Sent"), ["id: Option<String>", "name: String", "password: String", new]);
    assert_eq!(
        lines("Received"),
        [
            "id: String",
            "name: String",
            "password: Option<String>",
            "new(id: impl Into<String>, name: impl Into<String>, password: impl Into<String>)"
        ]
    );
}
