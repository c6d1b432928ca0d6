#!/usr/bin/env bash
# What building costs, in CPU seconds (user and system); see docs/build-cost.md.
#
#   scripts/build-cost.sh [peers] [features] [overlay] [optimised]
#
# peers      this crate beside progenitor in a `build.rs`, and beside two crates written by hand
# features   this crate without the family, with it, and with betas as well
# overlay    this crate with the smallest overlay that its code takes, and with its own
# optimised  this crate with the generator optimised
#
# Without arguments all four, one contender after the other. Everything is built in a temporary directory.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CARGO_INCREMENTAL=0 CARGO_TERM_QUIET=true CARGO_TERM_COLOR=never
unset CARGO_TARGET_DIR CARGO_PROFILE_DEV_DEBUG ANTHROPIC_MESSAGES_OPENAPI ANTHROPIC_MESSAGES_OVERLAY

# cpu COMMAND...: runs it and prints the CPU seconds it took
cpu() {
    local TIMEFORMAT='%U %S'
    { time "$@" >&3 2>&4; } 3>/dev/null 4>"$work/messages" 2>&1 | awk '{ printf "%.1f", $1 + $2 }'
    [ "${PIPESTATUS[0]}" = 0 ] || { cat "$work/messages" >&2; exit 1; }
}

# dependencies: the runtime dependencies of this crate's manifest
dependencies() {
    awk '/^\[/ { wanted = /^\[dependencies\]/ } wanted' "$root/Cargo.toml"
}

# package NAME: a package of its own, whose manifest is on standard input, with a library
package() {
    mkdir -p "$work/$1/src"
    rm -f "$work/$1/src/main.rs"
    { printf '[package]\nname = "package"\nversion = "0.0.0"\nedition = "2024"\n\n[workspace]\n\n'; cat; } \
        >"$work/$1/Cargo.toml"
    : >"$work/$1/src/lib.rs"
}

# count DIRECTORY EDGES: the crates that are built, the package's own among them
count() {
    (cd "$1" && cargo tree --edges "$2" --prefix none) | sed 's/ (\*)$//' | sort -u | grep -c . || true
}

# again DIRECTORY TOUCHED: the CPU seconds of building again after a file has changed
again() {
    (cd "$1" && cargo build)
    touch "$2"
    (cd "$1" && cpu cargo build)
}

# --- peers ---

# ours: a user's package that depends on a copy of this crate
ours() {
    mkdir -p "$work/crate"
    cp -r build.rs examples src openapi.json overlay*.json README.md "$work/crate/"
    mkdir -p "$work/crate/codegen"
    cp -r codegen/Cargo.toml codegen/src "$work/crate/codegen/"
    awk '/^\[/ { wanted = !/^\[dev-dependencies\]|^\[\[/ } wanted' Cargo.toml \
        | sed 's|^members = .*|members = ["codegen"]|' >"$work/crate/Cargo.toml"
    printf '[dependencies]\nanthropic-messages = { path = "../crate" }\n' | package ours
    cp Cargo.lock "$work/ours/"
}

# bare NAME: progenitor in a `build.rs`, over the document that this crate's lowering gives it; on standard input the
# dependency on reqwest, with the TLS that it brings
bare() {
    {
        cat <<'END'
[dependencies]
bytes = "1"
futures-core = "0.3"
progenitor-client = "0.15"
serde = { version = "1", features = ["derive"] }
serde_json = "1"
END
        cat
        cat <<'END'

[build-dependencies]
openapiv3 = "2"
prettyplease = "0.3"
progenitor = { version = "0.15", default-features = false }
serde_json = "1"
syn = "3"
END
    } | package "$1"
    cp Cargo.lock "$work/$1/"
    cargo run -p anthropic-messages-codegen --example generate -- openapi.json --overlay overlay.json --lowered "$work/$1/spec.json" >"$work/messages"
    cat >"$work/$1/build.rs" <<'END'
fn main() {
    println!("cargo::rerun-if-changed=spec.json");
    let spec: openapiv3::OpenAPI = serde_json::from_str(&std::fs::read_to_string("spec.json").unwrap()).unwrap();
    let tokens = progenitor::Generator::default().generate_tokens(&spec).unwrap();
    let source = prettyplease::unparse(&syn::parse2(tokens).unwrap());
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR").unwrap());
    std::fs::write(out.join("client.rs"), source).unwrap();
}
END
    echo 'include!(concat!(env!("OUT_DIR"), "/client.rs"));' >"$work/$1/src/lib.rs"
}

