#!/bin/sh
# Talks to `--example serve` with curl and checks that its answers look like the API's.
# Run from the root of the crate: sh tests/serve.sh
set -eu

folder=$(mktemp -d)
cargo build --quiet --example serve --features testing
cargo run --quiet --example serve --features testing >"$folder/server" &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -r "$folder"' EXIT

tries=0
until grep -q '^export ANTHROPIC_BASE_URL=' "$folder/server"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ] || ! kill -0 "$server"; then
        echo "the server did not start" >&2
        exit 1
    fi
    sleep 0.1
done
base=$(sed -n 's/^export ANTHROPIC_BASE_URL=\([^ ]*\).*/\1/p' "$folder/server")

# ask STATUS BODY [CURL-OPTION...]: posts BODY, checks the status; leaves the answer in two files.
ask() {
    wanted=$1 body=$2
    shift 2
    status=$(curl --silent --show-error --noproxy '*' --max-time 20 \
        --dump-header "$folder/head" --output "$folder/body" --write-out '%{http_code}' \
        --header 'content-type: application/json' --header 'anthropic-version: 2026-10-21' \
        "$@" --data "$body" "$base/v1/messages")
    [ "$status" = "$wanted" ] || fail "status $status instead of $wanted"
    has head '^request-id: req_01'
}

# has FILE PATTERN: checks that a line of the answer matches.
has() {
    grep -q "$2" "$folder/$1" || fail "no $2 in the $1"
}

fail() {
    echo "failed: $1" >&2
    cat "$folder/head" "$folder/body" >&2
    exit 1
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

echo "serve: create, stream, 400 and 401 are as they should be"
