//! Runs the build's pipeline on any OpenAPI 3.x document, and shows what comes out.
//!
//! ```text
//! cargo run --example generate -- SPEC [--overlay FILE] [--out FILE] [--lowered FILE] [--strict]
//! ```
//!
//! Prints the notes (what the generated code does not express) and counts; `--out` writes the source, `--lowered` the
//! OpenAPI 3.0 document that progenitor is given, `--strict` makes notes an error.

#[path = "../build/pipeline.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::pedantic,
    reason = "the build script's own module, of which this example uses a part"
)]
mod pipeline;

use std::process::ExitCode;

const USAGE: &str = "usage: generate SPEC [--overlay FILE] [--out FILE] [--lowered FILE] [--strict]";

struct Arguments {
    spec: String,
    overlay: Option<String>,
    out: Option<String>,
    lowered: Option<String>,
    strict: bool,
}

fn main() -> ExitCode {
    // What progenitor prints when it gives up is of no use here; the error says it in one sentence.
    std::panic::set_hook(Box::new(|_| {}));
    match arguments(std::env::args().skip(1)).and_then(|arguments| run(&arguments)) {
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

fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let read =
        |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: the file can't be read: {error}"));
    let spec = read(&arguments.spec)?;
    let overlay = arguments.overlay.as_deref().map(|path| Ok::<_, String>((path, read(path)?))).transpose()?;
    let generated = pipeline::generate_any(&pipeline::Source {
        contract: (&arguments.spec, &spec),
        overlay: overlay.as_ref().map(|(path, text)| (*path, text.as_str())),
    })
    .map_err(|error| error.to_string())?;
    for note in &generated.notes {
        println!("note: {}, at #{}", note.text, note.pointer);
    }
    let count = |start: &str| generated.source.lines().filter(|line| line.trim_start().starts_with(start)).count();
    println!(
        "{}: {} operations, {} structs, {} enums, {} notes, {} lines",
        arguments.spec,
        count("pub async fn "),
        count("pub struct ").saturating_sub(1),
        count("pub enum "),
        generated.notes.len(),
        generated.source.lines().count(),
    );
    let write = |file: &Option<String>, text: &str| match file {
        Some(file) => std::fs::write(file, text).map_err(|error| format!("{file}: the file can't be written: {error}")),
        None => Ok(()),
    };
    write(&arguments.out, &generated.source)?;
    write(&arguments.lowered, &generated.lowered.to_string())?;
    Ok(if arguments.strict && !generated.notes.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
