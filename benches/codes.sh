#!/usr/bin/env bash
# Measures how well and how fast codes are found for phrases and as one types, beside other searches over the same terms: tantivy (BM25),
# PostgreSQL's trigrams and rapidfuzz. One run on this machine, so that the times are ratios. Prints Markdown.
#
#   benches/codes.sh ROWS.jsonl [--most 500]      rows: {"id": …, "text": …, "gold": ["E11.9", …], "system": "ICD-10-CM"}
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
target=${CARGO_TARGET_DIR:-$root/target}
vendor=${HYSIO_VENDOR:-$root/vendor}
postgres=
wheel=$(ls "$vendor"/packages/simple_icd_10_cm-*.whl)
work=
service=

main() {
    local rows=${1:?"usage: codes.sh ROWS.jsonl [--most N]"}
    shift
    trap clean_up EXIT
    [[ -x $target/release/hysio ]] || "$root/hysio" help >/dev/null
    # The database's own user must be able to pass through.
    work=$(mktemp -d)
    chmod 711 "$work"
    python3 -m venv "$work/python"
    "$work/python/bin/pip" install --quiet tantivy==0.27.0 rapidfuzz==3.14.6 'psycopg[binary]==3.3.9'
    start_postgres
    local address
    address=127.0.0.1:$(free_port)
    start_service "$address"
    "$work/python/bin/python" "$root/benches/codes_peers.py" --rows "$rows" --wheel "$wheel" --hysio "$address" \
        --postgres "host=$work/socket dbname=postgres user=bench" "$@"
    printf '\n%s\n' "$("$root/benches/machine.sh")"
}

# PostgreSQL refuses to run as root.
as_database_user() {
    if [[ $EUID -eq 0 ]]; then
        runuser -u nobody -- "$@"
    else
        "$@"
    fi
}

start_postgres() {
    # Its user need not be able to enter the folder that Hysio is installed in.
    cp -a "$vendor/postgresql" "$work/postgresql"
    postgres=$work/postgresql
    mkdir "$work/data" "$work/socket"
    if [[ $EUID -eq 0 ]]; then
        chown nobody "$work/data" "$work/socket"
    fi
    as_database_user "$postgres/bin/initdb" --pgdata "$work/data" --username bench --auth trust --encoding UTF8 \
        --locale C >"$work/initdb.log"
    as_database_user "$postgres/bin/pg_ctl" start --wait --silent --pgdata "$work/data" --log "$work/data/log" \
        --options "-c listen_addresses='' -c unix_socket_directories='$work/socket' -c shared_buffers=256MB"
}

start_service() {
    "$target/release/hysio" codes build --icd10cm "$wheel" --out "$work/hysio.catalogue" >"$work/build.log"
    mkdir -p "$work/install/catalogue"
    mv "$work/hysio.catalogue" "$work/install/catalogue/"
    # The service reads nothing but its catalogue; what was asked before is not remembered.
    HYSIO__PATHS__INSTALL=$work/install HYSIO__HTTP__DIAGNOSECODE=$1 MODEL_CACHE_SIZE=0 \
        "$target/release/hysio" diagnosecode >"$work/service.log" 2>&1 &
    service=$!
    local waited=0
    until curl --silent --output /dev/null "http://$1/health"; do
        if ! kill -0 "$service" 2>/dev/null || ((waited++ >= 150)); then
            cat "$work/service.log" >&2
            echo "codes.sh: the diagnosecode service did not start: the reason is above" >&2
            exit 1
        fi
        sleep 0.2
    done
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

clean_up() {
    if [[ -n $service ]] && kill -TERM "$service" 2>/dev/null; then
        wait "$service" || true
    fi
    if [[ -n $work && -d $work/data ]]; then
        as_database_user "$postgres/bin/pg_ctl" stop --silent --mode fast --pgdata "$work/data" || true
    fi
    if [[ -n $work ]]; then
        rm -rf "$work"
    fi
}

main "$@"
