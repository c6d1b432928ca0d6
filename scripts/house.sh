#!/bin/sh
# Prints the size of each package: files, median and longest file, lines of code and of documentation, and the share of
# doc comments that open with What, Whether, How or Who. `cargo test --test layers` checks the directions of imports.
set -eu
cd "$(dirname "$0")/.."

measure() {
    name=$1
    shift
    files=$(find "$@" -name '*.rs' -type f)
    # shellcheck disable=SC2086
    wc -l $files | grep -v ' total$' | awk '{print $1}' | sort -n | awk '
        { line[NR] = $1; sum += $1; if ($1 < 80) short++ }
        END { printf "%d | %d (%d under 80) | %d | %d", sum, NR, short, line[int((NR + 1) / 2)], line[NR] }' >"$scratch/size"
    # shellcheck disable=SC2086
    awk '
        FNR == 1 { tests = 0; previous = 0 }
        /^#\[cfg\(test\)\]/ { tests = 1 }
        /^[ \t]*$/ { previous = 0; next }
        /^[ \t]*\/\/[\/!]/ {
            docs++
            if (!previous) { blocks++; if ($0 ~ /\/\/[\/!] (What|Whether|How|Who)/) questions++ }
            previous = 1
            next
        }
        /^[ \t]*\/\// { previous = 0; next }
        { previous = 0; if (tests) test++; else code++ }
        END { printf "%d | %d | %.0f %% | %.1f %%\n", code, test, 100 * docs / (docs + code), 100 * questions / blocks }' $files \
        >"$scratch/text"
    printf '| %s | %s | %s\n' "$name" "$(cat "$scratch/size")" "$(cat "$scratch/text")"
}

scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
echo '| package | lines | files | median | longest | code | unit tests | documentation | question openings |'
echo '|---|---|---|---|---|---|---|---|---|'
measure client src build.rs
measure codegen codegen/src
measure testing testing/src
generated=$(find target -name generated.rs -path '*/out/*' -exec ls -t {} + 2>/dev/null | head -1)
[ -z "$generated" ] || measure generated "$generated"
