// Steps 3 and 4: the SOAP note. A draft is edited and saved as it is typed; a signed note is read.

import { button, fill, h, icon, newId } from "../dom.js";
import { quoted } from "../evidence.js";
import { t, when } from "../i18n.js";
import { explain } from "../notice.js";
import { FIELDS, texts } from "../note_merge.js";
import { beforeSignOut, guardPage } from "../session.js";
import { Autosave } from "./autosave.js";

/** {element, flush(), record(), texts(), mark(words), close()} for a draft. */
export function noteEditor({ record, me }) {
  const status = h("p", { class: "save-status small", role: "status" });
  const conflictPlace = h("div", null);
  const areas = Object.fromEntries(FIELDS.map((field) => [field, area(field, (text) => saving.write(field, text))]));
  const show = (values) => {
    for (const field of FIELDS) if (areas[field].input.value !== values[field]) areas[field].write(values[field]);
  };
  const saving = new Autosave({
    record,
    userId: me.user.id,
    replaced: show,
    status: (kind, detail) => drawStatus(status, kind, detail),
    conflict: (clash) => drawConflict(conflictPlace, clash, saving),
  });
  show(saving.typed);
  drawStatus(status, saving.dirty() ? "dirty" : "saved", saving.dirty() ? null : new Date(record.updated_at));
  const releases = [beforeSignOut(() => saving.flush()), guardPage(() => saving.dirty())];
  const element = h(
    "section",
    { class: "card note", "aria-labelledby": "note-title" },
    h("header", { class: "pane-head" }, h("h2", { id: "note-title" }, t("note.title")), status),
    conflictPlace,
    h(
      "div",
      { class: "note-grid" },
      FIELDS.map((field) => areas[field].element),
    ),
  );
  return {
    element,
    flush: () => saving.flush(),
    record: () => saving.record,
    texts: () => saving.typed,
    mark: (words) => {
      for (const field of FIELDS) areas[field].mark(words);
    },
    close: () => {
      saving.close();
      for (const release of releases) release();
    },
  };
}

/** A signed note, or an earlier version of one. */
export function noteReader(record, { headed = true } = {}) {
  const parts = FIELDS.map((field) =>
    h(
      "div",
      { class: "note-part" },
      h("h3", null, t(`note.${field}`)),
      record[field] ? h("p", { class: "note-text" }, record[field]) : h("p", { class: "quiet" }, t("note.nothing")),
    ),
  );
  if (!headed) return h("div", { class: "note-grid" }, parts);
  return h(
    "section",
    { class: "card note", "aria-labelledby": "note-title" },
    h("header", { class: "pane-head" }, h("h2", { id: "note-title" }, t("note.title"))),
    h("div", { class: "note-grid" }, parts),
  );
}

/** Marks words in a signed note. */
export function markRead(element, words) {
  for (const place of element?.querySelectorAll(".note-text") ?? []) fill(place, marked(place.textContent, words));
}

function marked(text, words) {
  return quoted(text, words).map((piece) => (piece.lit ? h("mark", { class: "said" }, piece.text) : document.createTextNode(piece.text)));
}

function area(field, typed) {
  const id = newId(field);
  // A text area has no marks of its own: they lie behind it, under the same letters.
  const marks = h("div", { class: "note-marks", "aria-hidden": "true" });
  let words = [];
  const mark = (now = words) => {
    words = now;
    fill(marks, words.length ? marked(input.value, words) : null);
    marks.scrollTop = input.scrollTop;
  };
  const input = h("textarea", {
    id,
    rows: 3,
    spellcheck: "true",
    on: {
      scroll: () => {
        marks.scrollTop = input.scrollTop;
      },
      input: () => {
        mark();
        fit(input);
        typed(input.value);
      },
    },
  });
  const write = (text) => {
    input.value = text;
    mark();
    requestAnimationFrame(() => fit(input));
  };
  const element = h(
    "div",
    { class: "field note-part" },
    h("label", { for: id }, t(`note.${field}`)),
    h("div", { class: "note-input" }, marks, input),
  );
  return { input, write, mark, element };
}

/** Grows with its text; where the browser can, `field-sizing: content` does it in the style sheet. */
function fit(input) {
  if (CSS.supports("field-sizing", "content")) return;
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight + 2}px`;
}

function drawStatus(place, kind, detail) {
  const words = {
    saved: () => t("note.saved", { time: when(detail, "time") }),
    dirty: () => t("note.dirty"),
    saving: () => t("note.saving"),
    waiting: () => `${t("note.waiting")} ${explain(detail)}`,
    conflict: () => t("note.conflict"),
    signed: () => t("note.signed_meanwhile"),
    refused: () => explain(detail),
  }[kind]();
  const sign = { saved: "check", dirty: "pen", saving: "again" }[kind] ?? "alert";
  place.className = `save-status small ${kind}`;
  // Announcing each save would talk over the one who writes.
  place.setAttribute("aria-live", ["saved", "dirty", "saving"].includes(kind) ? "off" : "assertive");
  fill(place, icon(sign), " ", words);
}

function drawConflict(place, { fields, mine, theirs }, saving) {
  const chosen = {};
  const left = new Set(fields);
  const choose = (field, text, block) => {
    chosen[field] = text;
    left.delete(field);
    block.remove();
    if (left.size) return;
    fill(place);
    saving.resolve(chosen);
  };
  const blocks = fields.map((field) => {
    const side = (key, text) =>
      h("div", { class: "clash-side" }, h("h4", null, t(key)), h("p", { class: "note-text" }, text || t("note.nothing")));
    const block = h(
      "div",
      { class: "clash-field" },
      h("h3", null, t(`note.${field}`)),
      h("div", { class: "clash-sides" }, side("note.mine", mine[field]), side("note.theirs", theirs[field])),
      h(
        "div",
        { class: "button-row" },
        button(t("note.keep_mine"), { kind: "primary", click: () => choose(field, saving.typed[field], block) }),
        button(t("note.take_theirs"), { click: () => choose(field, theirs[field], block) }),
        button(t("note.keep_both"), { click: () => choose(field, `${theirs[field]}\n\n${saving.typed[field]}`, block) }),
      ),
    );
    return block;
  });
  fill(
    place,
    h("div", { class: "clash", role: "alert" }, h("p", null, h("strong", null, t("note.conflict")), " ", t("note.conflict_words")), blocks),
  );
}

/** Which parts of a note are empty, in words. */
export function emptyParts(record) {
  return FIELDS.filter((field) => !texts(record)[field].trim()).map((field) => t(`note.${field}`));
}
