#!/usr/bin/env bash
# Measures the job queue with engines that do nothing, over a database of its own that is thrown away afterwards. Prints
# Markdown; arguments go to the measurement:
#
#   benches/jobs.sh                        1,000 recordings, then 20 a second for 30 s, 4 jobs at once
#   benches/jobs.sh --concurrency 16       more jobs at once
#   benches/jobs.sh --json                 one JSON object
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
target=${CARGO_TARGET_DIR:-$root/target}

cargo build --quiet --manifest-path "$root/Cargo.toml" --release -p hysio --example jobs
before=$(cut -d ' ' -f 1-3 /proc/loadavg)
"$target/release/examples/jobs" --install "${HYSIO_VENDOR:-$root/vendor}" "$@"
if [[ " $* " != *" --json "* ]]; then
    printf '\n%s' "$("$root/benches/machine.sh")"
    printf ' Load averages before: %s; after: %s.\n' "$before" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
fi
