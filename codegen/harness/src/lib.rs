//! Compiles what the generator makes of any document.
//!
//! Generated code calls code that is private to `anthropic-messages`. So it is compiled where it belongs: as modules of
//! that crate, which has a place for them under a `cfg`. Nothing is exported for it, and nothing stands in for the client.
//!
//! ```text
//! cargo run -p anthropic-messages-harness -- SPEC...
//! ```

use std::{
    env, error, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anthropic_messages_codegen::{Contract, Generated, Requirements, finish, run, settings};
use serde_json::Value;

/// The reason for which a document could not be generated from or compiled.
pub type Error = Box<dyn error::Error + Send + Sync>;

/// Generates the code for a document. `name` is the document's name, for errors.
///
/// # Errors
/// When the document can't be generated from.
pub fn generate(name: &str, text: &str) -> Result<Generated, Error> {
    run(|| {
        let lowered = Contract::parse(name, text)?.lower()?;
        let code = progenitor::Generator::new(&settings()).generate_tokens(&lowered.openapi()?)?;
        Ok(finish(&lowered, &Requirements::default(), code)?)
    })
}

/// Returns generated code as a module.
#[must_use]
pub fn module(name: &str, generated: &Generated) -> String {
    format!("#[allow(warnings, clippy::all, clippy::pedantic)]\nmod {name} {{\n{}}}\n", generated.source)
}

/// Builds the unit tests of `anthropic-messages` with more modules, and returns the program.
///
/// # Errors
/// Fails if it doesn't compile. The compiler reports the reason on standard error.
pub fn compile(name: &str, modules: &str) -> Result<PathBuf, Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = target.join("harness");
    fs::create_dir_all(&folder)?;
    let file = folder.join(name).with_extension("rs");
    fs::write(&file, modules)?;
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["rustc", "--quiet", "--offline", "--lib", "--profile", "test"])
        .arg("--message-format=json-render-diagnostics")
        .args(["--", "--cfg", "anthropic_messages_harness"])
        .current_dir(&root)
        .env("ANTHROPIC_MESSAGES_HARNESS", file.canonicalize()?)
        .stderr(Stdio::inherit())
        .output()?;
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = messages.filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?))).next_back();
    match program {
        Some(program) if output.status.success() => Ok(program),
        _ => Err(format!("{}: the generated code does not compile", file.display()).into()),
    }
}