# peer NAME VERSION: a user's package that depends on a crate written by hand
peer() {
    local fetched
    printf '[dependencies]\n%s = "%s"\n' "$1" "$2" | package "$1"
    (cd "$work/$1" && cargo fetch)
    fetched=$(cd "$work/$1" && cargo metadata --format-version 1 | python3 -c '
import json, os, sys
found = [it for it in json.load(sys.stdin)["packages"] if it["name"] == sys.argv[1]]
print(os.path.dirname(found[0]["manifest_path"]))' "$1")
    # A copy, so that its source can be touched.
    cp -r "$fetched" "$work/$1-crate"
    # Warnings are cargo's to cap in a dependency from the registry, and no errors here either.
    sed -i '/^#!\[deny(warnings)\]$/d' "$work/$1-crate/src/lib.rs"
    sed -i "s|^$1 = .*|$1 = { path = \"../$1-crate\" }|" "$work/$1/Cargo.toml"
}

# row NAME DIRECTORY TOUCHED SPEC: the costs of one contender; SPEC is - where nothing is generated
row() {
    local all runtime clean touched spec=-
    all=$(count "$2" normal,build)
    runtime=$(count "$2" normal)
    (cd "$2" && cargo fetch)
    clean=$(cd "$2" && cpu cargo build)
    touched=$(again "$2" "$3")
    [ "$4" = - ] || spec=$(again "$2" "$4")
    printf '| %s | %s | %s | %s | %s | %s |\n' "$1" "$all" "$runtime" "$clean" "$touched" "$spec"
    printf '%s' "$clean" >"$2/clean"
    rm -rf "$2/target"
}

# message_program: makes the user's package a program that sends one message
message_program() {
    cat >"$work/ours/src/main.rs" <<'END'
use anthropic_messages::{AnthropicMessage, Client, MessageCreateRequest};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
    println!("{}", Client::from_env()?.create_message(&request).await?.text());
    Ok(())
}
END
}

# program_bytes DIRECTORY: the size of its program, optimised and stripped
program_bytes() {
    printf 'tokio = { version = "1", features = ["macros", "rt"] }\n' >>"$1/Cargo.toml"
    (cd "$1" && CARGO_PROFILE_RELEASE_STRIP=true cargo build --release)
    stat -c %s "$1/target/release/package"
    rm -rf "$1/target"
}

# size NAME DIRECTORY: the size of a program that sends one message, optimised and stripped
size() {
    printf '| %s | %s |\n' "$1" "$(program_bytes "$2" | awk '{ printf "%.1f MB", $1 / 1e6 }')"
}

peers() {
    ours
    # As progenitor's own documentation has it.
    bare bare <<'END'
reqwest = { version = "0.13", features = ["json", "query", "stream"] }
END
    # With the TLS of this crate, which leaves its larger provider of cryptography out.
    bare bare-ring <<'END'
reqwest = { version = "0.13", default-features = false, features = ["json", "query", "rustls-no-provider", "stream"] }
rustls = { version = "0.23", default-features = false, features = ["ring", "std", "tls12"] }
rustls-platform-verifier = "0.7"
END
    peer misanthropic 0.5.1
    peer async-anthropic 0.6.0
    printf '| | crates built | of them at run time | clean build | after touching `src` | after touching the spec |\n'
    printf '|---|---|---|---|---|---|\n'
    row 'this crate' "$work/ours" "$work/crate/src/lib.rs" "$work/crate/openapi.json"
    row 'progenitor in `build.rs`' "$work/bare" "$work/bare/src/lib.rs" "$work/bare/spec.json"
    row 'the same with `ring`' "$work/bare-ring" "$work/bare-ring/src/lib.rs" "$work/bare-ring/spec.json"
    row '`misanthropic` 0.5.1' "$work/misanthropic" "$work/misanthropic-crate/src/lib.rs" -
    row '`async-anthropic` 0.6.0' "$work/async-anthropic" "$work/async-anthropic-crate/src/lib.rs" -
    awk -v ours="$(cat "$work/ours/clean")" -v bare="$(cat "$work/bare/clean")" -v ring="$(cat "$work/bare-ring/clean")" \
        'BEGIN { printf "\nClean build, this crate to progenitor in `build.rs`: %.2f; with `ring`: %.2f.\n\n", ours / bare, ours / ring }'

    message_program
    cat >"$work/misanthropic/src/main.rs" <<'END'
use misanthropic::{Client, Prompt, prompt::message::Role};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new(std::env::var("ANTHROPIC_API_KEY")?)?;
    println!("{}", client.message(Prompt::default().messages([(Role::User, "Hello")])).await?);
    Ok(())
}
END
    cat >"$work/async-anthropic/src/main.rs" <<'END'
