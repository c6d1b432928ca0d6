//! Compares two contracts, and says which release of the generated client each change needs.
//!
//! ```text
//! cargo run -p anthropic-messages-codegen --example drift -- OLD NEW [--overlay FILE]... [--allow patch|minor|major]
//! ```
//!
//! Prints a line for each change: the level, the Rust item, its JSON pointer and the reason. The last line is the most
//! severe level. `--overlay` is applied to both contracts, and `--allow` names the most severe level that is a success;
//! it defaults to `minor`.
//!
//! Exits with 0 if every change is allowed, with 1 if one is not, and with 2 if the contracts can't be compared.

use std::{error::Error, process::ExitCode};

use anthropic_messages_codegen::{Contract, Generated, Level, Requirements, drift, finish, run, settings};

const USAGE: &str = "usage: drift OLD NEW [--overlay FILE]... [--allow patch|minor|major]";

struct Arguments {
    contracts: Vec<String>,
    overlays: Vec<String>,
    allowed: Level,
}

fn main() -> ExitCode {
    match arguments(std::env::args().skip(1))
        .and_then(|arguments| run(|| compare(&arguments)).map_err(|error| error.to_string()))
    {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { contracts: Vec::new(), overlays: Vec::new(), allowed: Level::Minor };
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--overlay" => arguments.overlays.push(given.next().ok_or(USAGE)?),
            "--allow" => {
                arguments.allowed = match given.next().as_deref() {
                    Some("patch") => Level::Patch,
                    Some("minor") => Level::Minor,
                    Some("major") => Level::Major,
                    _ => return Err(USAGE.to_owned()),
                }
            }
            _ if argument.starts_with('-') => return Err(USAGE.to_owned()),
            _ => arguments.contracts.push(argument),
        }
    }
    if arguments.contracts.len() == 2 { Ok(arguments) } else { Err(USAGE.to_owned()) }
}

fn compare(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let clients = arguments.contracts.iter().map(|contract| generate(contract, &arguments.overlays));
    let clients = clients.collect::<Result<Vec<_>, _>>()?;
    let [old, new] = clients.as_slice() else { return Err(USAGE.into()) };
    let changes = drift(old, new);
    for change in &changes {
        println!("{change}");
    }
    let level = changes.iter().map(|change| change.level).max();
    println!("{}", level.map_or("no change".to_owned(), |level| level.to_string()));
    let is_allowed = level.is_none_or(|level| level <= arguments.allowed);
    Ok(if is_allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn generate(contract: &str, overlays: &[String]) -> Result<Generated, Box<dyn Error + Send + Sync>> {
    let read =
        |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: failed to read the file: {error}"));
    let mut contract = Contract::parse(contract, &read(contract)?)?;
    for overlay in overlays {
        contract = contract.built_in_overlay(overlay, &read(overlay)?)?;
    }
    let lowered = contract.lower()?;
    let code = progenitor::Generator::new(&settings()).generate_tokens(&lowered.openapi()?)?;
    Ok(finish(&lowered, &Requirements::default(), code)?)
}
