#!/usr/bin/env bash
# Measures a whole cluster on this machine: 1,000 clinicians who have signed in, over TLS through NGINX, PgBouncer and replicas.
# Prints Markdown; arguments go to `hysio load`:
#
#   benches/cluster.sh                        100, 200, 400 and 800 requests a second, 60 s each
#   benches/cluster.sh --rates 300 --json     another rate, as JSON
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
hysio=${CARGO_TARGET_DIR:-$root/target}/release/hysio
work=

main() {
    trap clean_up EXIT
    [[ -x $hysio ]] || "$root/hysio" help >/dev/null
    work=$(mktemp -d)
    chmod 711 "$work" # the servers' own user passes through
    export HYSIO__PATHS__INSTALL=${HYSIO_VENDOR:-$root/vendor}
    "$hysio" cluster up --state "$work/cluster" --base-port "${HYSIO_BENCH_PORT:-24000}" --transcription 1 --diagnosecode 1 \
        --no-backups --database-megabytes 2048 >&2
    local before
    before=$(cut -d ' ' -f 1-3 /proc/loadavg)
    [[ " $* " == *" --rates "* ]] || set -- --rates 100,200,400,800 "$@"
    HYSIO_CONFIG=$work/cluster/operator.yaml "$hysio" load --prove "$@"
    if [[ " $* " != *" --json "* ]]; then
        printf '\n%s' "$("$root/benches/machine.sh")"
        printf ' Load averages before: %s; after: %s.\n' "$before" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
    fi
}

clean_up() {
    if [[ -n $work ]]; then
        "$hysio" cluster down --state "$work/cluster" >&2 || true
        rm -rf "$work"
    fi
}

main "$@"