use async_anthropic::{
    Client,
    types::{CreateMessagesRequestBuilder, MessageBuilder, MessageRole},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let message = MessageBuilder::default().role(MessageRole::User).content("Hello").build()?;
    let request = CreateMessagesRequestBuilder::default().model("claude-sonnet-5").messages(vec![message]).build()?;
    println!("{:?}", Client::default().messages().create(request).await?);
    Ok(())
}
END
    printf '| | a program that sends one message, `--release`, stripped |\n|---|---|\n'
    size 'this crate' "$work/ours"
    size '`misanthropic` 0.5.1' "$work/misanthropic"
    size '`async-anthropic` 0.6.0' "$work/async-anthropic"
}

# --- features ---

features() {
    ours
    cp "$work/ours/Cargo.toml" "$work/features.toml"
    printf '| features | generated | clean build | after touching `src` | a program that sends one message |\n|---|---|---|---|---|\n'
    local features clean touched lines
    for features in rustls,schemars family,rustls,schemars beta,family,rustls,schemars; do
        sed "s|^anthropic-messages = .*|anthropic-messages = { path = \"../crate\", default-features = false, features = [\"${features//,/\", \"}\"] }|" \
            "$work/features.toml" >"$work/ours/Cargo.toml"
        rm -f "$work/ours/src/main.rs"
        (cd "$work/ours" && cargo fetch)
        clean=$(cd "$work/ours" && cpu cargo build)
        touched=$(again "$work/ours" "$work/crate/src/lib.rs")
        lines=$(wc -l <"$(find "$work/ours/target" -name generated.rs)")
        rm -rf "$work/ours/target"
        message_program
        printf '| `%s` | %s lines | %s | %s | %s bytes |\n' "${features//,/\`, \`}" "$lines" "$clean" "$touched" "$(program_bytes "$work/ours")"
    done
}

# --- overlay ---

# module NAME [SOURCE]: a crate of the JSON reader, and of the types in a generated source
module() {
    dependencies | package "$1"
    cp Cargo.lock "$work/$1/"
    {
        printf '#![allow(warnings)]\n'
        printf '#[path = "%s/src/json/mod.rs"]\nmod json;\n' "$root"
        [ $# -lt 2 ] || awk '/^pub mod types/ { wanted = 1 } wanted; /^}/ { wanted = 0 }' "$2"
    } >"$work/$1/src/lib.rs"
}

overlay_row() {
    local name=$1 clean library source alone with_types
    export ANTHROPIC_MESSAGES_OVERLAY=$2 CARGO_TARGET_DIR=$work/target-$name
    clean=$(cpu cargo build)
    library=$(again . src/lib.rs)
    source=$(find "$CARGO_TARGET_DIR" -name generated.rs)
    module "$name-alone"
    module "$name-types" "$source"
    export CARGO_TARGET_DIR=$work/target-module
    alone=$(again "$work/$name-alone" "$work/$name-alone/src/lib.rs")
    with_types=$(again "$work/$name-types" "$work/$name-types/src/lib.rs")
    printf '| `%s` | %s types, %s lines | %s | %s | %s |\n' "$name" "$(grep -cE '^    pub (struct|enum) ' "$source")" \
        "$(wc -l <"$source")" "$clean" "$library" "$(awk -v a="$alone" -v b="$with_types" 'BEGIN { printf "%.1f", b - a }')"
    rm -rf "$work/target-$name"
    unset ANTHROPIC_MESSAGES_OVERLAY CARGO_TARGET_DIR
}

overlay() {
    printf '| overlay | generated | clean build | the library alone | the generated types |\n|---|---|---|---|---|\n'
    overlay_row minimal "$root/scripts/minimal-overlay.json"
    overlay_row overlay.json "$root/overlay.json"
    rm -rf "$work/target-module"
}

# --- optimised ---

optimised() {
    local level clean spec
    ours
    printf '| `build-override` | clean build | after touching the spec |\n|---|---|---|\n'
    for level in 0 1 2 3; do
        export CARGO_PROFILE_DEV_BUILD_OVERRIDE_OPT_LEVEL=$level
        clean=$(cd "$work/ours" && cpu cargo build)
        spec=$(again "$work/ours" "$work/crate/openapi.json")
        printf '| `opt-level = %s` | %s | %s |\n' "$level" "$clean" "$spec"
        rm -rf "$work/ours/target"
    done
    unset CARGO_PROFILE_DEV_BUILD_OVERRIDE_OPT_LEVEL
}

[ $# -gt 0 ] || set -- peers features overlay optimised
for part in "$@"; do
    case $part in
    peers | features | overlay | optimised) "$part"; echo ;;
    *) echo "usage: scripts/build-cost.sh [peers] [features] [overlay] [optimised]" >&2; exit 2 ;;
    esac
done
