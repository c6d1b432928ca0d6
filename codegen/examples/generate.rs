//! Generates a client from any OpenAPI 3.x document, and shows what comes out.
//!
//! ```text
//! cargo run -p anthropic-messages-codegen --example generate -- SPEC [OPTION]...
//! ```
//!
//! Prints the notes on what the generated code doesn't express, and counts. `--overlay FILE` applies an overlay and can be
//! repeated, `--requirements FILE` checks what hand-written code needs, `--strict` fails if there are notes. `--out FILE`
//! writes the source, `--surface FILE` the list of public items, `--notes FILE` the notes, and `--lowered FILE` the
//! OpenAPI 3.0 document that progenitor reads.

use std::{error::Error, process::ExitCode};

use anthropic_messages_codegen::{Contract, Requirements, finish, run, settings};

const USAGE: &str = "usage: generate SPEC [--overlay FILE]... [--requirements FILE] [--out FILE] [--surface FILE] \
     [--notes FILE] [--lowered FILE] [--strict]";

#[derive(Default)]
struct Arguments {
    spec: String,
    overlays: Vec<String>,
    requirements: Option<String>,
    out: Option<String>,
    surface: Option<String>,
    notes: Option<String>,
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
    let mut arguments = Arguments::default();
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--overlay" => arguments.overlays.push(given.next().ok_or(USAGE)?),
            "--requirements" => arguments.requirements = Some(given.next().ok_or(USAGE)?),
            "--surface" => arguments.surface = Some(given.next().ok_or(USAGE)?),
            "--notes" => arguments.notes = Some(given.next().ok_or(USAGE)?),
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
        |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: failed to read the file: {error}"));
    let mut contract = Contract::parse(&arguments.spec, &read(&arguments.spec)?)?;
    for overlay in &arguments.overlays {
        contract = contract.built_in_overlay(overlay, &read(overlay)?)?;
    }
    let requirements = match &arguments.requirements {
        Some(file) => Requirements::parse(file, &read(file)?)?,
        None => Requirements::default(),
    };
    let mut lowered = contract.lower()?;
    requirements.check(&mut lowered)?;
    let code = progenitor::Generator::new(&settings()).generate_tokens(&lowered.openapi()?)?;
    let generated = finish(&lowered, &requirements, code)?;
    for note in &lowered.notes {
        println!("{note}");
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
        Some(file) => std::fs::write(file, text).map_err(|error| format!("{file}: failed to write the file: {error}")),
        None => Ok(()),
    };
    write(&arguments.out, &generated.source)?;
    write(&arguments.surface, &generated.surface)?;
    let notes: String = lowered.notes.iter().map(|note| format!("{note}\n")).collect();
    write(&arguments.notes, &notes)?;
    write(&arguments.lowered, &lowered.document.to_string())?;
    Ok(if arguments.strict && !lowered.notes.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
