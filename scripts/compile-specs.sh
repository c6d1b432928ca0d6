#!/usr/bin/env bash
# Generates and compiles a client for each document, and prints a row for each: the operations in the document, those
# that were generated and left out, and the notes.
#
#   scripts/compile-specs.sh SPEC...
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || { echo "usage: $0 SPEC..." >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo build --quiet -p anthropic-messages-codegen --example generate
target=${CARGO_TARGET_DIR:-target}
printf '| document | operations | generated | left out | notes | schema lines | Rust lines a schema line |\n'
printf '|---|---|---|---|---|---|---|\n'
for spec in "$@"; do
    "$target/debug/examples/generate" "$spec" --out "$work/out.rs" --notes "$work/notes" >/dev/null
    python3 - "$spec" "$work/out.rs" "$work/notes" <<'END'
import json, os, sys

spec, source, notes = sys.argv[1:]
document = json.load(open(spec, encoding="utf-8-sig"))
methods = {"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"}
present = sum(len(methods & item.keys()) for item in document.get("paths", {}).values())
notes = open(notes).read().splitlines()
left_out = sum("operation is left out" in note or "operations are left out" in note for note in notes)
schemas = document.get("components", {}).get("schemas", {})
lines = len(json.dumps(schemas, indent=2).splitlines())
rust = len(open(source).read().splitlines())
print(f"| {os.path.basename(spec)} | {present} | {present - left_out} | {left_out} | {len(notes)} | {lines} | {rust / lines:.1f} |")
END
done
cargo run --quiet -p anthropic-messages-harness -- "$@"
