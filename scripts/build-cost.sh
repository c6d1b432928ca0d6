#!/usr/bin/env bash
# What building costs in CPU seconds (user and system), in the dev profile: with the smallest
# overlay that the hand-written code takes, and with the package's own. See docs/build-cost.md.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CARGO_INCREMENTAL=0 CARGO_TERM_QUIET=true CARGO_TERM_COLOR=never

# cpu COMMAND...: runs it and prints the CPU seconds it took
cpu() {
    local TIMEFORMAT='%U %S'
    { time "$@" >&3 2>&4; } 3>/dev/null 4>"$work/messages" 2>&1 | awk '{ printf "%.1f", $1 + $2 }'
    [ "${PIPESTATUS[0]}" = 0 ] || { cat "$work/messages" >&2; exit 1; }
}

# module NAME [SOURCE]: a crate of the runtime support, and of the types in a generated source
module() {
    mkdir -p "$work/$1/src"
    {
        printf '[package]\nname = "module"\nversion = "0.0.0"\nedition = "2024"\n\n[workspace]\n\n'
        awk '/^\[/ { wanted = /^\[dependencies\]/ } wanted' Cargo.toml
    } >"$work/$1/Cargo.toml"
    cp Cargo.lock "$work/$1/"
    {
        printf '#![allow(warnings)]\n'
        printf '#[path = "%s/src/runtime/mod.rs"]\nmod runtime;\n' "$root"
        [ $# -lt 2 ] || awk '/^pub mod types/ { wanted = 1 } wanted; /^}/ { wanted = 0 }' "$2"
    } >"$work/$1/src/lib.rs"
}

# library_cost MANIFEST LIBRARY: the CPU seconds of one library, its dependencies being there
library_cost() {
    cargo build --manifest-path "$1"
    touch "$2"
    cpu cargo build --manifest-path "$1"
}

cost() {
    local name=$1 overlay=$2 clean library source alone with_types
    export ANTHROPIC_MESSAGES_OVERLAY=$overlay CARGO_TARGET_DIR=$work/target-$name
    clean=$(cpu cargo build)
    library=$(library_cost Cargo.toml src/lib.rs)
    source=$(find "$CARGO_TARGET_DIR" -name generated.rs)
    module "$name-alone"
    module "$name-types" "$source"
    export CARGO_TARGET_DIR=$work/target-module
    alone=$(library_cost "$work/$name-alone/Cargo.toml" "$work/$name-alone/src/lib.rs")
    with_types=$(library_cost "$work/$name-types/Cargo.toml" "$work/$name-types/src/lib.rs")
    printf '%-16s clean build %6s s   library %5s s   generated types %5s s   %6s lines, %3s types\n' \
        "$name" "$clean" "$library" "$(awk -v a="$alone" -v b="$with_types" 'BEGIN { printf "%.1f", b - a }')" \
        "$(wc -l <"$source")" "$(grep -cE '^    pub (struct|enum) ' "$source")"
}

cost minimal "$root/scripts/minimal-overlay.json"
cost overlay.json "$root/overlay.json"
