//! The generated surface, as a reviewer reads it.

#![cfg(test)]

mod support;

use anthropic_messages::{Client, Error, MessageCreateRequest, Response, types};
use support::types::TYPES;

const FOUND: &str = include_str!(concat!(env!("OUT_DIR"), "/surface.txt"));
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/surface.txt");

/// `UPDATE_SURFACE=1 cargo test --test surface` writes the file anew; the diff is for review.
#[test]
fn the_surface_is_the_one_that_was_reviewed() {
    let found = FOUND;
    if std::env::var_os("UPDATE_SURFACE").is_some() {
        std::fs::write(KEPT, found).unwrap();
    }
    let kept = std::fs::read_to_string(KEPT).unwrap_or_default();
    let difference: Vec<String> = kept
        .lines()
        .filter(|line| !found.lines().any(|other| other == *line))
        .map(|line| format!("- {line}"))
        .chain(found.lines().filter(|line| !kept.lines().any(|other| other == *line)).map(|line| format!("+ {line}")))
        .collect();
    assert!(difference.is_empty(), "the generated surface has changed:\n{}", difference.join("\n"));
    assert_eq!(found, kept, "the order of the generated surface has changed");
}

#[test]
fn every_type_of_the_contract_is_on_the_surface() {
    let found = FOUND;
    for (name, ..) in TYPES {
        assert!(found.lines().any(|line| line == format!("struct {name}") || line == format!("enum {name}")), "{name}");
    }
    for line in [
        "(private) async fn create_message_whole(body: &types::MessageCreateRequest, _params: &CreateMessageArguments) -> types::MessageResponse",
        "async fn count_tokens(body: &types::CountTokensRequest) -> types::MessageTokensCount",
        "  ToolUse(ContentBlockToolUse)",
        "  Unknown(Json)",
    ] {
        assert!(found.lines().any(|found| found == line), "{line}");
    }
}

fn assert_shared<T: Clone + Send + Sync + 'static>() {}
fn assert_error<T: std::error::Error + Send + Sync + 'static>() {}
fn assert_send<T: Send>(_: T) {}

#[test]
fn public_types_have_the_auto_traits_of_services() {
    assert_shared::<Client>();
    assert_error::<Error>();
    assert_shared::<Response<types::MessageResponse>>();
    // `TYPES` holds a function for every type that asks for Serialize, Deserialize, Clone, Debug,
    // PartialEq, Send and Sync: it compiles, so they all have them.
    assert!(TYPES.len() > 20);
    let future =
        |client: &'static Client, request: &'static MessageCreateRequest| assert_send(client.create_message(request));
    let _ = future;
}
