//! Generates a client for each OpenAPI document given, and compiles it.

use std::{env, fs, process::ExitCode};

use anthropic_messages_harness::{Error, compile, generate, module};

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(specs: &[String]) -> Result<(), Error> {
    if specs.is_empty() {
        return Err("usage: anthropic-messages-harness SPEC...".into());
    }
    let mut modules = String::new();
    for (number, spec) in specs.iter().enumerate() {
        let text = fs::read_to_string(spec).map_err(|error| format!("{spec}: the file can't be read: {error}"))?;
        modules.push_str(&module(&format!("spec_{number}"), &generate(spec, &text)?));
    }
    compile("specs", &modules)?;
    println!("all {} compile", specs.len());
    Ok(())
}
