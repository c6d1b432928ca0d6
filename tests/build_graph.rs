//! The build compiles the generator and no HTTP client.

#![cfg(test)]

use std::{
    collections::{BTreeSet, HashMap},
    process::Command,
};

use serde_json::Value;

/// `native-tls` brings crates that `cargo test` has not fetched, and the network is not asked here.
const ALL_BUT_NATIVE_TLS: [&str; 2] = ["--features", "http2,tracing"];

/// The platform that build scripts run on. Packages of others need not have been fetched.
fn host() -> String {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// The names of the packages that the build script needs, those that they need among them.
fn build_graph(features: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--format-version", "1", "--filter-platform", &host()])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .args(features)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let nodes: HashMap<&str, &Value> = nodes.iter().map(|node| (node["id"].as_str().unwrap(), node)).collect();
    let names: HashMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
        .collect();
    let needs = |id: &str, kinds: &[&str]| -> Vec<&str> {
        let is_of_kind = |dependency: &&Value| {
            let of = dependency["dep_kinds"].as_array().unwrap();
            of.iter().any(|kind| kinds.contains(&kind["kind"].as_str().unwrap_or("normal")))
        };
        let dependencies = nodes[id]["deps"].as_array().unwrap().iter().filter(is_of_kind);
        dependencies.map(|dependency| dependency["pkg"].as_str().unwrap()).collect()
    };
    let root = metadata["resolve"]["root"].as_str().unwrap();
    let mut waiting = needs(root, &["build"]);
    let mut found = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if found.insert(id) {
            waiting.extend(needs(id, &["normal", "build"]));
        }
    }
    found.into_iter().map(|id| names[id].to_owned()).collect()
}

#[test]
fn no_network_and_no_tls_is_built_for_the_generator() {
    for features in [&[][..], &ALL_BUT_NATIVE_TLS] {
        let graph = build_graph(features);
        assert!(graph.contains("progenitor-impl") && graph.contains("typify-impl"), "{graph:?}");
        for unwanted in [
            "aws-lc-rs",
            "h2",
            "hyper",
            "native-tls",
            "openssl",
            "progenitor-client",
            "reqwest",
            "ring",
            "rustls",
            "tokio",
        ] {
            assert!(!graph.contains(unwanted), "{unwanted} is built for the generator: {graph:?}");
        }
    }
}

#[test]
fn the_generator_needs_no_more_packages_than_it_did() {
    let graph = build_graph(&[]);
    assert!(graph.len() <= MOST, "{} packages: {graph:?}", graph.len());
}

/// The maximum number of packages the build script needs, on any platform. Each one adds to the build time of
/// every user.
const MOST: usize = 58;
