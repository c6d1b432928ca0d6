//! Generates a client from any OpenAPI 3.x document, and shows what comes out.
//!
//! ```text
//! cargo run -p anthropic-messages-codegen --example generate -- SPEC [--overlay FILE] [--out FILE] [--lowered FILE] [--strict]
//! ```
//!
//! Prints the notes (what the generated code does not express) and counts; `--out` writes the source, `--lowered` the
//! OpenAPI 3.0 document that progenitor is given, `--strict` makes notes an error.

use std::{error::Error, process::ExitCode};

use anthropic_messages_codegen::{Contract, Requirements, finish, run, settings};

const USAGE: &str = "usage: generate SPEC [--overlay FILE] [--out FILE] [--lowered FILE] [--strict]";

struct Arguments {
    spec: String,
    overlay: Option<String>,
    out: Option<String>,
    lowered: Option<String>,
    strict: bool,
}

fn main() -> ExitCode {
    match arguments(std::env::args().skip(1))
        .and_then(|arguments| run(|| generate(&arguments)).map_err(|error| error.to_string()))
    {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { spec: String::new(), overlay: None, out: None, lowered: None, strict: false };
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--overlay" => arguments.overlay = Some(given.next().ok_or(USAGE)?),
            "--out" => arguments.out = Some(given.next().ok_or(USAGE)?),
            "--lowered" => arguments.lowered = Some(given.next().ok_or(USAGE)?),
            "--strict" => arguments.strict = true,
            _ if arguments.spec.is_empty() && !argument.starts_with('-') => arguments.spec = argument,
            _ => return Err(USAGE.to_owned()),
        }
    }
    if arguments.spec.is_empty() { Err(USAGE.to_owned()) } else { Ok(arguments) }
}

fn generate(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let read =
        |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: the file can't be read: {error}"));
    let mut contract = Contract::parse(&arguments.spec, &read(&arguments.spec)?)?;
    if let Some(overlay) = &arguments.overlay {
        contract = contract.overlay(overlay, &read(overlay)?)?;
    }
    let lowered = contract.lower()?;
    let code = progenitor::Generator::new(&settings()).generate_tokens(&lowered.openapi()?)?;
    let generated = finish(&lowered, &Requirements::default(), code)?;
    for note in &lowered.notes {
        println!("note: {}, at #{}", note.text, note.pointer);
    }
    let count = |start: &str| generated.source.lines().filter(|line| line.trim_start().starts_with(start)).count();
    println!(
        "{}: {} operations, {} structs, {} enums, {} notes, {} lines",
        arguments.spec,
        count("pub async fn "),
        count("pub struct ").saturating_sub(1),
        count("pub enum "),
        lowered.notes.len(),
        generated.source.lines().count(),
    );
    let write = |file: &Option<String>, text: &str| match file {
        Some(file) => std::fs::write(file, text).map_err(|error| format!("{file}: the file can't be written: {error}")),
        None => Ok(()),
    };
    write(&arguments.out, &generated.source)?;
    write(&arguments.lowered, &lowered.document.to_string())?;
    Ok(if arguments.strict && !lowered.notes.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
