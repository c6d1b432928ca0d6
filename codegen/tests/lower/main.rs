//! Lowering other people's documents: every construct, what it becomes, and that what was valid
//! still is.

#![cfg(test)]

mod constructs;
mod documents;
mod drift;
mod growth;
mod hostile;
mod mutations;
mod operations;
mod unions;

use anthropic_messages_codegen::{Contract, Generated, Lowered, Requirements, finish, run, settings};
use serde_json::{Value, json};

/// The result of generation for a document: the surface, the notes, and the source.
struct Outcome {
    surface: String,
    notes: Vec<String>,
    source: String,
}

fn generate(document: &Value) -> Result<Outcome, String> {
    let contract = Contract::parse("spec.json", &document.to_string()).map_err(|error| error.to_string())?;
    let (lowered, generated) = build(&contract, &Requirements::default())?;
    Ok(Outcome {
        surface: generated.surface,
        notes: lowered.notes.iter().map(|note| format!("{}: {}", note.pointer, note.text)).collect(),
        source: generated.source,
    })
}

/// Lowers a contract and generates its code, as a build script does.
fn build(contract: &Contract, requirements: &Requirements) -> Result<(Lowered, Generated), String> {
    type Problem = Box<dyn std::error::Error + Send + Sync>;
    let generated = run(|| {
        let mut lowered = contract.lower()?;
        requirements.check(&mut lowered)?;
        let code = progenitor::Generator::new(&settings()).generate_tokens(&lowered.openapi()?)?;
        let generated = finish(&lowered, requirements, code)?;
        Ok::<_, Problem>((lowered, generated))
    });
    generated.map_err(|error| error.to_string())
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
