// Step 1: dictate into the browser, or hand over a file.

import { button, fill, h, icon, newId } from "../dom.js";
import { t } from "../i18n.js";
import { announce, toast } from "../notice.js";
import { discard, filenameOf, keptCard, keptFor, saveToDisk } from "./kept.js";
import { canRecord, startRecording } from "./recorder.js";
import { recordingPanel } from "./recording_panel.js";
import { deleteRecording } from "./recording_store.js";
import { send } from "./sending.js";

/** Fills `place`; `changed()` is called once the server has the audio, or when sending was cancelled. */
export async function capture(place, { encounter, me, changed }) {
  const context = { place, encounter, me, changed };
  const kept = await keptFor(encounter, me);
  if (!kept.length) return choose(context);
  fill(place, keptCard(kept, { send: (recorded) => sendRecording(context, recorded), changed: () => capture(place, context) }));
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
  recordingPanel(context.place, recorder, (recorded) => sendRecording(context, recorded));
}

async function sendRecording(context, { recording, blob }) {
  await send(context, {
    file: blob,
    filename: filenameOf(recording),
    key: recording.id,
    seconds: recording.seconds,
    done: () => deleteRecording(recording.id).catch(() => {}),
    words: "send.recording_kept",
    elsewhere: [saveToDisk(recording), discard(recording, () => capture(context.place, context))],
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

function failedMicrophone(context, error) {
  const key = { NotAllowedError: "record.denied", NotFoundError: "record.none" }[error.name] ?? "record.failed";
  const card = context.place.querySelector(".capture-card");
  card.querySelector(".message")?.remove();
  card.append(h("div", { class: "message error", role: "alert" }, icon("alert"), h("p", null, t(key))));
}

function tellLoss(what) {
  toast(t(what === "microphone" ? "record.lost_microphone" : "record.lost_storage"), { kind: "error" });
}
