//! A module of `src` imports only from layers above its own.

#![cfg(test)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The modules that each module may name besides itself, from the first layer to the last. A module that another one contains
/// comes before it. The generated file is two modules: its types are data, and its client sends.
const LAYERS: &[(&str, &[&str])] = &[
    ("json", &[]),
    ("retry", &[]),
    ("redact", &[]),
    ("upload", &[]),
    ("stream::sse", &[]),
    ("stream::unknown", &["json"]),
    ("generated::types", &["json", "upload", "stream::unknown"]),
    ("response", &[]),
    ("error", &["json", "retry", "generated::types", "response"]),
    ("rules", &["json", "generated::types", "error"]),
    ("auth", &["error"]),
    ("observe", &["json", "generated::types", "response", "error"]),
    ("transport", &["json", "retry", "redact", "upload", "stream::sse", "response", "error", "auth", "observe"]),
    ("generated", &["json", "generated::types", "response", "error", "transport"]),
    ("client", &["retry", "response", "error", "auth", "observe", "transport", "generated"]),
    ("content", &["json", "generated::types"]),
    ("messages", &["json", "generated::types", "response", "rules", "content"]),
    ("stream::accumulate", &["json", "generated::types"]),
    (
        "stream",
        &[
            "json",
            "redact",
            "stream::sse",
            "stream::unknown",
            "generated::types",
            "response",
            "error",
            "rules",
            "observe",
            "transport",
            "generated",
            "content",
            "messages",
            "stream::accumulate",
        ],
    ),
    ("blocking", &["client", "generated::types", "response", "error", "generated", "stream", "transport"]),
    ("schema", &["json", "generated::types", "error", "rules"]),
    ("structured", &["json", "generated::types", "response", "error", "generated", "messages", "stream", "schema"]),
    (
        "tools",
        &["json", "generated::types", "response", "error", "observe", "generated", "messages", "stream", "schema"],
    ),
    ("batches", &["generated::types", "response", "error", "transport", "generated"]),
    ("bulk", &["response", "error", "transport", "generated", "generated::types"]),
    ("internal_for_tests", &["bulk", "json", "generated::types", "stream::sse", "transport", "client"]),
];

/// The generated code, as the files that it would be.
const GENERATED: &str = include_str!(concat!(env!("OUT_DIR"), "/generated.rs"));

/// Says of each file which names it should not have.
fn violations(files: &[(PathBuf, String)]) -> Vec<String> {
    let exports = exports(files);
    let mut found = Vec::new();
    for (path, source) in files {
        let module = module_of(path);
        if module == "lib" {
            continue;
        }
        let Some((own, allowed)) = layer(&module) else {
            found.push(format!("{} stands in no layer", path.display()));
            continue;
        };
        let mut names = Vec::new();
        names_of_the_crate(source.parse().unwrap(), module.split("::").count(), &mut names);
        for name in names {
            let named = exports.get(&name).cloned().unwrap_or(name);
            let Some((target, _)) = layer(&named) else { continue };
            if target != own && !allowed.contains(&target) {
                found.push(format!("{} ({own}) names {named}", path.display()));
            }
        }
    }
    found
}

/// The layer of a module: the longest name of the table that it begins with.
fn layer(module: &str) -> Option<(&'static str, &'static [&'static str])> {
    let within = |name: &str| module == name || module.starts_with(&format!("{name}::"));
    LAYERS.iter().copied().filter(|(name, _)| within(name)).max_by_key(|(name, _)| name.len())
}

/// `stream/sse/event.rs` is `stream::sse::event`.
fn module_of(path: &Path) -> String {
    let path = path.with_extension("");
    let mut parts: Vec<_> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts.join("::")
}

/// Returns the module of each name at the root of the crate, according to `lib.rs`.
fn exports(files: &[(PathBuf, String)]) -> BTreeMap<String, String> {
    let lib = files.iter().find(|(path, _)| path == Path::new("lib.rs")).map_or("", |(_, source)| source);
    let mut exports = BTreeMap::new();
    let tokens: Vec<TokenTree> = lib.parse::<TokenStream>().unwrap().into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        if is(token, "self") {
            for path in paths(tokens.get(at + 3..).unwrap_or_default()) {
                if let [_, .., name] = &path[..] {
                    exports.insert(name.clone(), path.join("::"));
                }
            }
        }
    }
    exports
}

