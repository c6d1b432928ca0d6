//! Generates the client from `openapi.json` and `overlay.json`.
//!
//! Only files and the environment are handled here; `build/pipeline.rs` does the work.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "tests and the example `generate` include the pipeline too, and use other parts of it"
)]

#[path = "build/pipeline.rs"]
mod pipeline;

use std::{env, error::Error, fs, path::Path};

use sha2::{Digest, Sha256};

fn main() {
    if let Err(error) = run() {
        for line in error.to_string().lines() {
            println!("cargo::error={line}");
        }
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-env-changed=ANTHROPIC_MESSAGES_STRICT");
    let contract = chosen("ANTHROPIC_MESSAGES_OPENAPI", "openapi.json")?;
    let overlay = chosen("ANTHROPIC_MESSAGES_OVERLAY", "overlay.json")?;
    let text = read(&contract)?;
    let overlay_text = if overlay == "none" { None } else { Some(read(&overlay)?) };
    // What progenitor prints when it gives up is of no use to whoever reads the build's output.
    std::panic::set_hook(Box::new(|_| {}));
    let generated = pipeline::generate(&pipeline::Source {
        contract: (&contract, &text),
        overlay: overlay_text.as_deref().map(|text| (overlay.as_str(), text)),
    })?;
    if env::var("ANTHROPIC_MESSAGES_STRICT").is_ok_and(|value| value == "1")
        && let Some(note) = generated.notes.first()
    {
        return Err(format!(
            "{contract}: {}, at #{} (ANTHROPIC_MESSAGES_STRICT makes what can't be kept an error; {} in all)",
            note.text,
            note.pointer,
            generated.notes.len()
        )
        .into());
    }
    let constants = format!(
        "pub(crate) const CONTRACT_SOURCE: &str = {contract:?};\n\
         pub(crate) const CONTRACT_SHA256: &str = {:?};\n\
         pub(crate) const CONTRACT_SERVER: &str = {:?};\n\
         pub(crate) const LOWERING_NOTES: &[(&str, &str)] = &{:?};\n",
        Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        generated.server.as_deref().unwrap_or_default(),
        generated.notes.iter().map(|note| (&note.pointer, &note.text)).collect::<Vec<_>>(),
    );
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    fs::write(out.join("generated.rs"), generated.source)?;
    fs::write(out.join("contract.json"), generated.contract)?;
    fs::write(out.join("constants.rs"), constants)?;
    Ok(())
}

/// The file that a variable names, or the package's own.
fn chosen(variable: &str, default: &str) -> Result<String, Box<dyn Error>> {
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

fn read(path: &str) -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={path}");
    fs::read_to_string(path).map_err(|error| format!("{path}: the file can't be read: {error}").into())
}
