//! What the feature costs those who do not use it: nothing.

use std::process::Command;

/// The packages and features that a build without development dependencies takes, a line each.
fn tree(features: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p} {f}"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .args(features)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn has_server(tree: &str) -> bool {
    tree.lines().any(|line| line.starts_with("hyper v") && line.contains("server"))
}

#[test]
fn the_generator_and_its_support_crate_only_build() {
    for features in [&[][..], &["--all-features"]] {
        let tree = tree(features);
        assert!(!tree.lines().any(|line| line.starts_with("progenitor")), "{tree}");
    }
}

fn has_validator(tree: &str) -> bool {
    tree.lines().any(|line| line.starts_with("jsonschema "))
}

#[test]
fn the_default_features_pull_in_no_server_and_no_validator() {
    let default = tree(&[]);
    assert!(!has_server(&default) && !has_validator(&default));
    let testing = tree(&["--features", "testing"]);
    assert!(has_server(&testing) && has_validator(&testing));
}
