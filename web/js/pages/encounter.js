// One encounter, from dictation to signature: shows the step that its state calls for.

import * as api from "../api.js";
import { button, fill, h, icon } from "../dom.js";
import { t } from "../i18n.js";
import { announce, failed, toast } from "../notice.js";
import { fullName, particulars } from "../patient_words.js";
import { idInPath, page } from "../shell.js";
import { capture } from "../encounter/capture.js";
import { keptCard, keptFor } from "../encounter/kept.js";
import { markRead, noteEditor, noteReader } from "../encounter/note.js";
import { player } from "../encounter/player.js";
import { watch } from "../encounter/progress.js";
import { help, listen } from "../encounter/shortcuts.js";
import { draftBar, signedBar } from "../encounter/signing.js";
import { suggestionsPane } from "../encounter/suggestions.js";
import { transcriptPane } from "../encounter/transcript.js";

const STEPS = [
  { key: "step.dictate", states: ["open"] },
  { key: "step.transcribe", states: ["received", "transcribed", "coded"] },
  { key: "step.review", states: ["drafted"] },
  { key: "step.sign", states: ["signed"] },
];

page("encounter.title", async (main, me) => {
  const view = { main, me, id: idInPath(), stop: () => {}, review: null };
  listen({
    j: () => view.review?.codes.move(1),
    k: () => view.review?.codes.move(-1),
    a: () => view.review?.codes.decide("accepted"),
    r: () => view.review?.codes.decide("rejected"),
    p: () => view.review?.sound?.toggle(),
  });
  // A file dropped beside the mark must not replace the page.
  for (const event of ["dragover", "drop"]) addEventListener(event, (dropped) => dropped.preventDefault());
  show(view, await load(view));
});

function load(view) {
  return api.get(`/api/encounters/${encodeURIComponent(view.id)}`);
}

async function reload(view) {
  try {
    show(view, await load(view));
  } catch (error) {
    failed(error);
  }
}

function show(view, encounter) {
  const wasHere = view.main.contains(document.activeElement);
  view.stop();
  view.stop = () => {};
  view.review?.close();
  view.review = null;
  const work = h("div", { class: "work" });
  fill(view.main, heading(encounter), encounter.state === "failed" && encounter.failure && failure(encounter), work);
  if (wasHere) view.main.focus({ preventScroll: true });
  if (encounter.recording) showLeftOver(view, work, encounter);
  if (encounter.record) {
    review(view, work, encounter);
    return working(encounter) && watchAgain(view, work, encounter);
  }
  if (["open", "failed"].includes(encounter.state)) return void capture(work, { encounter, me: view.me, changed: () => reload(view) });
  watching(view, work, encounter);
}

/** A recording made here that came too late is not hidden: it exists nowhere else. */
async function showLeftOver(view, work, encounter) {
  const kept = encounter.state === "failed" ? [] : await keptFor(encounter, view.me);
  if (kept.length) work.prepend(keptCard(kept, { changed: () => reload(view) }));
}

function heading(encounter) {
  const at = STEPS.findIndex(({ states }) => states.includes(encounter.state === "failed" ? "open" : encounter.state));
  const signed = encounter.state === "signed" && encounter.record?.state !== "draft";
  return h(
    "header",
    { class: "encounter-head" },
    h(
      "div",
      null,
      h("h1", null, h("a", { href: `/patients/${encodeURIComponent(encounter.patient_id)}` }, fullName(encounter.patient))),
      h("p", { class: "quiet" }, particulars(encounter.patient)),
    ),
    h(
      "ol",
      { class: "steps", "aria-label": t("step.label") },
      STEPS.map(({ key }, index) => {
        const done = index < at || signed;
        return h(
          "li",
          { class: done ? "done" : null, "aria-current": index === at ? "step" : null },
          h("span", { class: "step-mark", "aria-hidden": "true" }, done ? icon("check") : String(index + 1)),
          h("span", null, t(key)),
        );
      }),
    ),
  );
}

