#!/usr/bin/env bash
# How fast scaling is: a decision over all shipped policies, a tick of the replayed world, and from a full queue to the first extra
# worker on this machine (with `hysio up` on data of its own, which is thrown away). Prints Markdown.
#
#   benches/scaling.sh          everything
#   benches/scaling.sh --quick  without `hysio up`
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
. "$root/scripts/walkthrough.d/machine.sh"

main() {
    trap clean_up EXIT
    echo "| what | how long |"
    echo "|---|---|"
    cargo run --quiet --manifest-path "$root/Cargo.toml" --release -p hysio-scaling --example decide
    cargo run --quiet --manifest-path "$root/Cargo.toml" --release -p hysio-control --example planner | grep 'tick of the world'
    [[ ${1-} == --quick ]] || first_extra_worker
    printf '\n%s Load average: %s.\n' "$("$root/benches/machine.sh")" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
}

first_extra_worker() {
    "$root/scripts/install" walkthrough
    "$root/hysio" --version >/dev/null # builds what has changed
    make_workplace
    export HYSIO__HTTP__RATE_PER_SECOND=1000 HYSIO__HTTP__RATE_BURST=1000
    start_hysio
    until "$root/target/release/hysio" doctor >/dev/null 2>&1; do sleep 1; done
    WORK=$work URL=$HYSIO__HTTP__PUBLIC_URL node "$root/benches/scaling_first_worker.mjs" \
        "$root/crates/speech/tests/media/jfk.opus" "$work/hysio.log"
}

main "$@"
