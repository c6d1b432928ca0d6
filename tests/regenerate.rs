//! The spec changes, and the next build has another client.
//!
//! Each test builds the library as a child process with its own contract. The builds share one
//! target directory of their own, so that the dependencies are built once.

#![cfg(test)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn contract() -> Value {
    serde_json::from_str(include_str!("../openapi.json")).unwrap()
}

fn overlay() -> Value {
    serde_json::from_str(include_str!("../overlay.json")).unwrap()
}

struct Build {
    success: bool,
    messages: String,
    surface: String,
    source: String,
}

/// Checks the library with a contract and an overlay given through the environment.
fn build(name: &str, contract: &str, overlay: Option<&Value>) -> Build {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("changed.json");
    std::fs::write(&path, contract).unwrap();
    let mut command = cargo();
    command.env("ANTHROPIC_MESSAGES_OPENAPI", &path);
    if let Some(overlay) = overlay {
        let path = folder.join("overlay.json");
        std::fs::write(&path, overlay.to_string()).unwrap();
        command.env("ANTHROPIC_MESSAGES_OVERLAY", path);
    }
    run(&mut command)
}

fn cargo() -> Command {
    let mut command = check();
    command.args(["--quiet", "--message-format=json-render-diagnostics"]);
    command
}

fn check() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["check", "--lib"])
        .current_dir(ROOT)
        .env("CARGO_TARGET_DIR", target())
        .env_remove("ANTHROPIC_MESSAGES_OPENAPI")
        .env_remove("ANTHROPIC_MESSAGES_OVERLAY")
        .env_remove("ANTHROPIC_MESSAGES_OVERLAY_ADD");
    command
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("regenerate")
}

fn run(command: &mut Command) -> Build {
    let _turn = turn();
    run_now(command)
}

/// The builds of several tests would wait for each other anyway, and would take turns with the
/// generated source that is read afterwards.
fn turn() -> std::sync::MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn run_now(command: &mut Command) -> Build {
    let output = command.output().unwrap();
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    let out_dir = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "build-script-executed")
        .filter(|message| message["package_id"].as_str().is_some_and(|id| id.contains("anthropic-messages")))
        .filter_map(|message| message["out_dir"].as_str().map(PathBuf::from))
        .next_back();
    let written = |file: &str| {
        out_dir.as_ref().and_then(|folder| std::fs::read_to_string(folder.join(file)).ok()).unwrap_or_default()
    };
    let (source, surface) = (written("generated.rs"), written("surface.txt"));
    Build { success: output.status.success(), messages, surface, source }
}

#[track_caller]
fn assert_fails(build: &Build, sentence: &str) {
    assert!(!build.success, "the build passed");
    let errors: Vec<&str> =
        build.messages.lines().filter(|line| line.starts_with("error: anthropic-messages")).collect();
    assert_eq!(errors.len(), 1, "one sentence, not: {}", build.messages);
    assert!(errors[0].ends_with(sentence), "{}", errors[0]);
    assert!(!build.messages.contains("panicked"), "{}", build.messages);
}

#[test]
fn a_grown_contract_grows_the_client() {
    let mut changed = contract();
    changed["paths"]["/models"]["get"] = json!({
        "operationId": "listModels",
        "summary": "Lists models",
        "parameters": [
            {"name": "limit", "in": "query", "schema": {"type": "integer"}, "description": "Most models to list."},
            {"name": "after_id", "in": "query", "schema": {"type": ["string", "null"]}},
        ],
        "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"type": "object", "properties": {
            "data": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}},
        }}}}}},
    });
    let schemas = &mut changed["components"]["schemas"];
    schemas["MessageCreateRequest"]["properties"]["audience"] = json!({"type": "string"});
    schemas["MessageCreateRequest"]["required"].as_array_mut().unwrap().push(json!("audience"));
    schemas["AnthropicMessage"]["properties"]["role"]["enum"].as_array_mut().unwrap().push(json!("moderator"));
    schemas["ContentBlock"]["oneOf"].as_array_mut().unwrap().push(json!({
        "type": "object",
        "required": ["type", "voxels"],
        "properties": {"type": {"const": "hologram"}, "voxels": {"type": "array", "items": {"type": "integer"}}},
    }));
    let build = build("grown", &changed.to_string(), None);
    assert!(build.success, "{}", build.messages);
    for line in [
        "async fn list_models(params: &types::ListModelsParams) -> types::ListModelsResponse",
        "struct ListModelsParams",
        "  limit: Option<i64>",
        "  after_id: Option<String>",
        "  audience: String",
        "  Moderator",
        "  Hologram(ContentBlockHologram)",
        "  voxels: Vec<i64>",
    ] {
        assert!(build.surface.lines().any(|found| found == line), "{line} is missing:\n{}", build.surface);
    }
    let constructor =
        build.surface.lines().find(|line| line.starts_with("  new(") && line.contains("max_tokens")).unwrap();
    assert!(constructor.contains("audience: impl Into<String>"), "{constructor}");
}

