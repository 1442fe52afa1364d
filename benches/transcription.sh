#!/bin/sh
# Hysio's transcription against onnxruntime on the very same model files and recordings, in one run, in turns.
#
#   benches/transcription.sh DIR [base|small] [ROUNDS]
#
# DIR holds recordings with their texts beside them (NAME.txt). Both use the same number of cores. The figures go to
# standard output, and, as a table with machine and command, to benches/results/transcription.md.
set -eu
dir=${1:?usage: benches/transcription.sh DIR [base|small] [ROUNDS]}
model=${2:-base}
rounds=${3:-3}
root=$(cd "$(dirname "$0")/.." && pwd)
models=${HYSIO__SPEECH__MODELS:-$root/vendor/speech}
hysio=${HYSIO:-$root/target/release/hysio}
threads=$(nproc)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ -x "$hysio" ] || { echo "build first: cargo build --release" >&2; exit 1; }
[ -d "$models/whisper-$model" ] || { echo "no models in $models: run ./hysio install" >&2; exit 1; }
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet onnxruntime==1.32.0 numpy==2.4.6 soundfile==0.14.0 soxr==1.1.0

set --
for text in "$dir"/*.txt; do
    for audio in "${text%.txt}".*; do
        [ "$audio" = "$text" ] || set -- "$@" "$audio"
    done
done
for round in $(seq "$rounds"); do
    "$hysio" evaluate transcription "$dir" --model "$model" --language en --models "$models" \
        --threads "$threads" --json >"$work/ours.$round.json" 2>/dev/null
    "$work/venv/bin/python" "$root/benches/transcription_peer.py" "$models/whisper-$model" "$threads" "$@" \
        >"$work/peer.$round.json"
done
"$work/venv/bin/python" "$root/benches/transcription_report.py" "$work" "$model" "$rounds" "$threads" |
    tee -a "$root/benches/results/transcription.md"
