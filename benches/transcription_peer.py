"""The reference for benches/transcription.sh: the same ONNX files in onnxruntime, 30 s at a time, the likeliest token each time.

No voice activity, no fallback: what a plain loop around onnxruntime costs. Prints one JSON object like `hysio evaluate`.
"""

import json
import pathlib
import resource
import sys
import time

import numpy as np
import onnxruntime
import soundfile
import soxr

RATE, WINDOW, HOP, FRAMES = 16_000, 400, 160, 3000
TOKENS_MAX = 224


def mel_filters():
    def to_mel(hertz):
        return np.where(hertz < 1000, hertz * 3 / 200, 15 + 27 * np.log(np.maximum(hertz, 1) / 1000) / np.log(6.4))

    def to_hertz(mel):
        return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))

    edges = to_hertz(np.linspace(0, to_mel(np.array(RATE / 2)), 82))
    points = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    rise = (points - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - points) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]


FILTERS = mel_filters()


def log_mel(samples):
    padded = np.zeros(RATE * 30, np.float32)
    padded[: len(samples)] = samples
    padded = np.pad(padded, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:FRAMES]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(WINDOW + 1)[:-1], axis=1)) ** 2
    mel = np.log10(np.maximum(FILTERS @ spectrum.T, 1e-10))
    return ((np.maximum(mel, mel.max() - 8) + 4) / 4).astype(np.float32)[None]


class Whisper:
    def __init__(self, folder, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads

        def session(name):
            path = folder / "onnx" / f"{name}_quantized.onnx"
            return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])

        self.encoder, self.decoder = session("encoder_model"), session("decoder_model_merged")
        config = json.loads((folder / "config.json").read_text())
        heads = config["decoder_attention_heads"]
        self.empty = np.zeros((1, heads, 0, config["d_model"] // heads), np.float32)
        self.past = [it.name for it in self.decoder.get_inputs() if it.name.startswith("past")]
        self.outputs = [it.name for it in self.decoder.get_outputs()]
        generation = json.loads((folder / "generation_config.json").read_text())
        self.prompt = [50258, generation["lang_to_id"]["<|en|>"], 50359, 50363]
        self.suppressed = generation["suppress_tokens"]
        vocabulary = json.loads((folder / "vocab.json").read_text())
        self.words = {token: word for word, token in vocabulary.items()}

    def hear(self, samples):
        hidden = self.encoder.run(["last_hidden_state"], {"input_features": log_mel(samples)})[0]
        cache = {name: self.empty for name in self.past}
        tokens, said = self.prompt, []
        for step in range(TOKENS_MAX):
            feed = {"input_ids": np.array([tokens], np.int64), "encoder_hidden_states": hidden}
            feed["use_cache_branch"] = np.array([step > 0])
            values = dict(zip(self.outputs, self.decoder.run(None, feed | cache)))
            for name in self.past:
                if step == 0 or ".decoder." in name:
                    cache[name] = values[name.replace("past_key_values", "present")]
            logits = values["logits"][0, -1]
            logits[self.suppressed] = -np.inf
            logits[50258:] = -np.inf
            token = int(logits.argmax())
            if token == 50257:
                break
            said.append(token)
            tokens = [token]
        return "".join(self.words[token] for token in said).replace("Ġ", " ")


def main():
    folder, threads, *files = sys.argv[1:]
    whisper = Whisper(pathlib.Path(folder), int(threads))
    cpu, started, audio_seconds, texts = time.process_time(), time.perf_counter(), 0.0, {}
    for file in files:
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
        samples = soxr.resample(samples.mean(axis=1), rate, RATE)
        audio_seconds += len(samples) / RATE
        chunks = range(0, len(samples), 30 * RATE)
        texts[pathlib.Path(file).name] = " ".join(whisper.hear(samples[at : at + 30 * RATE]) for at in chunks)
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(json.dumps({
        "audio_seconds": audio_seconds,
        "audio_seconds_per_second": audio_seconds / elapsed,
        "cpu_seconds_per_audio_second": cpu / audio_seconds,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "texts": texts,
    }))


main()
