#!/usr/bin/env bash
# Talks to `--example serve` with curl and checks that its answers look like the API's.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
server=
clean_up() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# fail WHAT: says what failed and everything that is known about it.
fail() {
    {
        echo "serve: failed: $1"
        for file in asked head body server; do
            [ ! -s "$folder/$file" ] || printf -- '-- %s\n%s\n' "$file" "$(cat "$folder/$file")"
        done
    } >&2
    exit 1
}

# Built before it is started, so that the wait for the server is not one for the compiler.
cargo build --quiet --example serve
# The first line that the server writes says where it listens, on a port that the system has chosen.
# Reading it is the wait: it ends at once when the server does.
mkfifo "$folder/said"
cargo run --quiet --example serve >"$folder/said" 2>"$folder/server" &
server=$!
exec 3<"$folder/said"
read -r -t 60 said <&3 || fail 'the server did not start'
base=$(sed -n 's/^export ANTHROPIC_BASE_URL=\(http:[^ ]*\) .*/\1/p' <<<"$said")
[ -n "$base" ] || fail "no address in the first line of the server: $said"

# ask STATUS BODY [CURL-OPTION...]: posts BODY, checks the status; leaves the answer in two files.
ask() {
    local wanted=$1 body=$2 status
    shift 2
    echo "$body $*" >"$folder/asked"
    rm -f "$folder/head" "$folder/body"
    status=$(curl --silent --show-error --noproxy '*' --max-time 20 \
        --dump-header "$folder/head" --output "$folder/body" --write-out '%{http_code}' \
        --header 'content-type: application/json' --header 'anthropic-version: 2026-10-21' \
        "$@" --data "$body" "$base/v1/messages") || fail "curl could not ask (exit status $?)"
    [ "$status" = "$wanted" ] || fail "status $status instead of $wanted"
    has head '^request-id: req_01'
}

# has FILE PATTERN: checks that a line of the answer matches.
has() {
    grep -q -- "$2" "$folder/$1" || fail "no $2 in the $1"
}

hello='"model":"claude-sonnet-5","max_tokens":100,"messages":[{"role":"user","content":[{"type":"text","text":"Hello there"}]}]'
key='authorization: Bearer any'

ask 200 "{$hello}" --header "$key"
has head '^content-type: application/json'
has body '^{"id":"msg_01[^"]*","type":"message","role":"assistant","model":"claude-sonnet-5","content":\[{"type":"text","text":"Hello there"}\],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":[0-9]*,"output_tokens":[0-9]*}}$'

ask 200 "{$hello}" --header 'x-api-key: any'

ask 200 "{$hello,\"stream\":true}" --header "$key" --no-buffer
has head '^content-type: text/event-stream'
sed -n 's/^event: //p' "$folder/body" | uniq | tr '\n' ' ' >"$folder/events"
has events '^message_start content_block_start ping content_block_delta content_block_stop message_delta message_stop $'
has body '^data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello there"}}$'

ask 400 '{"model":"claude-sonnet-5","messages":[]}' --header "$key"
has head '^content-type: application/json'
has body '^{"type":"error","error":{"type":"invalid_request_error","message":"/m[^"]*"},"request_id":"req_01[^"]*"}$'

ask 400 'not json' --header "$key"
has body '"type":"invalid_request_error","message":"the body is not JSON'

ask 401 "{$hello}"
has body '^{"type":"error","error":{"type":"authentication_error","message":"[^"]*"},"request_id":"req_01[^"]*"}$'

echo 'serve: create, stream, 400 and 401 are as they should be'