/// The hand-written code reads these fields as optional, whatever the contract requires of them.
#[test]
fn a_contract_that_requires_more_builds() {
    let mut changed = contract();
    let schemas = &mut changed["components"]["schemas"];
    schemas["MessageResponse"]["required"] = json!(["content", "usage"]);
    for (index, property) in [(1, "signature"), (2, "id")] {
        let block = &mut schemas["ContentBlock"]["oneOf"][index];
        block["properties"][property] = json!({"type": "string"});
        block["required"].as_array_mut().unwrap().push(json!(property));
    }
    schemas["MessageCreateRequest"]["properties"]["model"] = json!({"enum": ["claude-a", "claude-b"]});
    schemas["MessageCreateRequest"]["properties"]["temperature"] = json!({"type": "number"});
    schemas["ErrorResponse"] = json!({"type": "object", "required": ["type", "error"], "properties": {
        "type": {"const": "error"},
        "error": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}},
    }});
    let build = build("requires_more", &changed.to_string(), None);
    assert!(build.success, "{}", build.messages);
}

#[test]
fn a_changed_description_is_in_the_documentation() {
    let mut changed = contract();
    changed["components"]["schemas"]["AnthropicTool"]["properties"]["name"]["description"] =
        json!("A name to [call] <it> by.");
    changed["components"]["schemas"]["MessageCreateRequest"]["properties"]["system"]["description"] =
        json!("What to bear in mind.");
    let build = build("described", &changed.to_string(), None);
    assert!(build.success, "{}", build.messages);
    for line in [r"/// A name to \[call\] \<it\> by.", "/// What to bear in mind."] {
        assert!(build.source.contains(line), "{line}");
    }
}

#[test]
fn a_broken_contract_fails_with_one_sentence() {
    let sentence = |build: &Build, text: &str| assert_fails(build, text);
    sentence(
        &build("bad_json", "{\"openapi\": ", None),
        "changed.json: the file is not JSON: EOF while parsing a value at line 1 column 12",
    );

    let mut changed = contract();
    changed["components"]["schemas"].as_object_mut().unwrap().remove("MessageCreateRequest");
    changed["paths"] = json!({});
    let overlay_without = json!({"overlay": "1.0.0", "info": {"title": "", "version": ""}, "actions": []});
    sentence(
        &build("missing", &changed.to_string(), Some(&overlay_without)),
        "changed.json: the schema MessageCreateRequest is missing, at #/components/schemas; Client::create_message and \
         Client::stream_message needs it",
    );

    let mut changed = contract();
    changed["components"]["schemas"]["AnthropicTool"]["properties"]["name"] =
        json!({"$ref": "#/components/schemas/Nowhere"});
    sentence(
        &build("dangling", &changed.to_string(), None),
        "changed.json: the `$ref` #/components/schemas/Nowhere points to nothing, at \
         #/components/schemas/AnthropicTool/properties/name",
    );
}

#[test]
fn a_stale_or_contradicting_overlay_fails_with_one_sentence() {
    let mut stale = overlay();
    let actions = stale["actions"].as_array_mut().unwrap();
    actions.insert(0, json!({"target": "$.components.schemas.Gone", "update": {"description": "x"}}));
    assert_fails(
        &build("stale", &contract().to_string(), Some(&stale)),
        "overlay.json: action 0 (target $.components.schemas.Gone): the target matches nothing in the contract; remove \
         the action, or point it to where the schema is now",
    );

    let mut contradicting = overlay();
    let actions = contradicting["actions"].as_array_mut().unwrap();
    actions.insert(0, json!({"target": "$.components.schemas.AnthropicTool", "update": {"properties": {"name": {"type": "integer"}}}}));
    assert_fails(
        &build("contradicting", &contract().to_string(), Some(&contradicting)),
        "overlay.json: action 0 (target $.components.schemas.AnthropicTool): the overlay would replace a value that the \
         contract gives, at #/components/schemas/AnthropicTool/properties/name/type",
    );
}

#[test]
fn a_relative_path_is_refused_with_the_line_to_write() {
    let build = run(cargo().env("ANTHROPIC_MESSAGES_OPENAPI", "specs/openapi.json"));
    assert_fails(
        &build,
        "write [env] ANTHROPIC_MESSAGES_OPENAPI = { value = \"specs/openapi.json\", relative = true }, or give an absolute path",
    );
}

