#!/usr/bin/env bash
# Measures the API under load: an installation of its own with a database of its own, 1,000 clinicians who have signed in,
# and the load generator, all on this machine. Prints Markdown; arguments go to the generator:
#
#   benches/api.sh                              500/s, 1,000/s, then as fast as it goes; 60 s each
#   benches/api.sh --seconds 20 --rates 800     another rate
#   benches/api.sh --json                       one JSON object
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
target=${CARGO_TARGET_DIR:-$root/target}
# Loading the speech model takes longest.
ready_within=120
work=
up=

main() {
    trap clean_up EXIT
    [[ -x $target/release/hysio ]] || "$root/hysio" help >/dev/null
    # The database's own user must be able to pass through.
    work=$(mktemp -d)
    chmod 711 "$work"
    local app
    app=127.0.0.1:$(free_port)
    start "$app"
    local before
    before=$(cut -d ' ' -f 1-3 /proc/loadavg)
    HYSIO__PATHS__DATA=$work/data "$target/release/hysio" load --url "http://$app" --process "$up" \
        --rates 500,1000 --at-once 64 "$@"
    if [[ " $* " != *" --json "* ]]; then
        printf '\n%s' "$("$root/benches/machine.sh")"
        printf ' Load averages before: %s; after: %s.\n' "$before" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
    fi
}

start() {
    : >"$work/up.log"
    HYSIO__PATHS__INSTALL=${HYSIO_VENDOR:-$root/vendor} \
        HYSIO__PATHS__DATA=$work/data \
        HYSIO__HTTP__APP=$1 \
        HYSIO__HTTP__PUBLIC_URL=http://$1 \
        HYSIO__HTTP__TRANSCRIPTION=127.0.0.1:$(free_port) \
        HYSIO__HTTP__DIAGNOSECODE=127.0.0.1:$(free_port) \
        "$target/release/hysio" up >"$work/up.log" 2>&1 &
    up=$!
    local waited=0
    until grep -q 'Hysio is running' "$work/up.log"; do
        if ! kill -0 "$up" 2>/dev/null || ((waited++ >= ready_within * 5)); then
            cat "$work/up.log" >&2
            echo "api.sh: Hysio did not start: the reason is above" >&2
            exit 1
        fi
        sleep 0.2
    done
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

clean_up() {
    if [[ -n $up ]] && kill -TERM "$up" 2>/dev/null; then
        wait "$up" || true
    fi
    if [[ -n $work ]]; then
        rm -rf "$work"
    fi
}

main "$@"
