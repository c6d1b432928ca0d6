#!/usr/bin/env bash
# Measures everything anew, and puts the tables into docs/, behind the line that begins with `<!-- measured`.
# Takes about half an hour of two cores that have nothing else to do.
#
#   scripts/measure.sh [performance] [build-cost]
set -euo pipefail
cd "$(dirname "$0")/.."

# into FILE COMMAND...: replaces what stands behind the line with what the command prints, if it succeeds
into() {
    local file=$1 tables
    shift
    tables=$("$@")
    { sed '/^<!-- measured/q' "$file"; printf '\n%s\n' "$tables"; } >"$file.new"
    mv "$file.new" "$file"
}

[ $# -gt 0 ] || set -- performance build-cost
for document in "$@"; do
    case $document in
        performance) into docs/performance.md cargo run --release --quiet --manifest-path compare/Cargo.toml ;;
        build-cost) into docs/build-cost.md scripts/build-cost.sh ;;
        *) echo "no document $document" >&2 && exit 2 ;;
    esac
done
