#!/usr/bin/env bash
# Compares the planner's forecasts with Prophet and statsforecast (from PyPI, into a virtual environment of their own), side by side on
# one trace in one run: hourly arrivals, 8 weeks of history, 48 hours ahead. Then how fast the planner's parts are. Prints Markdown.
#
#   benches/capacity.sh                        a simulated year of emergency arrivals, 12 origins
#   benches/capacity.sh --origins 40 FILE.csv  another hourly trace
#   PEERS=DIR benches/capacity.sh              an environment that is there already
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
target=${CARGO_TARGET_DIR:-$root/target}
origins=12
if [[ ${1:-} == --origins ]]; then
    origins=$2
    shift 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

peers=${PEERS:-$work/peers}
if [[ ! -x $peers/bin/python ]]; then
    python3 -m venv "$peers"
    "$peers/bin/pip" install --quiet prophet==1.5.0 statsforecast==2.1.1 pandas
fi
[[ -x $target/release/hysio ]] || cargo build --quiet --manifest-path "$root/Cargo.toml" --release -p hysio
trace=${1:-$work/arrivals.csv}
[[ -n ${1:-} ]] || python3 "$root/benches/capacity_peer.py" --arrivals "$trace"

"$target/release/hysio" evaluate forecast "$trace" --window 8w --horizon 48h --origins "$origins" --json >"$work/ours.json"
"$peers/bin/python" "$root/benches/capacity_peer.py" "$trace" --origins "$origins" >"$work/peers.jsonl"

python3 - "$work/ours.json" "$work/peers.jsonl" <<'PYTHON'
import json, sys
ours = json.load(open(sys.argv[1]))
rows = [{"model": f"hysio `{it['model']}`", "milliseconds_a_fit": it["milliseconds_a_fit"], **it["score"]} for it in ours["models"] if it["score"]]
rows += [json.loads(line) for line in open(sys.argv[2])]
print(f"{ours['plan']['origins']} origins, {ours['plan']['window']} steps of {ours['step']} each, {ours['plan']['horizon']} ahead\n")
print("| model | WAPE | pinball loss of P95 | at or below P95 | ms a fit |\n|---|---|---|---|---|")
for it in rows:
    print(f"| {it['model']} | {100 * it['wape']:.2f} % | {it['pinball95']:.3f} | {100 * it['coverage95']:.1f} % | {it['milliseconds_a_fit']:.2f} |")
PYTHON
echo
cargo run --quiet --manifest-path "$root/Cargo.toml" --release -p hysio-control --example planner
echo
cargo run --quiet --manifest-path "$root/Cargo.toml" --release -p hysio-control --example backtests
printf '\n%s' "$("$root/benches/machine.sh")"
printf ' Load average: %s.\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
