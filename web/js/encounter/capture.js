// Step 1: dictate into the browser, or hand over a file.

import { button, fill, h, icon, newId } from "../dom.js";
import { confirmed } from "../dialog.js";
import { t, when } from "../i18n.js";
import { announce, explain, toast } from "../notice.js";
import { beforeSignOut, guardPage, holdSession } from "../session.js";
import { bytes, clock } from "../time.js";
import { canRecord, startRecording } from "./recorder.js";
import { deleteRecording, recordingBlob, unsentRecordings } from "./recording_store.js";
import { passing, upload } from "./upload.js";

const SILENT_LEVEL = 0.12;
const SILENCE_SHOWN_MS = 6000;
const BARS = 40;

/** Fills `place`; `accepted()` is called once the server has the audio. */
export async function capture(place, { encounter, me, accepted }) {
  const context = { place, encounter, me, accepted };
  const kept = await unsentRecordings(me.user.id).catch(() => []);
  const mine = kept.filter(({ encounter_id }) => encounter_id === encounter.id);
  if (mine.length) return offerKept(context, mine);
  choose(context);
}

function choose(context) {
  fill(context.place, h("div", { class: "capture" }, recordCard(context), dropCard(context)));
}

function recordCard(context) {
  const able = canRecord();
  const start = h(
    "button",
    { type: "button", class: "record-button", disabled: !able, on: { click: () => record(context, start) } },
    icon("mic"),
    h("span", null, t("record.start")),
  );
  return h(
    "section",
    { class: "card capture-card", "aria-labelledby": "record-title" },
    h("h2", { id: "record-title" }, t("record.title")),
    start,
    h("p", { class: "quiet" }, t(able ? "record.hint" : "record.unable")),
  );
}

function dropCard(context) {
  const inputId = newId("file");
  const input = h("input", {
    id: inputId,
    type: "file",
    class: "spoken",
    accept: "audio/*,video/webm,video/mp4,.wav,.flac,.mp3,.ogg,.opus,.m4a,.webm",
    on: { change: () => input.files[0] && sendFile(context, input.files[0]) },
  });
  const card = h(
    "section",
    { class: "card capture-card drop", "aria-labelledby": "drop-title" },
    h("h2", { id: "drop-title" }, t("drop.title")),
    h("div", { class: "drop-mark" }, icon("upload")),
    input,
    h("label", { for: inputId, class: "button" }, icon("file"), h("span", null, t("drop.choose"))),
    h("p", { class: "quiet" }, t("drop.hint")),
  );
  const over = (event) => {
    event.preventDefault();
    card.classList.add("over");
  };
  card.addEventListener("dragenter", over);
  card.addEventListener("dragover", over);
  card.addEventListener("dragleave", () => card.classList.remove("over"));
  card.addEventListener("drop", (event) => {
    event.preventDefault();
    card.classList.remove("over");
    const file = event.dataTransfer.files[0];
    if (file) sendFile(context, file);
  });
  return card;
}

async function record(context, startButton) {
  startButton.disabled = true;
  let recorder;
  let lostOnce = false;
  const lost = (what) => {
    if (lostOnce) return;
    lostOnce = true;
    tellLoss(what);
  };
  try {
    recorder = await startRecording({ userId: context.me.user.id, encounterId: context.encounter.id, lost });
  } catch (error) {
    startButton.disabled = false;
    return void failedMicrophone(context, error);
  }
  announce(t("record.started"));
  drawRecording(context, recorder);
}

function drawRecording(context, recorder) {
  const releases = [holdSession("recording"), guardPage(() => true), beforeSignOut(() => recorder.stop())];
  const time = h("p", { class: "record-time numeric", role: "timer" }, clock(0));
  const meter = h(
    "div",
    { class: "meter", "aria-hidden": "true" },
    Array.from({ length: BARS }, () => h("i")),
  );
  const word = h("p", { class: "record-word", role: "status" }, t("record.on"));
  const silence = h("p", { class: "quiet record-silence", role: "status" });
  const hold = button(t("record.pause"), { icon: "pause", kind: "large", click: () => (recorder.paused() ? resume() : pause()) });
  const pause = () => {
    recorder.pause();
    relabel("play", "record.resume", "record.paused");
  };
  const resume = () => {
    recorder.resume();
    relabel("pause", "record.pause", "record.on");
  };
  const relabel = (sign, label, state) => {
    fill(hold, icon(sign), h("span", null, t(label)));
    word.textContent = t(state);
    panel.classList.toggle("paused", recorder.paused());
  };
  const stop = button(t("record.stop"), {
    icon: "stop",
    kind: "primary large",
    click: async () => {
      stop.disabled = hold.disabled = true;
      drawing.stop();
      for (const release of releases) release();
      const { recording, blob } = await recorder.stop();
      sendRecording(context, recording, blob);
    },
  });
  const panel = h(
    "section",
    { class: "card recording", "aria-label": t("record.title") },
    h("div", { class: "record-head" }, h("span", { class: "record-dot", "aria-hidden": "true" }), word),
    time,
    meter,
    silence,
    h("div", { class: "button-row" }, hold, stop),
    h("p", { class: "quiet small" }, icon("lock"), " ", t("record.kept")),
  );
  fill(context.place, panel);
  const drawing = draw(recorder, { time, meter, silence });
  hold.focus();
}

