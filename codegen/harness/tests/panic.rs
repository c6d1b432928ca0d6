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

/// Parts a manifest in what a workspace says and what a package says.
fn parted(manifest: &str) -> (String, String) {
    let (mut workspace, mut package) = (String::new(), String::new());
    let mut is_workspace = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_workspace = line.starts_with("[workspace") || line.starts_with("[profile");
        }
        let line = if line.starts_with("members = ") { "members = [\"copy\"]\nresolver = \"3\"" } else { line };
        let part = if is_workspace { &mut workspace } else { &mut package };
        part.push_str(line);
        part.push('\n');
    }
    (workspace, package)
}

#[test]
fn a_panic_of_the_generator_ends_the_build_in_one_sentence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panic");
    drop(fs::remove_dir_all(&folder));
    copy(&root, &folder.join("copy"));
    // One level deeper in a workspace than here. cargo tells packages apart by that, and can use the same target
    // directory: what is built of the registry serves both.
    let manifest = folder.join("copy/Cargo.toml");
    let (workspace, package) = parted(&fs::read_to_string(&manifest).unwrap());
    fs::write(manifest, package).unwrap();
    fs::write(folder.join("Cargo.toml"), workspace).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let library = folder.join("copy/codegen/src/lib.rs");
    let source = fs::read_to_string(&library).unwrap();
    let start = "pub fn lower(&self) -> Result<Lowered, Error> {\n";
    let changed = source.replace(start, &format!("{start}        assert_eq!(self.name, \"another\");\n"));
    let line = changed.lines().position(|line| line.contains("\"another\"")).unwrap() + 1;
    fs::write(&library, changed).unwrap();

    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--lib", "-p", "anthropic-messages"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap())
        .env_remove("ANTHROPIC_MESSAGES_OPENAPI")
        .env_remove("ANTHROPIC_MESSAGES_OVERLAY")
        .output()
        .unwrap();

    assert!(!output.status.success());
    let messages = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = messages.lines().filter(|line| line.starts_with("error: anthropic-messages")).collect();
    let [error] = errors.as_slice() else { panic!("not one sentence: {messages}") };
    let place = format!("the generator panicked at copy/codegen/src/lib.rs:{line}:");
    assert!(error.contains(&place), "{error}");
    assert!(error.contains("left: \"openapi.json\" right: \"another\""), "{error}");
    assert!(error.ends_with("please report it with the contract and the overlay"), "{error}");
    assert!(!messages.contains("RUST_BACKTRACE"), "{messages}");
}
