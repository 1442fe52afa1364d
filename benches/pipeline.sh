#!/bin/sh
# A recording through the whole pipeline, from the first byte sent to the draft that is ready: upload, transcription,
# codes, record, with everything of `hysio up` on this machine.
#
#   benches/pipeline.sh RECORDING [RUNS] [SECONDS BETWEEN LOOKS]
#
# Prints the time of each run, how often its progress was seen to change, and the peak memory of each process. Starts an installation of its own in a temporary folder, on the default ports.
set -eu
recording=${1:?usage: benches/pipeline.sh RECORDING [RUNS] [SECONDS BETWEEN LOOKS]}
runs=${2:-3}
pause=${3:-0.05}
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
chmod 711 "$folder"
cd "$root"
HYSIO__PATHS__DATA=$folder/data HYSIO__HTTP__RATE_PER_SECOND=1000 HYSIO__HTTP__RATE_BURST=1000 \
    target/release/hysio up >"$folder/log" 2>&1 &
hysio=$!
trap 'kill "$hysio"; wait "$hysio" || true; rm -rf "$folder"' EXIT
until grep -q "is running" "$folder/log"; do
    kill -0 "$hysio" || { cat "$folder/log" >&2; exit 1; }
    sleep 0.2
done

app=http://localhost:3000/api
ask() { curl -sSf -b "$folder/jar" -c "$folder/jar" -H "X-Hysio-Request: 1" "$@"; }
post() { ask "$app/$1" -H "content-type: application/json" -d "$2"; }
field() { python3 -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }

password=$(awk -F '\t' '$1 == "clinician" { print $3 }' "$folder/data/first-sign-in.txt")
post session "{\"email\":\"clinician@hysio.local\",\"password\":\"$password\"}" >/dev/null
patient=$(post patients '{"given_name":"A","family_name":"B","birth_date":"1960-01-31","sex":"female"}' | field id)
for run in $(seq "$runs"); do
    encounter=$(post encounters "{\"patient_id\":\"$patient\"}" | field id)
    begun=$(date +%s%N)
    job=$(ask "$app/transcription" -H "Idempotency-Key: run-$run" -F "encounter_id=$encounter" -F "file=@$recording" |
        python3 -c "import json, sys; print(json.load(sys.stdin)['job']['id'])")
    state= seen= steps=0
    while [ "$state" != drafted ]; do
        [ "$state" != failed ] || { cat "$folder/log" >&2; exit 1; }
        sleep "$pause"
        progress=$(ask "$app/jobs/$job" | field progress)
        state=$(ask "$app/encounters/$encounter" | field state)
        if [ "$progress" != "$seen" ]; then
            seen=$progress steps=$((steps + 1))
            [ ! -t 2 ] || printf '\r%s %s   ' "$state" "$progress" >&2
        fi
    done
    echo "run $run: $((($(date +%s%N) - begun) / 1000000)) ms, progress changed $steps times"
done
for process in $(pgrep -P "$hysio"); do
    name=$(tr '\0' ' ' <"/proc/$process/cmdline")
    awk -v name="${name##*/}" '/^VmHWM/ { printf "peak memory of %s: %d MB\n", name, $2 / 1024 }' "/proc/$process/status"
done
