"""The table of benches/transcription.sh: medians over the rounds, and their ratio."""

import json
import pathlib
import platform
import statistics
import subprocess
import sys

work, model, rounds, threads = sys.argv[1:]


def read(side):
    return [json.loads((pathlib.Path(work) / f"{side}.{it}.json").read_text()) for it in range(1, int(rounds) + 1)]


def median(runs, key):
    return statistics.median(run[key] for run in runs)


cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
ours, peer = read("ours"), read("peer")
print(f"\n## whisper-{model}, {median(ours, 'audio_seconds'):.0f} s of speech, {threads} cores, commit {commit}\n")
print(f"{cpu}. `benches/transcription.sh DIR {model} {rounds}`, median of {rounds}.\n")
print("| | Hysio | onnxruntime | Hysio to onnxruntime |\n|---|---|---|---|")
for key, label in [
    ("audio_seconds_per_second", "audio-seconds a second"),
    ("cpu_seconds_per_audio_second", "CPU-seconds an audio-second"),
    ("peak_megabytes", "peak memory, MB"),
]:
    a, b = median(ours, key), median(peer, key)
    print(f"| {label} | {a:.3g} | {b:.3g} | {a / b:.2f} |")
print(f"\nWord error rate of Hysio: {100 * median(ours, 'word_error_rate'):.2f} %.")
