#!/usr/bin/env bash
# Measures Hysio's API beside the stack of the document that it comes from: Node with Express and with Fastify, pg, ioredis, one
# process a core, the same three endpoints over the same rows of the same PostgreSQL. One generator, one run, in turn. Prints Markdown:
#
#   benches/api_peers.sh                  3 rounds: 500 requests a second, then 64 at once; 20 s each
#   ROUNDS=1 SECONDS_EACH=5 benches/api_peers.sh
#   PEERS='fastify' benches/api_peers.sh  that one alone
#
# Needs Node 20 or later, npm, redis-server and root.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
hysio=${HYSIO_BINARY:-${CARGO_TARGET_DIR:-$root/target}/release/hysio}
rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-20}
warm_up=${WARM_UP:-10}
# On a machine with other work: how often a disturbed run is done again, and how long one waits for quiet before it.
tries=${TRIES:-1}
quiet_within=${QUIET_WITHIN:-0}
peers=${PEERS:-express fastify lean}
# Loading the speech model takes longest.
ready_within=120
work=
up=
redis=
server=

main() {
    trap clean_up EXIT
    work=$(mktemp -d)
    chmod 711 "$work" # the database's own user passes through
    cp "$root"/benches/api_peer/* "$work"
    (cd "$work" && npm install --silent --no-audit --no-fund)
    app=127.0.0.1:$(free_port)
    export HYSIO__PATHS__DATA=$work/data
    start_hysio
    start_redis
    local before
    before=$(cut -d ' ' -f 1-3 /proc/loadavg)
    for peer in $peers; do
        prove "$peer"
    done
    for ((round = 1; round <= rounds; round++)); do
        measure hysio
        for peer in $peers; do
            measure "$peer"
        done
    done
    node "$work/table.mjs" <"$work/lines"
    printf '%s Node %s. Load averages before: %s; after: %s.\n' \
        "$("$root/benches/machine.sh")" "$(node --version)" "$before" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
}

start_hysio() {
    : >"$work/up.log"
    HYSIO__PATHS__INSTALL=${HYSIO_VENDOR:-$root/vendor} \
        HYSIO__HTTP__APP=$app \
        HYSIO__HTTP__PUBLIC_URL=http://$app \
        HYSIO__HTTP__TRANSCRIPTION=127.0.0.1:$(free_port) \
        HYSIO__HTTP__DIAGNOSECODE=127.0.0.1:$(free_port) \
        HYSIO__SCALING__ENABLED=false \
        "$hysio" up >"$work/up.log" 2>&1 &
    up=$!
    await 'Hysio is running' "$work/up.log" "$up"
}

start_redis() {
    redis-server --port 0 --unixsocket "$work/redis.sock" --save '' --appendonly no --dir "$work" >"$work/redis.log" 2>&1 &
    redis=$!
    await 'Ready to accept\|ready to accept' "$work/redis.log" "$redis"
}

# The peer, at $peer_url as the process $server.
start_peer() {
    local port
    port=$(free_port)
    : >"$work/peer.log"
    NODE_ENV=production node "$work/server.mjs" "$1" --port "$port" --connections 20 --postgres "$work/data/postgres/socket" \
        --redis "$work/redis.sock" --master-key "$work/data/keys/master.key" >"$work/peer.log" 2>&1 &
    server=$!
    peer_url=http://127.0.0.1:$port
    await listening "$work/peer.log" "$server"
}

stop_peer() {
    stop "$server"
    server=
}

stop() {
    if [[ -n $1 ]] && kill -TERM "$1" 2>/dev/null; then
        wait "$1" || true
    fi
}

await() {
    local waited=0
    until grep -q "$1" "$2"; do
        if ! kill -0 "$3" 2>/dev/null || ((waited++ >= ready_within * 5)); then
            cat "$2" >&2
            echo "api_peers.sh: it did not start: the reason is above" >&2
            exit 1
        fi
        sleep 0.2
    done
}

# Every save that the peer acknowledges is there afterwards, with every version before it.
prove() {
    start_peer "$1"
    "$hysio" load --url "$peer_url" --clinicians 100 --rates 0 --at-once 16 --seconds 3 --warm-up 2 --prove >/dev/null
    stop_peer
}

measure() {
    local url=http://$app
    local whose=()
    if [[ $1 != hysio ]]; then
        start_peer "$1"
        url=$peer_url
        whose=(--server "$server" --redis "$redis")
    fi
    local shape
    for shape in '--rates 500 --at-once 0' '--rates 0 --at-once 64'; do
        # shellcheck disable=SC2086 # several words
        node "$work/measure.mjs" --name "$1" --up "$up" --tries "$tries" --quiet-within "$quiet_within" \
            ${whose[@]+"${whose[@]}"} -- \
            "$hysio" load --url "$url" $shape --seconds "$seconds" --warm-up "$warm_up" --json >>"$work/lines"
    done
    [[ $1 == hysio ]] || stop_peer
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

clean_up() {
    stop "$server"
    stop "$redis"
    stop "$up"
    if [[ -n $work ]]; then
        rm -rf "$work"
    fi
}

main "$@"