/** Moves the bars and the time with every frame, and says so when nothing is heard. */
function draw(recorder, { time, meter, silence }) {
  const bars = [...meter.children];
  const levels = new Array(BARS).fill(0);
  let heard = performance.now();
  let shifted = 0;
  let frame = requestAnimationFrame(function step(now) {
    frame = requestAnimationFrame(step);
    const level = recorder.paused() ? 0 : recorder.level();
    if (level > SILENT_LEVEL || recorder.paused()) heard = now;
    const words = now - heard > SILENCE_SHOWN_MS ? t("record.silent") : "";
    if (silence.textContent !== words) silence.textContent = words;
    const text = clock(recorder.seconds());
    if (time.textContent !== text) time.textContent = text;
    if (now - shifted < 60) return;
    shifted = now;
    levels.push(level);
    levels.shift();
    bars.forEach((bar, index) => bar.style.setProperty("--level", levels[index].toFixed(3)));
  });
  return { stop: () => cancelAnimationFrame(frame) };
}

async function sendRecording(context, recording, file) {
  const suffix = { "audio/webm": "webm", "audio/mp4": "m4a", "audio/ogg": "ogg" }[recording.media_type] ?? "webm";
  await send(context, {
    file,
    filename: `dictation.${suffix}`,
    key: recording.id,
    seconds: recording.seconds,
    done: () => deleteRecording(recording.id).catch(() => {}),
    elsewhere: [keepFile(file, `dictation.${suffix}`), discard(context, recording)],
    words: "send.recording_kept",
  });
}

async function sendFile(context, file) {
  await send(context, {
    file,
    filename: file.name,
    key: crypto.randomUUID(),
    done: () => {},
    words: "send.file_kept",
    elsewhere: [button(t("drop.another"), { icon: "file", click: () => choose(context) })],
  });
}

async function send(context, job) {
  const releases = [holdSession("sending"), guardPage(() => true)];
  const bar = h("progress", { max: 1, value: 0, "aria-label": t("send.title") });
  const word = h("p", { role: "status" }, t("send.sending"));
  fill(
    context.place,
    h(
      "section",
      { class: "card sending" },
      h("h2", null, t("send.title")),
      h("p", { class: "quiet numeric" }, [job.seconds && clock(job.seconds), bytes(job.file.size)].filter(Boolean).join(" · ")),
      bar,
      word,
      h("p", { class: "quiet small" }, t(job.words)),
    ),
  );
  try {
    await upload({
      encounterId: context.encounter.id,
      file: job.file,
      filename: job.filename,
      key: job.key,
      progress: (share) => {
        bar.value = share;
        word.textContent = t(share >= 1 ? "send.checking" : "send.sending");
      },
      waiting: ({ error, ms }) => {
        bar.value = 0;
        word.textContent = `${explain(error)} ${t("send.again_in", { n: Math.ceil(ms / 1000) })}`;
      },
    });
    await job.done();
    announce(t("send.accepted"));
    context.accepted();
  } catch (error) {
    refused(context, job, error);
  } finally {
    for (const release of releases) release();
  }
}

function refused(context, job, error) {
  const again = button(t("try_again"), { icon: "again", kind: "primary", click: () => send(context, job) });
  fill(
    context.place,
    h(
      "section",
      { class: "card sending" },
      h("div", { class: "message error", role: "alert" }, icon("alert"), h("p", null, whyRefused(error))),
      h("p", { class: "quiet small" }, t(job.words)),
      h("div", { class: "button-row" }, passing(error) && again, job.elsewhere),
    ),
  );
}

function whyRefused(error) {
  const known = { 409: "send.conflict", 413: "send.too_large", 415: "send.not_audio", 422: "send.empty", 507: "send.full" }[error.status];
  if (!known) return explain(error);
  const detail = [409, 413].includes(error.status) && error.body?.detail; // the others would only say the same again
  return detail ? `${t(known)} (${detail})` : t(known);
}

function offerKept(context, recordings) {
  const row = (recording) =>
    h(
      "li",
      { class: "row" },
      h(
        "span",
        { class: "row-main" },
        h("strong", null, t("kept.recording", { time: clock(recording.seconds) })),
        h("span", { class: "quiet" }, when(recording.started_at)),
      ),
      h(
        "span",
        { class: "row-side" },
        discard(context, recording),
        button(t("kept.send"), {
          icon: "upload",
          kind: "primary",
          click: async () => sendRecording(context, recording, await recordingBlob(recording)),
        }),
      ),
    );
  fill(
    context.place,
    h(
      "section",
      { class: "card stack padded waiting" },
      h("h2", null, t("kept.title")),
      h("p", { class: "quiet" }, t("kept.words")),
      h("ul", { class: "rows", role: "list" }, recordings.map(row)),
    ),
  );
}

function discard(context, recording) {
  return button(t("kept.discard"), {
    icon: "trash",
    click: async () => {
      const sure = await confirmed({
        title: t("kept.discard"),
        body: t("kept.sure", { time: clock(recording.seconds) }),
        yes: t("kept.discard"),
        danger: true,
      });
      if (!sure) return;
      await deleteRecording(recording.id);
      capture(context.place, context);
    },
  });
}

function keepFile(blob, name) {
  return button(t("send.to_disk"), {
    icon: "download",
    click: () => {
      const url = URL.createObjectURL(blob);
      h("a", { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    },
  });
}

function failedMicrophone(context, error) {
  const key = { NotAllowedError: "record.denied", NotFoundError: "record.none" }[error.name] ?? "record.failed";
  const card = context.place.querySelector(".capture-card");
  card.querySelector(".message")?.remove();
  card.append(h("div", { class: "message error", role: "alert" }, icon("alert"), h("p", null, t(key))));
}

function tellLoss(what) {
  toast(t(what === "microphone" ? "record.lost_microphone" : "record.lost_storage"), { kind: "error" });
}
