//! The levels of changes, by the table of the guide's chapter on versions.

use anthropic_messages_codegen::{Change, Contract, Level, Requirements, drift};
use serde_json::{Value, json};

/// A rule of the table, the contract before and after, and the item of the most severe change.
type Case = (&'static str, Value, Value, &'static str);

fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let client = |document: &Value| {
        // A string is a document whose order counts.
        let text = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
        let contract = Contract::parse("spec.json", &text).unwrap();
        crate::build(&contract, &Requirements::default()).unwrap().1
    };
    drift(&client(old), &client(new))
}

/// A document with a schema `A` and an operation that returns it.
fn a(schema: &Value) -> Value {
    document(&json!({"A": schema}))
}

fn document(schemas: &Value) -> Value {
    let get = |id: &str| json!({"get": {"operationId": id, "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}}}});
    json!({"openapi": "3.1.0", "info": {"title": "t"}, "paths": {"/a": get("get_a")}, "components": {"schemas": schemas}})
}

fn object(properties: &Value, required: &Value) -> Value {
    a(&json!({"type": "object", "properties": properties, "required": required}))
}

fn cases() -> Vec<Case> {
    let string = || json!({"type": "string"});
    let one = || object(&json!({"x": string()}), &json!([]));
    let required = || object(&json!({"x": string()}), &json!(["x"]));
    let moved = |from: &str, to: &str| {
        let mut document = one();
        let item = document["paths"].as_object_mut().unwrap().remove(from).unwrap();
        document["paths"][to] = item;
        document
    };
    let with_operation = || {
        let mut document = one();
        document["paths"]["/b"] = json!({"get": {"operationId": "get_b", "responses": {"204": {"description": ""}}}});
        document
    };
    let values = |values: &Value| a(&json!({"type": "string", "enum": values}));
    let union = |object: &Value| {
        document(&json!({"O": {"type": "object", "properties": {"y": string()}}, "A": {"oneOf": [
            {"type": "object", "required": ["t"], "properties": {"t": {"const": "one"}}},
            object,
        ]}}))
    };
    let plain = json!({"type": "object", "required": ["t"], "properties": {"t": {"const": "two"}, "o": {"$ref": "#/components/schemas/O"}}});
    let boxed = json!({"type": "object", "required": ["t", "o"], "properties": {"t": {"const": "two"}, "o": {"$ref": "#/components/schemas/O"}}});
    let text = |properties: &str, required: &str| {
        let schema = format!("{{\"type\": \"object\", \"properties\": {properties}, \"required\": {required}}}");
        one().to_string().replace(&one()["components"]["schemas"]["A"].to_string(), &schema)
    };
    let ordered = |properties: &str, required: &str| Value::String(text(properties, required));
    let places = |second: &Value| {
        document(&json!({"A": {"type": "object", "properties": {"x": {"enum": ["a", "b"]}, "y": {"enum": second}}}}))
    };
    vec![
        ("an operation is added", one(), with_operation(), "Client::get_b()"),
        ("an operation is removed or renamed", with_operation(), one(), "Client::get_b()"),
        ("the method or path of an operation changes", one(), moved("/a", "/c"), "Client::get_a()"),
        ("an optional field is added", one(), object(&json!({"x": string(), "y": string()}), &json!([])), "types::A.y"),
        (
            "a required field is added",
            one(),
            object(&json!({"x": string(), "y": string()}), &json!(["y"])),
            "types::A::new()",
        ),
        ("a field is removed or renamed", one(), object(&json!({"z": string()}), &json!([])), "types::A.x"),
        ("a field changes its type", one(), object(&json!({"x": {"type": "integer"}}), &json!([])), "types::A.x"),
        ("an optional field becomes required", one(), required(), "types::A.x"),
        ("a required field becomes optional", required(), one(), "types::A.x"),
        (
            "a required field becomes nullable",
            required(),
            object(&json!({"x": {"type": ["string", "null"]}}), &json!(["x"])),
            "types::A.x",
        ),
        ("a variant or a value is added", values(&json!(["a"])), values(&json!(["a", "b"])), "types::A::B"),
        ("a variant or a value is removed", values(&json!(["a", "b"])), values(&json!(["b"])), "types::A::A"),
        ("a variant gets its first required object, or loses its last", union(&plain), union(&boxed), "types::A::Two"),
        (
            "required properties are reordered",
            ordered(r#"{"x": {"type": "string"}, "y": {"type": "string"}}"#, r#"["x", "y"]"#),
            ordered(r#"{"y": {"type": "string"}, "x": {"type": "string"}}"#, r#"["x", "y"]"#),
            "types::A::new()",
        ),
        (
            "optional properties, schemas or paths are reordered",
            ordered(r#"{"x": {"type": "string"}, "y": {"type": "string"}}"#, "[]"),
            ordered(r#"{"y": {"type": "string"}, "x": {"type": "string"}}"#, "[]"),
            "types::A",
        ),
        (
            "a constraint is added, changed or removed",
            one(),
            object(&json!({"x": {"type": "string", "maxLength": 3}}), &json!([])),
            "types::A.x",
        ),
        (
            "a description is added, changed or removed",
            one(),
            object(&json!({"x": {"type": "string", "description": "words"}}), &json!([])),
            "types::A.x",
        ),
        (
            "one of several identical inline unions or enums changes",
            places(&json!(["a", "b"])),
            places(&json!(["a", "b", "c"])),
            "types::Ay",
        ),
    ]
}

#[test]
fn every_rule_of_the_guide_is_the_level_that_is_reported() {
    let guide = include_str!("../../../src/docs/versions.md");
    let rows = guide.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match cells.as_slice() {
            [change, _, level @ ("patch" | "minor" | "major")] => Some((*change, *level)),
            _ => None,
        }
    });
    let rows: Vec<(&str, &str)> = rows.collect();
    let cases = cases();
    assert_eq!(
        rows.iter().map(|(change, _)| *change).collect::<Vec<_>>(),
        cases.iter().map(|case| case.0).collect::<Vec<_>>()
    );
    for ((change, level), (_, old, new, item)) in rows.into_iter().zip(cases) {
        let changes = changes(&old, &new);
        let first = changes.first().unwrap_or_else(|| panic!("{change}: no change"));
        assert_eq!(first.level.to_string(), level, "{change}: {changes:#?}");
        assert!(
            changes.iter().any(|change| change.item == item && change.level == first.level),
            "{change}: {changes:#?}"
        );
    }
}

#[test]
fn a_new_type_is_one_change_and_a_setter_follows_its_field() {
    let old = document(&json!({"A": {"type": "object", "properties": {"x": {"type": "string"}}}}));
    let new = document(
        &json!({"A": {"type": "object", "properties": {"x": {"type": "integer"}}}, "B": {"type": "object", "properties": {"y": {"type": "string"}}}}),
    );
    let lines: Vec<String> = changes(&old, &new).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "major: `types::A.x`, at #/components/schemas/A/properties/x: `Option<String>` becomes `Option<i64>`",
            "minor: `types::B`, at #/components/schemas/B: the struct is new",
        ]
    );
    assert_eq!(changes(&old, &old), []);
    assert!(Level::Patch < Level::Minor && Level::Minor < Level::Major);
}

#[test]
fn a_contract_that_is_reordered_alone_is_no_change() {
    let old = r#"{"openapi": "3.1.0", "info": {"title": "t"}, "paths": {}, "components": {"schemas": {"A": {"enum": ["a"]}, "B": {"enum": ["b"]}}}}"#;
    let new = r#"{"components": {"schemas": {"B": {"enum": ["b"]}, "A": {"enum": ["a"]}}}, "paths": {}, "info": {"title": "t"}, "openapi": "3.1.0"}"#;
    assert_eq!(changes(&Value::String(old.to_owned()), &Value::String(new.to_owned())), []);
}
