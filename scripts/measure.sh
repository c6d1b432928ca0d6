#!/usr/bin/env bash
# Measures everything anew, and puts the tables into docs/, behind the line that begins with `<!-- measured`.
# Takes about half an hour of two cores that have nothing else to do.
#
#   scripts/measure.sh [performance] [build-cost]
set -euo pipefail
cd "$(dirname "$0")/.."

# into FILE: replaces what stands behind the line with standard input
into() {
    local tables
    tables=$(cat)
    { sed '/^<!-- measured/q' "$1"; printf '\n%s\n' "$tables"; } >"$1.new"
    mv "$1.new" "$1"
}

[ $# -gt 0 ] || set -- performance build-cost
for document in "$@"; do
    case $document in
        performance) cargo run --release --quiet --manifest-path compare/Cargo.toml | into docs/performance.md ;;
        build-cost) scripts/build-cost.sh | into docs/build-cost.md ;;
        *) echo "no document $document" >&2 && exit 2 ;;
    esac
done
