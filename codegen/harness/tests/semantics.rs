//! A generated type reads every value that is valid under the 3.1 schema, and writes it back unchanged.

#![cfg(test)]

use std::{fmt::Write as _, process::Command};

use anthropic_messages_harness::{compile, generate, module};
use serde_json::{Value, json};

/// Schemas of which `Root` is tried, and instances that are valid under it.
struct Case {
    name: &'static str,
    schemas: Value,
    instances: Vec<Value>,
}

fn cases() -> Vec<Case> {
    let case =
        |name, schemas, instances: Value| Case { name, schemas, instances: instances.as_array().unwrap().clone() };
    vec![
        case(
            "nullable",
            json!({"Root": {"type": "object", "required": ["a"], "properties": {"a": {"type": ["string", "null"]}, "b": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}}),
            json!([{"a": null}, {"a": "x", "b": 1, "c": [1, {"d": null}]}, {"a": "", "b": -5}]),
        ),
        case(
            "type_lists",
            json!({"Root": {"type": "object", "properties": {"v": {"type": ["string", "array", "object", "boolean", "integer"], "items": {"type": "integer"}, "properties": {"x": {"type": "string"}}}}}}),
            json!([{"v": "s"}, {"v": [1, 2]}, {"v": {"x": "y", "z": 1}}, {"v": true}, {"v": 7}, {}]),
        ),
        case(
            "enums",
            json!({"Root": {"type": "object", "required": ["e", "n", "m"], "properties": {"e": {"enum": ["a", "b-c", "3d"]}, "n": {"enum": [1, 2]}, "m": {"enum": ["x", 1, null]}}}}),
            json!([{"e": "a", "n": 1, "m": "x"}, {"e": "b-c", "n": 2, "m": 1}, {"e": "3d", "n": 2, "m": null}]),
        ),
        case(
            "tagged",
            json!({
                "Circle": {"type": "object", "required": ["kind", "r"], "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}}},
                "Root": {"oneOf": [{"$ref": "#/components/schemas/Circle"}, {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "group"}, "of": {"type": "array", "items": {"$ref": "#/components/schemas/Root"}}}}]},
            }),
            json!([{"kind": "circle", "r": 1.5}, {"kind": "group", "of": [{"kind": "circle", "r": 2, "extra": 1}, {"kind": "group"}]}]),
        ),
        case(
            "absent_tag",
            json!({"Root": {"type": "array", "items": {"oneOf": [
            {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "type": {"enum": ["custom"]}}},
            {"type": "object", "required": ["type"], "properties": {"type": {"enum": ["s1", "s2"]}, "n": {"type": "integer"}}},
        ]}}, "Holder": {"type": "object", "properties": {"root": {"$ref": "#/components/schemas/Root"}}}}),
            json!([]),
        ),
        case(
            "tools",
            json!({"Root": {"type": "object", "properties": {"tools": {"type": "array", "items": {"oneOf": [
                {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "type": {"enum": ["custom"]}}},
                {"type": "object", "required": ["type"], "properties": {"type": {"enum": ["s1", "s2"]}, "n": {"type": "integer"}}},
            ]}}}}}),
            json!([{"tools": [{"name": "a"}, {"type": "custom", "name": "b"}, {"type": "s2", "n": 1}, {"n": 2, "type": "s1"}]}]),
        ),
        case(
            "mapped",
            json!({
                "Cat": {"type": "object", "required": ["pet"], "properties": {"pet": {"type": "string"}, "meow": {"type": "boolean"}}},
                "Dog": {"type": "object", "required": ["bark"], "properties": {"bark": {"type": "string"}}},
                "Root": {"anyOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}], "discriminator": {"propertyName": "pet", "mapping": {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"}}},
            }),
            json!([{"pet": "cat", "meow": true}, {"bark": "x", "pet": "dog"}]),
        ),
        case(
            "untagged",
            json!({
                "One": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}},
                "Both": {"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "string"}, "b": {"type": "string"}}},
                "Root": {"anyOf": [{"$ref": "#/components/schemas/One"}, {"$ref": "#/components/schemas/Both"}, {"type": "array", "items": {"type": "string"}}]},
            }),
            json!([{"a": "x"}, {"a": "x", "b": "y"}, {"a": "x", "b": 3}, ["a", "b"]]),
        ),
        case(
            "all_of",
            json!({
                "Base": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
                "Root": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}}}}], "required": ["tags"]},
            }),
            json!([{"id": "1", "tags": []}, {"id": "1", "tags": ["x"], "more": {}}]),
        ),
        case(
            "siblings",
            json!({
                "Base": {"type": "object", "properties": {"id": {"type": "string"}}},
                "Root": {"type": "object", "properties": {"b": {"$ref": "#/components/schemas/Base", "required": ["id"]}}},
            }),
            json!([{"b": {"id": "x"}}, {}]),
        ),
        case(
            "definitions",
            json!({"Root": {"type": "object", "$defs": {"D": {"type": "object", "properties": {"x": {"type": "integer"}}}}, "properties": {"d": {"$ref": "#/components/schemas/Root/$defs/D"}}}}),
            json!([{"d": {"x": 1}}, {"d": {}}]),
        ),
        case(
            "recursive",
            json!({"Root": {"type": "object", "properties": {"next": {"oneOf": [{"$ref": "#/components/schemas/Root"}, {"type": "null"}]}, "all": {"type": "array", "items": {"$ref": "#/components/schemas/Root"}}}}}),
            json!([{}, {"next": {"next": {"all": [{}, {"next": {}}]}}}]),
        ),
        case(
            "maps",
            json!({"Root": {"type": "object", "properties": {"m": {"type": "object", "additionalProperties": {"type": ["integer", "null"]}}, "free": {"type": "object"}, "t": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}, "any": true}}}),
            json!([{"m": {"a": 1, "b": null}, "free": {"x": [1, 2.5]}, "t": ["a", 1], "any": {"k": null}}, {"m": {}, "t": []}]),
        ),
        case(
            "constraints",
            json!({"Root": {"type": "object", "properties": {"s": {"type": "string", "minLength": 3, "format": "date"}, "n": {"type": "integer", "minimum": 2}, "l": {"type": "array", "items": {"type": "string"}, "minItems": 1}}, "additionalProperties": false}}),
            json!([{"s": "2026-11-24", "n": 2, "l": ["a"]}, {}]),
        ),
        case(
            "names",
            json!({"Root": {"type": "object", "required": ["type", "extra"], "properties": {"type": {"type": "string"}, "extra": {"type": "integer"}, "fooBar": {"type": "string"}, "foo_bar": {"type": "integer"}, "self": {"type": "boolean"}, "a b/c~d": {"type": "string"}}}}),
            json!([{"type": "t", "extra": 1, "fooBar": "x", "foo_bar": 2, "self": true, "a b/c~d": "y"}]),
        ),
        case(
            "single_letters",
            json!({
                "A": {"type": "object", "properties": {"d": {"$ref": "#/components/schemas/D"}, "s": {"type": "array", "items": {"$ref": "#/components/schemas/S"}}}},
                "D": {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}}},
                "S": {"oneOf": [{"$ref": "#/components/schemas/A"}, {"type": "array", "items": {"$ref": "#/components/schemas/A"}}]},
                "Root": {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}}},
            }),
            json!([{"a": {"d": {"a": {"s": [{"d": {}}, [{}, {"x": 1}]]}}}}]),
        ),
        case(
            "standalone",
            json!({
                "Cat": {"type": "object", "properties": {"meow": {"type": "string"}}},
                "Dog": {"type": "object", "required": ["bark"], "properties": {"bark": {"type": "string"}}},
                "Root": {"type": "object", "properties": {"cat": {"$ref": "#/components/schemas/Cat"}, "pets": {"type": "array", "items":
                    {"anyOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}], "discriminator": {"propertyName": "kind"}}}}},
            }),
            json!([{"cat": {"meow": "x"}}, {"cat": {"kind": "any"}, "pets": [{"bark": "x", "kind": "Dog"}]}]),
        ),
        case(
            "two_unions",
            json!({
                "One": {"type": "object", "required": ["type", "kind"], "properties": {"type": {"const": "one"}, "kind": {"const": "k1"}}},
                "Two": {"type": "object", "required": ["type", "kind"], "properties": {"type": {"const": "two"}, "kind": {"const": "k2"}}},
                "Three": {"type": "object", "required": ["type", "kind"], "properties": {"type": {"const": "one"}, "kind": {"const": "k3"}}},
                "Root": {"type": "object", "properties": {
                    "by_type": {"oneOf": [{"$ref": "#/components/schemas/One"}, {"$ref": "#/components/schemas/Two"}]},
                    "by_kind": {"oneOf": [{"$ref": "#/components/schemas/One"}, {"$ref": "#/components/schemas/Three"}]}}},
            }),
            json!([{"by_type": {"type": "one", "kind": "k1"}, "by_kind": {"kind": "k1", "type": "one"}}, {"by_kind": {"type": "one", "kind": "k3", "x": 1}}]),
        ),
        case(
            "listing_parent",
            json!({
                "Pet": {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}},
                "Cat": {"allOf": [{"$ref": "#/components/schemas/Pet"}, {"type": "object", "properties": {"meow": {"type": "string"}}}]},
                "Dog": {"allOf": [{"$ref": "#/components/schemas/Pet"}, {"type": "object", "required": ["bark"], "properties": {"bark": {"type": "string"}}}]},
                "Root": {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}, "name": {"type": "string"}},
                    "anyOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
                    "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"}}},
            }),
            json!([{"kind": "cat", "meow": "x", "name": "n"}, {"name": "n", "bark": "y", "kind": "dog"}]),
        ),
        case(
            "nullable_branches",
            json!({
                "Text": {"type": ["string", "null"]},
                "Root": {"type": "object", "required": ["r"], "properties": {
                    "r": {"oneOf": [{"type": ["string", "null"]}, {"type": "array", "items": {"type": "string"}}]},
                    "o": {"anyOf": [{"$ref": "#/components/schemas/Text"}, {"type": "integer"}]},
                    "deep": {"oneOf": [{"oneOf": [{"type": "integer"}, {"type": "null"}]}, {"type": "string"}]},
                    "list": {"type": "array", "items": {"oneOf": [{"enum": ["a", null]}, {"type": "integer"}]}},
                    "tagged": {"oneOf": [
                        {"type": ["object", "null"], "required": ["t"], "properties": {"t": {"const": "a"}}},
                        {"type": "object", "required": ["t"], "properties": {"t": {"const": "b"}}},
                    ]},
                }},
            }),
            json!([{"r": null, "o": null, "deep": null, "list": [null, "a", 1], "tagged": null}, {"r": "x", "o": 1, "deep": 2, "tagged": {"t": "b"}}, {"r": ["x"]}]),
        ),
        case(
            "optional_tags",
            json!({
                "Function": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "type": {"enum": ["function"], "default": "function"}}},
                "Search": {"type": "object", "required": ["query"], "properties": {"query": {"type": "string"}, "type": {"const": "search", "default": "search"}}},
                "Root": {"type": "object", "properties": {
                    "one": {"$ref": "#/components/schemas/Function"},
                    "all": {"type": "array", "items": {"oneOf": [{"$ref": "#/components/schemas/Function"}, {"$ref": "#/components/schemas/Search"}],
                        "discriminator": {"propertyName": "type", "mapping": {"function": "#/components/schemas/Function", "search": "#/components/schemas/Search"}}}},
                }},
            }),
            json!([{"one": {"name": "f"}, "all": [{"query": "q"}, {"name": "f"}, {"name": "f", "type": "function"}, {"type": "search", "query": "q", "x": 1}]}]),
        ),
        case(
            "access",
            json!({"Root": {"type": "object", "required": ["id", "secret", "name"], "properties": {
                "id": {"type": "string", "readOnly": true}, "secret": {"type": "string", "writeOnly": true}, "name": {"type": "string"},
            }}}),
            json!([{"id": "1", "secret": "s", "name": "n"}]),
        ),
        case(
            "unsigned",
            json!({"Root": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "format": "uint64"}, "all": {"type": "array", "items": {"type": "integer", "format": "uint64"}}}}}),
            json!([{"n": 18446744073709551615_u64, "all": [0, 9223372036854775808_u64]}]),
        ),
        case(
            "part_of_itself",
            json!({"Root": {"type": "object", "properties": {
                "plain": {"$ref": "#/components/schemas/Root", "type": "object"},
                "more": {"$ref": "#/components/schemas/Root", "required": ["plain"]},
                "free": {"type": "array", "items": {"type": "object"}},
                "maps": {"type": "object", "additionalProperties": {"type": ["object", "null"]}},
            }}}),
            json!([{"plain": {"plain": {}, "more": {"plain": {}}}}, {"more": {"plain": {"free": [{}, {"a": [1]}]}, "maps": {"x": null, "y": {}}}}]),
        ),
    ]
}

