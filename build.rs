//! Generates the client from `openapi.json` and `overlay.json`.

use std::{env, error, fs, path::Path};

use anthropic_messages_codegen::{Contract, Requirements, finish, run, settings};
use sha2::{Digest, Sha256};

type Error = Box<dyn error::Error + Send + Sync>;

fn main() {
    if let Err(error) = run(generate) {
        for line in error.to_string().lines() {
            println!("cargo::error={line}");
        }
        std::process::exit(1);
    }
}

fn generate() -> Result<(), Error> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ANTHROPIC_MESSAGES_STRICT");
    let name = chosen("ANTHROPIC_MESSAGES_OPENAPI", "openapi.json")?;
    let overlay = chosen("ANTHROPIC_MESSAGES_OVERLAY", "overlay.json")?;
    let text = read(&name)?;
    let mut contract = Contract::parse(&name, &text)?;
    if overlay != "none" {
        contract = contract.overlay(&overlay, &read(&overlay)?)?;
    }
    let requirements = Requirements::parse(REQUIREMENTS, &read(REQUIREMENTS)?)?;

    let lowered = contract.lower()?;
    requirements.check(&lowered)?;
    let code = progenitor::Generator::new(&settings())
        .generate_tokens(&lowered.openapi()?)
        .map_err(|error| format!("{name}: progenitor can't take the lowered contract: {error}"))?;
    let generated = finish(&lowered, &requirements, code)?;

    if env::var("ANTHROPIC_MESSAGES_STRICT").is_ok_and(|value| value == "1")
        && let Some(note) = lowered.notes.first()
    {
        return Err(format!(
            "{name}: {}, at #{} (ANTHROPIC_MESSAGES_STRICT makes what can't be kept an error; {} in all)",
            note.text,
            note.pointer,
            lowered.notes.len()
        )
        .into());
    }
    let constants = format!(
        "pub(crate) const CONTRACT_SOURCE: &str = {name:?};\n\
         pub(crate) const CONTRACT_SHA256: &str = {:?};\n\
         pub(crate) const CONTRACT_SERVER: &str = {:?};\n\
         pub(crate) const LOWERING_NOTES: &[(&str, &str)] = &{:?};\n",
        Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        lowered.server.as_deref().unwrap_or_default(),
        lowered.notes.iter().map(|note| (&note.pointer, &note.text)).collect::<Vec<_>>(),
    );
    let out = env::var("OUT_DIR")?;
    let write = |file: &str, text: &str| fs::write(Path::new(&out).join(file), text);
    write("constants.rs", &constants)?;
    write("contract.json", &contract.to_json()?)?;
    // For tests: every type, and what a reviewer reads.
    write("types.rs", &generated.types)?;
    write("surface.txt", &generated.surface)?;
    write("generated.rs", &generated.source)?;
    Ok(())
}

/// What the code in `src` needs of a contract.
const REQUIREMENTS: &str = "src/requirements.json";

/// The file that a variable names, or the package's own.
fn chosen(variable: &str, default: &str) -> Result<String, Error> {
    println!("cargo::rerun-if-env-changed={variable}");
    let Ok(path) = env::var(variable) else { return Ok(default.to_owned()) };
    if path != "none" && !Path::new(&path).is_absolute() {
        return Err(format!(
            "{variable} is the relative path {path:?}, and a build script can't know what it is relative to; in \
             .cargo/config.toml write [env] {variable} = {{ value = {path:?}, relative = true }}, or give an absolute path"
        )
        .into());
    }
    Ok(path)
}

fn read(path: &str) -> Result<String, Error> {
    println!("cargo::rerun-if-changed={path}");
    fs::read_to_string(path).map_err(|error| format!("{path}: the file can't be read: {error}").into())
}