function failure({ failure: { message }, record }) {
  const words = record
    ? h("p", null, message)
    : [h("p", null, h("strong", null, t("encounter.failed"))), h("p", null, message), h("p", null, t("encounter.failed_then"))];
  return h("div", { class: "message error", role: "alert" }, icon("alert"), h("div", null, words));
}

function working({ state }) {
  return ["received", "transcribed", "coded"].includes(state);
}

/** While the machine works: the stages, and the transcript as soon as it is there. */
function watching(view, work, encounter) {
  const stages = h("div", null);
  const early = h("div", null);
  fill(work, stages, early);
  const showTranscript = ({ transcript }) =>
    transcript &&
    !early.hasChildNodes() &&
    fill(early, transcriptPane({ transcript, suggestions: [], play: null, pointed: () => {} }).element);
  showTranscript(encounter);
  view.stop = watch(stages, encounter, async (stage) => {
    if (finished(view, stage)) return;
    showTranscript(await load(view).catch(() => ({})));
  });
}

/** Codes are being suggested anew beside a draft that can be edited meanwhile. */
function watchAgain(view, work, encounter) {
  const place = h("div", null);
  work.prepend(place);
  view.stop = watch(place, encounter, (stage) => finished(view, stage));
}

/** Whether the work is over; then the encounter is shown as it is now. */
function finished(view, stage) {
  const over = ["end", "drafted", "failed"].includes(stage);
  if (over) {
    view.stop();
    reload(view);
  }
  return over;
}

/** Transcript beside codes, the note under both, and the signature at the end. */
function review(view, work, encounter) {
  const { record } = encounter;
  const locked = record.state === "signed";
  const sound = encounter.recording && player(encounter.recording);
  const transcript =
    encounter.transcript &&
    transcriptPane({
      transcript: encounter.transcript,
      suggestions: encounter.suggestions,
      play: sound?.playFrom,
      pointed: (id, options) => {
        codes.point(id, options);
        transcript.highlight(id);
        markNote(id);
      },
    });
  const markNote = (id) => {
    const looked = codes.all().find((suggestion) => String(suggestion.id) === String(id));
    const words = (looked?.evidence ?? []).map(({ text }) => text);
    if (note) note.mark(words);
    else markRead(signedNote, words);
  };
  const codes = suggestionsPane({
    encounter,
    suggestions: encounter.suggestions,
    locked,
    changed: (all) => {
      transcript?.show(all);
      bar?.show();
    },
    looked: (id, scroll) => {
      transcript?.highlight(id, { scroll });
      markNote(id);
    },
  });
  const note = locked ? null : noteEditor({ record, me: view.me });
  const signedNote = locked ? noteReader(record) : null;
  const bar = note && draftBar({ encounter, note, suggestions: codes.all, signed: () => signed(view) });
  sound?.at((seconds) => transcript?.follow(seconds));
  view.review = { codes, sound, close: () => note?.close() };
  fill(
    work,
    h(
      "div",
      { class: "toolbar" },
      sound?.element,
      h("span", { class: "spring" }),
      !locked && button(t("codes.again"), { icon: "again", kind: "plain", click: () => suggestAgain(view, encounter, note) }),
      button(t("keys.title"), { icon: "keyboard", kind: "plain for-keys", click: help }),
    ),
    signedNote,
    h("div", { class: "panes" }, transcript?.element, codes.element),
    note?.element,
    bar?.element ?? signedBar({ record, mayAmend: view.me.user.role === "clinician", amended: () => reload(view) }),
  );
}

async function signed(view) {
  await reload(view);
  toast(t("sign.done"));
  document.getElementById("main").focus();
}

async function suggestAgain(view, encounter, note) {
  try {
    await note.flush();
    await api.post(`/api/encounters/${encodeURIComponent(encounter.id)}/suggest-again`);
    announce(t("stage.coding"));
    await reload(view);
  } catch (error) {
    failed(error);
  }
}
