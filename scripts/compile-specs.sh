#!/usr/bin/env bash
# Generates a client for each OpenAPI document given, and compiles it against the crate's runtime.
#
#   scripts/compile-specs.sh SPEC...
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$root/target/specs
mkdir -p "$work/src"
cp "$root/tests/lower/shapes.toml.txt" "$work/Cargo.toml"
cp "$root/Cargo.lock" "$work/Cargo.lock"
echo 'A client.' > "$work/src/client.md"
# The harness of the tests, without its cases.
sed -e "s|{root}|$root|" -e '/^fn main() {/,$d' "$root/tests/lower/shapes.rs.txt" > "$work/src/main.rs"
number=0
for spec in "$@"; do
    number=$((number + 1))
    cargo run --quiet --manifest-path "$root/Cargo.toml" --example generate -- "$spec" --out "$work/src/spec_$number.rs"
    printf 'mod spec_%s;\nhooks!(spec_%s);\n' "$number" "$number" >> "$work/src/main.rs"
done
echo 'fn main() {}' >> "$work/src/main.rs"
cd "$work"
RUSTFLAGS=-Awarnings CARGO_TARGET_DIR="$work/target" cargo check --quiet
echo "all $number compile"
