#!/usr/bin/env bash
# Measures the medical cache against the Redis of a cluster: TLS, its settings, and everything else of it running beside. Prints
# Markdown.
#
#   benches/cache.sh
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
target=${CARGO_TARGET_DIR:-$root/target}
port=${HYSIO_BENCH_PORT:-24000}
work=

main() {
    trap clean_up EXIT
    [[ -x $target/release/hysio ]] || "$root/hysio" help >/dev/null
    (cd "$root" && cargo build --release --workspace --example cache_bench)
    work=$(mktemp -d)
    chmod 711 "$work" # the servers' own user passes through
    export HYSIO__PATHS__INSTALL=${HYSIO_VENDOR:-$root/vendor}
    "$target/release/hysio" cluster up --state "$work/cluster" --base-port "$port" --transcription 1 --diagnosecode 1 --no-backups >&2
    local before password
    before=$(cut -d ' ' -f 1-3 /proc/loadavg)
    password=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["redis"])' "$work/cluster/secrets.json")
    "$target/release/examples/cache_bench" "rediss://:$password@127.0.0.1:$((port + 80))" "$work/cluster/etc/tls/ca.pem"
    printf '\n%s' "$("$root/benches/machine.sh")"
    printf ' Load averages before: %s.\n' "$before"
}

clean_up() {
    if [[ -n $work ]]; then
        "$target/release/hysio" cluster down --state "$work/cluster" >&2 || true
        rm -rf "$work"
    fi
}

main "$@"
