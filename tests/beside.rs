//! Tests of the crate next to another user of reqwest and rustls: no client panics, and no provider is replaced.

#![cfg(test)]

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// The program, which is built with the default features of the crate.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = env!("CARGO_MANIFEST_DIR");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("beside");
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = include_str!("beside/program.toml.txt").replace("{root}", root);
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.join("src/main.rs"), include_str!("beside/program.rs.txt")).unwrap();
    std::fs::copy(Path::new(root).join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    // In the target directory of this test: the dependencies are built once.
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("debug/beside")
});

/// Runs the program, which takes the steps one after the other.
fn run(base: &str, steps: &[&str], variables: &[(&str, &Path)]) -> String {
    let output = Command::new(&*PROGRAM)
        .args(steps)
        .env("BASE", base)
        .envs(variables.iter().copied())
        .envs(
            ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"].map(|name| (name, "")),
        )
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{steps:?}: {printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

#[test]
fn no_order_of_clients_and_providers_panics() {
    const OURS: &str = "ours: call Connect\n";
    const THEIRS: &str = "theirs: call true\n";
    const INSTALLED: &str = "install: installed\n";
    for (steps, printed) in [
        (&["ours", "theirs"][..], [OURS, THEIRS].concat()),
        (&["theirs", "ours"], [THEIRS, OURS].concat()),
        (&["ours", "install", "ours", "theirs"], [OURS, INSTALLED, OURS, THEIRS].concat()),
        (&["install", "theirs", "ours"], [INSTALLED, THEIRS, OURS].concat()),
    ] {
        assert_eq!(run("https://127.0.0.1:1/v1", steps, &[]), printed);
    }
}

/// An `https` client needs the platform's certificates when it is built, and an `http` client never does.
#[test]
#[cfg(target_os = "linux")]
fn only_https_needs_a_trust_store() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-certificates");
    std::fs::create_dir_all(&folder).unwrap();
    let empty = folder.join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let nowhere = [("SSL_CERT_FILE", empty.as_path()), ("SSL_CERT_DIR", folder.as_path())];
    assert_eq!(run("http://127.0.0.1:1/v1", &["ours"], &nowhere), "ours: call Connect\n");
    assert_eq!(run("https://127.0.0.1:1/v1", &["ours"], &nowhere), "ours: build Configuration\n");
}