/// The paths that begin with these tokens, up to a semicolon: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(tokens: &[TokenTree]) -> Vec<Vec<String>> {
    let mut prefix = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(name) => prefix.push(name.to_string()),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {}
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let parts = inner.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','));
                return parts
                    .filter(|part| !part.is_empty())
                    .flat_map(paths)
                    .map(|path| prefix.iter().cloned().chain(path).collect())
                    .collect();
            }
            _ => break,
        }
    }
    vec![prefix]
}

fn is(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

/// Collects the names after `crate::`, and after `super::` if it leads to the root. `depth` is the number of `super`
/// that lead there. `stream::sse` counts as one name.
fn names_of_the_crate(tokens: TokenStream, depth: usize, names: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        let mut supers = 0;
        while tokens.get(at).is_some_and(|token| is(token, "super")) {
            supers += 1;
            at += 3;
        }
        let from = match &tokens.get(at) {
            Some(token) if supers == 0 && is(token, "crate") => at + 3,
            Some(_) if supers > 0 && supers == depth => at,
            Some(TokenTree::Group(group)) => {
                names_of_the_crate(group.stream(), depth, names);
                at += 1;
                continue;
            }
            _ => {
                at += 1;
                continue;
            }
        };
        // `pub(crate)` has nothing after it.
        for path in paths(tokens.get(from..).unwrap_or_default()) {
            match &path[..] {
                [first, second, ..] if first == "stream" || first == "generated" => {
                    names.push(format!("{first}::{second}"))
                }
                [first, ..] => names.push(first.clone()),
                [] => {}
            }
        }
        at = from;
    }
}

