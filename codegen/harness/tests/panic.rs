//! A panic of the generator ends a build in one sentence.

#![cfg(test)]

use std::{fs, path::Path, process::Command};

/// Copies the packages, but for what is built and what stands outside of the workspace.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with('.') || ["compare", "fuzz", "target"].contains(&name.as_str()) {
            continue;
        }
        let (from, to) = (entry.path(), to.join(name));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

#[test]
fn a_panic_of_the_generator_ends_the_build_in_one_sentence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panic");
    drop(fs::remove_dir_all(&folder));
    copy(&root, &folder);
    let library = folder.join("codegen/src/lib.rs");
    let source = fs::read_to_string(&library).unwrap();
    let start = "pub fn lower(&self) -> Result<Lowered, Error> {\n";
    let changed = source.replace(start, &format!("{start}        assert_eq!(self.name, \"another\");\n"));
    let line = changed.lines().position(|line| line.contains("\"another\"")).unwrap() + 1;
    fs::write(&library, changed).unwrap();

    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--lib"])
        .current_dir(&folder)
        // What is built of the registry serves both.
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap())
        .env_remove("ANTHROPIC_MESSAGES_OPENAPI")
        .env_remove("ANTHROPIC_MESSAGES_OVERLAY")
        .output()
        .unwrap();

    assert!(!output.status.success());
    let messages = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = messages.lines().filter(|line| line.starts_with("error: anthropic-messages")).collect();
    let [error] = errors.as_slice() else { panic!("not one sentence: {messages}") };
    let place = format!("the generator panicked at codegen/src/lib.rs:{line}:");
    assert!(error.contains(&place), "{error}");
    assert!(error.contains("left: \"openapi.json\" right: \"another\""), "{error}");
    assert!(error.ends_with("please report it with the contract and the overlay"), "{error}");
    assert!(!messages.contains("RUST_BACKTRACE"), "{messages}");
}
