// The microphone: records in one-second chunks that are stored as they come, and measures how loud it is.

import { saveChunk, saveRecording } from "./recording_store.js";

const TYPES = ["audio/webm;codecs=opus", "audio/mp4;codecs=mp4a.40.2", "audio/mp4", "audio/ogg;codecs=opus"];
const CHUNK_MS = 1000;
/** Plenty for speech: at this rate Opus uses its coder made for speech. */
const BITS_PER_SECOND = 24_000;

export function canRecord() {
  return Boolean(navigator.mediaDevices?.getUserMedia && globalThis.MediaRecorder);
}

/**
 * Asks for the microphone and starts. `lost(error)` is told when a chunk can't be stored or the microphone
 * goes away; what was heard is still in memory then. Returns {level(), seconds(), pause(), resume(), paused(),
 * stop() → {recording, blob}}.
 */
export async function startRecording({ userId, encounterId, lost }) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false, autoGainControl: true } });
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  const media = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: BITS_PER_SECOND });
  const recording = newRecording({ userId, encounterId, mediaType: (media.mimeType || mimeType).split(";")[0] });
  const clock = stopwatch();
  const meter = loudness(stream);
  const awake = stayAwake();
  const heard = [];
  let stored = saveRecording(recording).catch(lost);
  media.addEventListener("dataavailable", ({ data }) => {
    if (!data.size) return;
    const sequence = heard.push(data) - 1;
    recording.seconds = clock.seconds();
    stored = stored
      .then(() => saveChunk(recording.id, sequence, data))
      .then(() => saveRecording(recording))
      .catch(lost);
  });
  for (const track of stream.getTracks()) track.addEventListener("ended", () => lost("microphone"));
  const release = () => {
    for (const track of stream.getTracks()) track.stop();
    meter.close();
    awake.release();
  };
  media.start(CHUNK_MS);
  clock.run();
  return {
    level: meter.level,
    seconds: clock.seconds,
    paused: () => media.state === "paused",
    pause: () => {
      media.pause();
      clock.halt();
    },
    resume: () => {
      media.resume();
      clock.run();
    },
    stop: () =>
      new Promise((resolve) => {
        const finish = () => {
          clock.halt();
          release();
          Object.assign(recording, { seconds: clock.seconds(), finished: true });
          const blob = new Blob(heard, { type: recording.media_type });
          stored
            .then(() => saveRecording(recording))
            .catch(lost)
            .then(() => resolve({ recording, blob }));
        };
        if (media.state === "inactive") return finish();
        media.addEventListener("stop", finish, { once: true });
        media.stop();
      }),
  };
}

function newRecording({ userId, encounterId, mediaType }) {
  return {
    id: crypto.randomUUID(),
    user_id: userId,
    encounter_id: encounterId,
    media_type: mediaType,
    started_at: new Date().toISOString(),
    seconds: 0,
    finished: false,
  };
}

function stopwatch() {
  let before = 0;
  let since = null;
  const seconds = () => before + (since === null ? 0 : (performance.now() - since) / 1000);
  return {
    seconds,
    run: () => {
      since ??= performance.now();
    },
    halt: () => {
      before = seconds();
      since = null;
    },
  };
}

/** Loudness 0..1: root mean square on a decibel scale from -60 to 0 dBFS. */
function loudness(stream) {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 1024 });
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const level = () => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    return Math.max(0, Math.min(1, (10 * Math.log10(power + 1e-12) + 60) / 60));
  };
  return { level, close: () => context.close() };
}

/** Keeps the screen, and so the recording, from going to sleep where the browser can. */
function stayAwake() {
  let lock = null;
  let wanted = true;
  const ask = () =>
    wanted &&
    document.visibilityState === "visible" &&
    navigator.wakeLock?.request("screen").then(
      (got) => {
        lock = got;
      },
      () => {},
    );
  document.addEventListener("visibilitychange", ask);
  ask();
  return {
    release: () => {
      wanted = false;
      document.removeEventListener("visibilitychange", ask);
      lock?.release();
    },
  };
}