fn sources(directory: &Path, root: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, root, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push((path.strip_prefix(root).unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The client and the types of the generated file.
fn generated() -> [(PathBuf, String); 2] {
    let start = GENERATED.find("pub mod types {").expect("the types are a module");
    let (before, types) = GENERATED.split_at(start);
    let end = types.find("\n}\n").expect("the module of the types ends") + "\n}\n".len();
    let (types, after) = types.split_at(end);
    [("generated.rs".into(), format!("{before}{after}")), ("generated/types.rs".into(), types.to_owned())]
}

/// An arrow up would be a circle, since a module names only what the table has before it.
#[test]
fn the_table_has_no_circle() {
    for (at, (name, allowed)) in LAYERS.iter().enumerate() {
        for allowed in *allowed {
            assert!(
                LAYERS[..at].iter().any(|(above, _)| above == allowed),
                "{name} may name {allowed}, which is below"
            );
        }
    }
}

#[test]
fn every_module_names_only_layers_above_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &root, &mut files);
    files.retain(|(path, _)| path != Path::new("generated.rs"));
    files.extend(generated());
    assert!(files.len() > 20, "only {} files were found", files.len());
    let violations = violations(&files);
    assert!(violations.is_empty(), "{violations:#?}");
}

/// Within `json` too: each file imports from those before it alone, so that there is no circle.
#[test]
fn the_files_of_json_import_only_from_those_before_them() {
    const FILES: [&str; 15] = [
        "error",
        "number",
        "unknown",
        "reader",
        "read",
        "equality",
        "deserialize",
        "deserializer",
        "value",
        "extra",
        "serialize",
        "check",
        "empty",
        "object",
        "union",
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/json");
    let mut files = Vec::new();
    sources(&folder, &folder, &mut files);
    let mut found = Vec::new();
    for (path, source) in files {
        let module = module_of(&path);
        if module.is_empty() || module == "macros" {
            continue;
        }
        let own = FILES.iter().position(|name| *name == module).unwrap_or_else(|| panic!("{module} has no place"));
        // Tests may use what they like.
        let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
        let mut names = Vec::new();
        names_of_the_crate(source.parse().unwrap(), 1, &mut names);
        assert!(names.iter().all(|name| FILES.contains(&&**name)), "{module} names {names:?}");
        found.extend(
            names
                .into_iter()
                .filter(|name| FILES.iter().position(|file| file == name).is_none_or(|at| at >= own))
                .map(|name| format!("{module} imports from {name}")),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Environment variables are read in one file only, and requests are sent from one file only.
#[test]
fn environment_and_network_are_used_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &root, &mut files);
    let having = |text: &str| -> Vec<String> {
        files.iter().filter(|(_, source)| source.contains(text)).map(|(path, _)| path.display().to_string()).collect()
    };
    assert_eq!(having("env::var"), ["auth/env.rs", "client/http_client.rs"]);
    assert_eq!(having(".execute("), ["transport/call.rs"]);
    assert_eq!(having("tokio::time::sleep("), ["transport/timing.rs"]);
}

/// The server depends on the crate: a unit test that used it would see two copies of every type.
#[test]
fn unit_tests_do_not_use_the_test_server() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &root, &mut files);
    let names_it = |source: &str| {
        let mut code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.any(|line| line.contains("anthropic_messages_testing"))
    };
    assert!(names_it("    use anthropic_messages_testing::Server;") && !names_it("/// anthropic_messages_testing"));
    let found: Vec<_> = files.iter().filter(|(_, source)| names_it(source)).map(|(path, _)| path).collect();
    assert!(found.is_empty(), "{found:?}");
}

const LIB: &str = "mod error; pub use self::{error::{Error, Result}, response::Response, stream::sse};";

#[track_caller]
fn broken(path: &str, source: &str) -> usize {
    violations(&[("lib.rs".into(), LIB.to_owned()), (path.into(), source.to_owned())]).len()
}

#[test]
fn a_broken_direction_is_found_however_it_is_written() {
    assert_eq!(broken("transport.rs", "use crate::client::Client;"), 1);
    assert_eq!(broken("generated.rs", "fn f() { crate::client::Options::new() }"), 1);
    assert_eq!(broken("generated/types.rs", "impl From<crate::Error> for A {}"), 1);
    assert_eq!(broken("error.rs", "use crate::generated::Client;"), 1);
    assert_eq!(broken("transport/answer.rs", "use crate::{auth::ApiKey, client::{Client, Options}};"), 2);
    assert_eq!(broken("json/value.rs", "fn f() -> Result<(), crate::error::Error> { Ok(()) }"), 1);
    assert_eq!(broken("json/value.rs", "use crate::Error;"), 1);
    assert_eq!(broken("json/value.rs", "use crate::{Response, Result as R};"), 2);
    assert_eq!(broken("retry.rs", "use super::error::Error;"), 1);
    assert_eq!(broken("json/value.rs", "use crate::retry::RetryPolicy;"), 1);
    assert_eq!(broken("error/kind.rs", "use super::super::transport::Transport;"), 1);
    assert_eq!(broken("error.rs", "macro_rules! m { () => { vec![crate::client::Client] } }"), 1);
    assert_eq!(broken("stream/sse.rs", "use crate::json::Json;"), 1);
    assert_eq!(broken("stream/sse/event.rs", "use crate::stream::MessageStream;"), 1);
    assert_eq!(broken("stream/accumulate.rs", "use crate::transport::Transport;"), 1);
    assert_eq!(broken("client/new_thing.rs", "use crate::messages::Content;"), 1);
    assert_eq!(broken("unheard_of.rs", ""), 1);
}

#[test]
fn a_right_direction_is_not() {
    assert_eq!(broken("client.rs", "use crate::transport::Transport; use crate::{Error, Response};"), 0);
    assert_eq!(broken("client/builder.rs", "use super::{address::Address, options}; use crate::auth::ApiKey;"), 0);
    assert_eq!(broken("error/kind.rs", "//! `crate::client`\n/// crate::transport\npub(crate) struct Kind;"), 0);
    assert_eq!(broken("retry.rs", "mod tests { use super::*; }"), 0);
    assert_eq!(broken("stream/mod.rs", "use crate::{transport::Transport, stream::sse::Decoder, sse};"), 0);
    assert_eq!(broken("tools.rs", "use crate::stream::MessageStream;"), 0);
}
