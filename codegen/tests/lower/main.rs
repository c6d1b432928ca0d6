//! Lowering other people's documents: every construct, what it becomes, and that what was valid
//! still is.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that can't go on fails"
)]

#[path = "../../build/pipeline.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::pedantic,
    reason = "the build script's own module, of which this file uses a part"
)]
mod pipeline;
#[path = "../support/surface.rs"]
mod surface;

mod constructs;
mod hostile;
mod mutations;
mod operations;
mod semantics;
mod unions;

use serde_json::{Value, json};

/// What generation gives for a document: the surface, the notes, and the source.
struct Outcome {
    surface: String,
    notes: Vec<String>,
    source: String,
}

fn generate(document: &Value) -> Result<Outcome, String> {
    let text = document.to_string();
    let source = pipeline::Source { contract: ("spec.json", &text), overlay: None };
    let generated = pipeline::generate_any(&source).map_err(|error| error.to_string())?;
    Ok(Outcome {
        surface: surface::surface(&generated.source),
        notes: generated.notes.iter().map(|note| format!("{}: {}", note.pointer, note.text)).collect(),
        source: generated.source,
    })
}

/// A document of these schemas.
fn schemas(schemas: &Value) -> Value {
    json!({"openapi": "3.1.0", "info": {"title": "t"}, "paths": {}, "components": {"schemas": schemas}})
}

/// A document with these paths.
fn paths(paths: &Value) -> Value {
    json!({"openapi": "3.1.0", "info": {"title": "t"}, "paths": paths})
}

impl Outcome {
    #[track_caller]
    fn has(&self, lines: &[&str]) -> &Self {
        for line in lines {
            assert!(self.surface.lines().any(|found| found.trim() == *line), "no line `{line}` in:\n{}", self.surface);
        }
        self
    }

    #[track_caller]
    fn lacks(&self, text: &str) -> &Self {
        assert!(!self.surface.contains(text), "`{text}` in:\n{}", self.surface);
        self
    }

    #[track_caller]
    fn notes(&self, expected: &[&str]) {
        assert_eq!(self.notes, expected);
    }
}