#[test]
fn a_note_is_an_error_in_strict_mode_unless_it_is_accepted() {
    let mut changed = contract();
    changed["components"]["schemas"]["AnthropicTool"]["properties"]["shape"] = json!({"$ref": "elsewhere.json"});
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join("noted.json");
    std::fs::write(&path, changed.to_string()).unwrap();
    let strict =
        |value: &str| run(cargo().env("ANTHROPIC_MESSAGES_OPENAPI", &path).env("ANTHROPIC_MESSAGES_STRICT", value));
    assert_fails(&strict("1"), "1 new notes; keep a list of accepted notes and name it in the variable)");

    let list = folder.join("accepted.txt");
    std::fs::write(&list, "").unwrap();
    let refused = strict(list.to_str().unwrap());
    assert!(!refused.success);
    // The command in the error accepts the note.
    let (_, rest) = refused.messages.split_once("accept them with `cp ").unwrap();
    let (notes, _) = rest.split_once(' ').unwrap();
    std::fs::copy(notes, &list).unwrap();
    let accepted = strict(list.to_str().unwrap());
    assert!(accepted.success, "{}", accepted.messages);
}

/// A crate outside that names its contract in `.cargo/config.toml`, relative to its own folder.
#[test]
fn a_crate_outside_has_the_operations_of_its_own_contract() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside");
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::create_dir_all(folder.join(".cargo")).unwrap();
    let mut changed = contract();
    changed["paths"]["/ping"]["get"] = json!({"operationId": "ping", "responses": {"204": {"description": ""}}});
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("contract.json", &changed.to_string());
    write("skills.json", &added_overlay("deleteSkill"));
    write(
        ".cargo/config.toml",
        "[env]\nANTHROPIC_MESSAGES_OPENAPI = { value = \"contract.json\", relative = true }\n\
         ANTHROPIC_MESSAGES_OVERLAY_ADD = { value = \"skills.json\", relative = true }\n",
    );
    write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\nanthropic-messages = {{ path = {ROOT:?} }}\n"
        ),
    );
    write(
        "src/main.rs",
        "fn main() {\n    let _ = anthropic_messages::Client::ping;\n    \
         let _ = anthropic_messages::Client::delete_skill;\n    \
         assert!(anthropic_messages::CONTRACT_SOURCE.ends_with(\"contract.json\"));\n}\n",
    );
    std::fs::copy(Path::new(ROOT).join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["run", "--quiet", "--offline"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", target())
        .env_remove("ANTHROPIC_MESSAGES_OPENAPI")
        .env_remove("ANTHROPIC_MESSAGES_OVERLAY")
        .env_remove("ANTHROPIC_MESSAGES_OVERLAY_ADD");
    let build = run(&mut command);
    assert!(build.success, "{}", build.messages);
}

/// An overlay of a user's, which adds an operation.
fn added_overlay(operation_id: &str) -> String {
    let operation = json!({
        "operationId": operation_id,
        "parameters": [{"name": "skill_id", "in": "path", "required": true, "schema": {"type": "string"}}],
        "responses": {"204": {"description": "Deleted."}}
    });
    let update = json!({"/skills/{skill_id}": {"delete": operation}});
    json!({
        "overlay": "1.0.0",
        "info": {"title": "Skills", "version": "1"},
        "actions": [{"target": "$.paths", "update": update}]
    })
    .to_string()
}

#[test]
fn only_a_changed_input_runs_the_generator() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("added");
    std::fs::create_dir_all(&folder).unwrap();
    let overlay = folder.join("skills.json");
    std::fs::write(&overlay, added_overlay("deleteSkill")).unwrap();
    let check = || {
        let mut command = check();
        command.env("ANTHROPIC_MESSAGES_OVERLAY_ADD", &folder);
        command
    };
    // No other test may build something else in between.
    let _turn = turn();
    let first = run_now(check().args(["--quiet", "--message-format=json-render-diagnostics"]));
    assert!(first.success, "{}", first.messages);
    assert!(first.surface.contains("async fn delete_skill(skill_id: &str)"), "a folder stands for its files");
    assert!(first.surface.contains("async fn get_batch("), "the package's own overlays stay");
    let library = std::fs::File::options().append(true).open(Path::new(ROOT).join("src/lib.rs")).unwrap();
    library.set_modified(std::time::SystemTime::now()).unwrap();
    // With `-v` cargo says what it runs.
    let again = run_now(check().arg("-v"));
    assert!(again.messages.contains("Checking anthropic-messages"), "{}", again.messages);
    assert!(
        !again.messages.contains("build-script-build"),
        "touching src/lib.rs ran the generator: {}",
        again.messages
    );
    std::fs::write(&overlay, added_overlay("removeSkill")).unwrap();
    std::fs::File::options()
        .append(true)
        .open(&overlay)
        .unwrap()
        .set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(2))
        .unwrap();
    let changed = run_now(check().args(["--quiet", "--message-format=json-render-diagnostics"]));
    assert!(changed.surface.contains("async fn remove_skill(skill_id: &str)"), "{}", changed.messages);
}
