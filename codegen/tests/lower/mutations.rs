//! The crate's own contract, changed in every way that a new version may change it.

use anthropic_messages_codegen::{Contract, Requirements};
use serde_json::{Value, json};

fn contract() -> Value {
    serde_json::from_str(include_str!("../../../openapi.json")).unwrap()
}

/// Runs the pipeline as the build does, with the crate's overlay.
fn build(contract: &Value) -> Result<String, String> {
    let (overlay, required) = (include_str!("../../../overlay.json"), include_str!("../../../src/requirements.json"));
    let requirements = Requirements::parse("requirements.json", required).unwrap();
    let contract = Contract::parse("openapi.json", &contract.to_string())
        .and_then(|contract| contract.built_in_overlay("overlay.json", overlay))
        .map_err(|error| error.to_string())?;
    let (_, generated) = crate::build(&contract, &requirements)?;
    syn::parse_file(&generated.source).map_err(|error| error.to_string())?;
    Ok(generated.surface)
}

enum Outcome {
    /// A line of the surface that is new.
    Gains(&'static str),
    /// A line of the surface that is gone.
    Loses(&'static str),
    /// The surface is what it was.
    Same,
    /// A piece of the one sentence that the build ends with.
    Fails(&'static str),
}

fn remove(contract: &mut Value, pointer: &str, name: &str) {
    contract.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name).unwrap();
}

fn push(contract: &mut Value, pointer: &str, value: Value) {
    contract.pointer_mut(pointer).unwrap().as_array_mut().unwrap().push(value);
}

fn set(contract: &mut Value, pointer: &str, name: &str, value: Value) {
    contract.pointer_mut(pointer).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
}

const REQUEST: &str = "/components/schemas/MessageCreateRequest";
const BLOCKS: &str = "/components/schemas/ContentBlock/oneOf";

#[test]
fn every_change_of_the_contract_has_the_outcome_that_it_should() {
    type Change = fn(&mut Value);
    let cases: Vec<(&str, Change, Outcome)> = vec![
        ("nothing", |_| {}, Outcome::Same),
        (
            "an operation is added",
            |c| {
                set(
                    c,
                    "/paths",
                    "/ping",
                    json!({"get": {"operationId": "ping", "responses": {"204": {"description": ""}}}}),
                )
            },
            Outcome::Gains("async fn ping() -> ()"),
        ),
        (
            "an operation with a path parameter is added",
            |c| {
                set(
                    c,
                    "/paths",
                    "/models/{model_id}",
                    json!({"get": {"operationId": "getModel", "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AnthropicTool"}}}}}}}),
                )
            },
            Outcome::Gains("async fn get_model(model_id: &str) -> types::AnthropicTool"),
        ),
        (
            "an optional field is added",
            |c| set(c, &format!("{REQUEST}/properties"), "seed", json!({"type": "integer"})),
            Outcome::Gains("  seed: Option<i64>"),
        ),
        (
            "a field the overlay has too is added",
            |c| set(c, &format!("{REQUEST}/properties"), "stream", json!({"type": "boolean"})),
            Outcome::Same,
        ),
        (
            "a field the overlay has with another type is added",
            |c| set(c, &format!("{REQUEST}/properties"), "stream", json!({"type": "string"})),
            Outcome::Fails(
                "the overlay would replace a value that the contract gives, at #/components/schemas/MessageCreateRequest/properties/stream/type",
            ),
        ),
        (
            "a required field is added",
            |c| {
                set(c, &format!("{REQUEST}/properties"), "tenant", json!({"type": "string"}));
                push(c, &format!("{REQUEST}/required"), json!("tenant"));
            },
            Outcome::Gains("  tenant: String"),
        ),
        (
            "an optional field becomes required",
            |c| push(c, "/components/schemas/AnthropicTool/required", json!("description")),
            Outcome::Gains(
                "  new(name: impl Into<String>, description: impl Into<Option<String>>, input_schema: impl Into<Json>)",
            ),
        ),
        (
            "a field is removed that the overlay describes",
            |c| remove(c, &format!("{REQUEST}/properties"), "max_tokens"),
            Outcome::Fails("MessageCreateRequest says nothing about the type of `max_tokens`"),
        ),
        (
            "a field is removed that comfort needs",
            |c| remove(c, "/components/schemas/AnthropicMessage/properties", "content"),
            Outcome::Fails(
                "AnthropicMessage says nothing about the type of `content`, at #/components/schemas/AnthropicMessage",
            ),
        ),
        (
            "a field is renamed",
            |c| {
                remove(c, "/components/schemas/AnthropicTool/properties", "description");
                set(c, "/components/schemas/AnthropicTool/properties", "summary", json!({"type": "string"}));
            },
            Outcome::Fails("AnthropicTool says nothing about the type of `description`"),
        ),
        (
            "a field is retyped",
            |c| set(c, "/components/schemas/AnthropicTool/properties", "name", json!({"type": "integer"})),
            Outcome::Fails("`name` of AnthropicTool is integer, at #"),
        ),
        (
            "a field becomes nullable",
            |c| set(c, "/components/schemas/AnthropicTool/properties", "name", json!({"type": ["string", "null"]})),
            Outcome::Fails("`name` of AnthropicTool is string?, at #"),
        ),
        (
            "a value of an enum is added",
            |c| push(c, "/components/schemas/AnthropicMessage/properties/role/enum", json!("critic")),
            Outcome::Gains("  Critic"),
        ),
        (
            "a value of an enum is removed",
            |c| {
                c.pointer_mut("/components/schemas/AnthropicMessage/properties/role").unwrap()["enum"] =
                    json!(["user"]);
            },
            Outcome::Loses("  Assistant"),
        ),
        (
            "a block is added",
            |c| {
                push(
                    c,
                    BLOCKS,
                    json!({"type": "object", "required": ["type", "url"], "properties": {"type": {"const": "video"}, "url": {"type": "string"}}}),
                )
            },
            Outcome::Gains("  Video(ContentBlockVideo)"),
        ),
        (
            "a block is removed that comfort needs",
            |c| {
                c.pointer_mut(BLOCKS).unwrap().as_array_mut().unwrap().remove(2);
            },
            Outcome::Fails("the target matches nothing in the contract"),
        ),
        (
            "the blocks change places",
            |c| c.pointer_mut(BLOCKS).unwrap().as_array_mut().unwrap().reverse(),
            Outcome::Gains("  ToolUse(ContentBlockToolUse)"),
        ),
        (
            "a description changes",
            |c| set(c, &format!("{REQUEST}/properties/system"), "description", json!("Other words.")),
            Outcome::Same,
        ),
        ("a title is added", |c| set(c, REQUEST, "title", json!("Something else entirely")), Outcome::Same),
        (
            "a constraint is added",
            |c| set(c, &format!("{REQUEST}/properties/messages"), "maxItems", json!(100_000)),
            Outcome::Same,
        ),
        (
            "a response is typed",
            |c| set(c, "/components/schemas/MessageResponse", "properties", json!({"novel": {"type": "string"}})),
            Outcome::Gains("  novel: Option<String>"),
        ),
        ("the version is added", |c| set(c, "/info", "version", json!("2026-10-21")), Outcome::Same),
        (
            "the operation is renamed",
            |c| {
                c["paths"]["/messages"]["post"]["operationId"] = json!("send");
            },
            Outcome::Fails("the operation create_message is missing"),
        ),
        (
            "the schema of the request is gone",
            |c| {
                remove(c, "/components/schemas", "MessageCreateRequest");
            },
            Outcome::Fails("the target matches nothing in the contract"),
        ),
        (
            "a reference dangles",
            |c| {
                c["components"]["schemas"]["AnthropicMessage"]["properties"]["content"]["items"]["$ref"] =
                    json!("#/components/schemas/Gone");
            },
            Outcome::Fails(
                "the `$ref` #/components/schemas/Gone points to nothing, at #/components/schemas/AnthropicMessage/properties/content/items",
            ),
        ),
        (
            "it is no OpenAPI any more",
            |c| remove(c, "", "openapi"),
            Outcome::Fails("the document must have an `openapi` of 3.x"),
        ),
        (
            "a type is none",
            |c| set(c, "/components/schemas/AnthropicTool/properties/name", "type", json!("text")),
            Outcome::Fails(
                "`text` is not a type of JSON Schema, at #/components/schemas/AnthropicTool/properties/name",
            ),
        ),
        (
            "the schemas are a list",
            |c| {
                c["components"]["schemas"] = json!([]);
            },
            Outcome::Fails("the target matches nothing in the contract"),
        ),
    ];
    assert!(cases.len() >= 25);
    let before = build(&contract()).unwrap();
    for (name, change, outcome) in cases {
        let mut changed = contract();
        change(&mut changed);
        match (build(&changed), outcome) {
            (Ok(after), Outcome::Gains(line)) => {
                assert!(
                    after.lines().any(|found| in_any_order(found) == in_any_order(line)),
                    "{name}: no line `{line}`:\n{}",
                    difference(&before, &after)
                );
            }
            (Ok(after), Outcome::Loses(line)) => {
                // Another type may have a line of the same name.
                let count = |surface: &str| surface.lines().filter(|found| *found == line).count();
                assert!(count(&after) < count(&before), "{name}: `{line}` is still there");
            }
            (Ok(after), Outcome::Same) => {
                assert!(sorted(&after) == sorted(&before), "{name}:\n{}", difference(&before, &after))
            }
            (Err(error), Outcome::Fails(piece)) => {
                assert!(error.contains(piece), "{name}: {error}");
                assert_eq!(error.lines().count(), 1, "{name}: {error}");
            }
            (Ok(after), Outcome::Fails(_)) => panic!("{name}: the build passed:\n{}", difference(&before, &after)),
            (Err(error), _) => panic!("{name}: {error}"),
        }
    }
}

/// A line with the arguments of `new` sorted: the contract is written anew from a map that may not keep their order.
fn in_any_order(line: &str) -> String {
    let Some((start, arguments)) = line.split_once("new(") else { return line.to_owned() };
    let mut arguments: Vec<&str> = arguments.trim_end_matches(')').split(", ").collect();
    arguments.sort_unstable();
    format!("{start}new({})", arguments.join(", "))
}

/// The contract is written anew from a map without order, so the order says nothing here.
fn sorted(surface: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = surface.lines().filter(|line| !line.trim_start().starts_with("new(")).collect();
    lines.sort_unstable();
    lines
}

fn difference(before: &str, after: &str) -> String {
    let gone =
        before.lines().filter(|line| !after.lines().any(|other| other == *line)).map(|line| format!("-{line}\n"));
    let new = after.lines().filter(|line| !before.lines().any(|other| other == *line)).map(|line| format!("+{line}\n"));
    gone.chain(new).collect()
}