/// Operations that have to compile: with every kind of parameter, and with those named as progenitor names variables.
fn operations() -> Value {
    let parameter = |name: &str, location: &str| json!({"name": name, "in": location, "required": location == "path", "schema": {"type": "string"}});
    let names = ["url", "request", "response", "result", "info", "value", "params", "baseurl", "client", "inner"];
    let query: Vec<_> = names.iter().map(|name| parameter(name, "query")).collect();
    let ok = json!({"200": {"description": "", "content": {"application/json": {"schema": {"type": "integer"}}}}});
    json!({
        "/a": {"get": {"operationId": "variables", "parameters": query, "responses": ok}},
        "/a/{url}/{request}": {"delete": {
            "operationId": "url",
            "parameters": [parameter("url", "path"), parameter("request", "path"), parameter("X-Header", "header")],
            "responses": ok,
        }},
    })
}

#[test]
fn what_is_valid_under_the_schema_comes_back_through_the_type() {
    let (mut modules, mut checks, mut instances) = (String::new(), String::new(), 0);
    for case in cases() {
        let document = document(&json!({}), &case.schemas);
        let mut judge = document.clone();
        judge["$ref"] = json!("#/components/schemas/Root");
        let judge = jsonschema::draft202012::options().build(&judge).unwrap();
        let generated = generate(case.name, &document.to_string()).unwrap();
        modules.push_str(&module(case.name, &generated));
        writeln!(checks, "{{ use super::{}::types; let table: &[Row] = &{};", case.name, generated.types).unwrap();
        for instance in &case.instances {
            assert!(judge.is_valid(instance), "{}: {instance} is not valid under the schema", case.name);
            writeln!(checks, "comes_back({:?}, table, {:?});", case.name, instance.to_string()).unwrap();
            instances += 1;
        }
        checks.push('}');
    }
    assert!(instances > 30, "{instances}");
    let operations = generate("operations", &document(&operations(), &json!({})).to_string()).unwrap();
    modules.push_str(&module("operations", &operations));
    let program = compile("semantics", &format!("{modules}{}", TESTS.replace("CHECKS", &checks))).unwrap();
    let output = Command::new(program).args(["--nocapture", "every_instance_comes_back"]).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("1 passed"), "{out}{err}");
}

fn document(paths: &Value, schemas: &Value) -> Value {
    json!({"openapi": "3.1.0", "info": {"title": "t"}, "paths": paths, "components": {"schemas": schemas}})
}

/// Reads instances as the type `Root` of their case, and writes them again.
const TESTS: &str = r#"
#[allow(unused_variables, reason = "a case may have no instances")]
mod tests {
    use crate::{DecodeError, Json};

    type Row = (&'static str, &'static str, fn(&str) -> Result<String, DecodeError>);

    fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(text: &str) -> Result<String, DecodeError> {
        Ok(serde_json::to_string(&Json::parse(text)?.decode::<T>()?).unwrap())
    }

    fn comes_back(case: &str, table: &[Row], instance: &str) {
        let (.., round_trip) = table.iter().find(|(name, ..)| *name == "Root").expect("the case has a type Root");
        let back = round_trip(instance).unwrap_or_else(|error| panic!("{case}: {instance}: {error}"));
        assert_eq!(Json::parse(&back).unwrap(), Json::parse(instance).unwrap(), "{case}");
    }

    #[test]
    fn every_instance_comes_back() {
        CHECKS
    }
}
"#;
