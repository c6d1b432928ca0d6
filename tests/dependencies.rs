//! The dependencies of a program that uses the crate.

#![cfg(test)]

use std::{collections::BTreeSet, process::Command};

/// Crates that a program with the default features builds and runs, this one among them.
const MOST_CRATES: usize = 110;

/// `native-tls` brings crates that `cargo test` has not fetched, and the network is not asked here.
const ALL_BUT_NATIVE_TLS: [&str; 2] = ["--features", "http2,tracing"];

/// The packages that a build without development dependencies takes, with their features.
fn packages(features: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p} {f}", "--no-dedupe"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .args(features)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// `cargo test --test dependencies -- --nocapture` prints the number.
#[test]
fn the_default_features_bring_few_crates() {
    let packages = packages(&[]);
    println!("{} crates with the default features", packages.len());
    assert!(packages.len() <= MOST_CRATES, "{} crates: {packages:#?}", packages.len());
}

#[test]
fn no_feature_changes_how_serde_json_works_for_others() {
    for features in [&[][..], &ALL_BUT_NATIVE_TLS] {
        let packages = packages(features);
        let serde_json = packages.iter().find(|package| package.starts_with("serde_json ")).unwrap();
        for global in ["preserve_order", "arbitrary_precision", "unbounded_depth"] {
            assert!(!serde_json.contains(global), "{serde_json}");
        }
    }
}

#[test]
fn the_generator_and_its_support_crate_only_build() {
    for features in [&[][..], &ALL_BUT_NATIVE_TLS] {
        let packages = packages(features);
        assert!(!packages.iter().any(|package| package.starts_with("progenitor")), "{packages:#?}");
    }
}

#[test]
fn no_feature_brings_a_server_or_a_validator() {
    for features in [&[][..], &ALL_BUT_NATIVE_TLS] {
        let packages = packages(features);
        let hyper = packages.iter().find(|package| package.starts_with("hyper v")).unwrap();
        assert!(!hyper.contains("server"), "{hyper}");
        assert!(!packages.iter().any(|package| package.starts_with("jsonschema ")), "{packages:#?}");
    }
}
