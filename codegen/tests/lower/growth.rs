//! The crate's own contract when it says more: the client builds, or one sentence says why not.

use anthropic_messages_codegen::{Contract, Requirements};
use serde_json::{Value, json};

/// A line of the surface, or a piece of the sentence.
enum Outcome {
    Builds(&'static str),
    Fails(&'static str),
}

fn build(contract: &Value) -> Result<String, String> {
    let required = include_str!("../../../src/requirements.json");
    let requirements = Requirements::parse("requirements.json", required).unwrap();
    let contract = Contract::parse("openapi.json", &contract.to_string()).unwrap();
    let overlays = [include_str!("../../../overlay.json"), include_str!("../../../overlay-family.json")];
    let contract = overlays
        .into_iter()
        .try_fold(contract, |contract, overlay| contract.built_in_overlay("overlay.json", overlay))
        .map_err(|error| error.to_string())?;
    crate::build(&contract, &requirements).map(|(_, generated)| generated.surface)
}

#[test]
fn a_contract_that_says_more_builds_or_fails_with_a_sentence() {
    type Change = fn(&mut Value);
    let cases: Vec<(&str, Change, Outcome)> = vec![
        (
            "replies require members that the code reads as optional",
            |s| s["MessageResponse"]["required"] = json!(["content", "usage"]),
            Outcome::Builds("  content: Option<Vec<ContentBlock>>"),
        ),
        (
            "a tool call requires its `id`",
            |s| {
                let block = &mut s["ContentBlock"]["oneOf"][2];
                block["properties"]["id"] = json!({"type": "string"});
                block["required"] = json!(["type", "name", "input", "id"]);
            },
            Outcome::Builds("  id: Option<String>"),
        ),
        (
            "the model is an enum",
            |s| s["MessageCreateRequest"]["properties"]["model"] = json!({"enum": ["claude-a", "claude-b"]}),
            Outcome::Builds("  model: MessageCreateRequestModel"),
        ),
        (
            "a sampling parameter is declared",
            |s| {
                s["MessageCreateRequest"]["properties"]["temperature"] =
                    json!({"type": "number", "minimum": 0, "maximum": 1})
            },
            Outcome::Builds("  temperature: Option<f64>"),
        ),
        (
            "errors are described",
            |s| {
                s["ErrorResponse"] = json!({"type": "object", "required": ["type", "error"], "properties": {
                    "type": {"const": "error"},
                    "error": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}},
                }});
            },
            Outcome::Builds("struct ErrorResponseError"),
        ),
        (
            "the stop reason is a plain string",
            |s| s["MessageResponse"]["properties"] = json!({"stop_reason": {"type": "string"}}),
            Outcome::Fails(
                "`stop_reason` of MessageResponse is string?, at #/components/schemas/MessageResponse/properties/stop_reason; \
                 Client::create_message",
            ),
        ),
        (
            "the content of a message may be a string",
            |s| s["AnthropicMessage"]["properties"]["content"] = json!({"oneOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/components/schemas/ContentBlock"}}]}),
            Outcome::Fails("needs ContentBlock[]; change it in the contract"),
        ),
        (
            "the schema of a tool's input is typed",
            |s| {
                s["AnthropicTool"]["properties"]["input_schema"] =
                    json!({"type": "object", "properties": {"type": {"const": "object"}}})
            },
            Outcome::Fails("`input_schema` of AnthropicTool is AnthropicToolInputSchema, at #"),
        ),
        (
            "a limit is a number or a string",
            |s| s["MessageCreateRequest"]["properties"]["max_tokens"] = json!({"type": ["integer", "string"]}),
            Outcome::Fails("`max_tokens` of MessageCreateRequest is MessageCreateRequestMaxTokens, at #"),
        ),
        (
            "a role is a plain string",
            |s| s["AnthropicMessage"]["properties"]["role"] = json!({"type": "string"}),
            Outcome::Fails("`role` of AnthropicMessage is string, at #"),
        ),
    ];
    for (name, change, outcome) in cases {
        let mut contract: Value = serde_json::from_str(include_str!("../../../openapi.json")).unwrap();
        change(&mut contract["components"]["schemas"]);
        match (build(&contract), outcome) {
            (Ok(surface), Outcome::Builds(line)) => {
                assert!(surface.lines().any(|found| found == line), "{name}: no line `{line}`");
            }
            (Err(error), Outcome::Fails(piece)) => {
                assert!(error.contains(piece), "{name}: {error}");
                assert_eq!(error.lines().count(), 1, "{name}: {error}");
            }
            (Ok(_), Outcome::Fails(_)) => panic!("{name}: the build passed"),
            (Err(error), Outcome::Builds(_)) => panic!("{name}: {error}"),
        }
    }
}
