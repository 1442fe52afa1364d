// Suggested codes: how likely, why, and the clinician's decision on each.

import * as api from "../api.js";
import { combobox } from "../combobox.js";
import { button, fill, h, icon } from "../dom.js";
import { percent, t } from "../i18n.js";
import { announce, emptyState, failed } from "../notice.js";

/**
 * {element, all(), move(step), decide(decision), point(id)}. `changed(all)` follows every decision;
 * `looked(id|null)` the suggestion under the pointer or the focus.
 */
export function suggestionsPane({ encounter, suggestions, locked, changed, looked }) {
  const state = { all: [...suggestions].sort((a, b) => a.manual - b.manual || a.rank - b.rank), locked };
  const list = h("ol", { class: "suggestions", role: "list" });
  const count = h("p", { class: "quiet small", role: "status" });
  const context = {
    encounter,
    state,
    list,
    changed: () => {
      tally();
      changed(state.all);
    },
    looked,
  };
  const tally = () => {
    const n = state.all.filter(({ decision }) => decision === "pending").length;
    count.textContent = state.all.length && !locked ? t(n ? "codes.to_decide" : "codes.decided", { n }) : "";
  };
  const draw = () =>
    fill(list, state.all.length ? state.all.map((suggestion) => card(context, suggestion)) : h("li", null, emptyState(t("codes.none"))));
  context.draw = draw;
  draw();
  tally();
  const element = h(
    "section",
    { class: "card pane codes", "aria-labelledby": "codes-title" },
    h(
      "header",
      { class: "pane-head" },
      h("h2", { id: "codes-title" }, t("codes.title"), " ", h("span", { class: "quiet" }, encounter.code_system)),
      count,
    ),
    h("div", { class: "pane-scroll", tabindex: "0", role: "group", "aria-labelledby": "codes-title" }, list),
    !locked && adder(context),
  );
  return {
    element,
    all: () => state.all,
    move: (step) => move(context, step),
    decide: (decision) => decideCurrent(context, decision),
    point: (id, options) => point(context, id, options),
  };
}

function card(context, suggestion) {
  const { id, code, title, probability, billable, manual, decision, evidence, rank } = suggestion;
  const place = h("li", {
    class: `suggestion ${decision}`,
    tabindex: "-1",
    "data-id": id,
    on: {
      pointerenter: () => context.looked(id, false),
      pointerleave: () => context.looked(null, false),
      focusin: () => {
        current(context, id);
        context.looked(id, true);
      },
      focusout: () => context.looked(null, false),
    },
  });
  const said = (evidence ?? []).map(({ text }) => text);
  const words = said.filter((text, at) => said.findIndex((other) => other.toLowerCase() === text.toLowerCase()) === at);
  return fill(
    place,
    h(
      "div",
      { class: "suggestion-head" },
      h("span", { class: "rank numeric", "aria-hidden": "true" }, manual ? "+" : String(rank)),
      h("p", { class: "suggestion-name" }, h("strong", { class: "code" }, code), " ", title),
      likelihood(probability, manual),
    ),
    h(
      "p",
      { class: "suggestion-why small" },
      h(
        "span",
        { class: `tag ${billable ? "" : "warn"}` },
        icon(billable ? "check" : "alert"),
        t(billable ? "codes.billable" : "codes.not_billable"),
      ),
      words.length > 0 &&
        h(
          "span",
          { class: "quiet" },
          t("codes.because"),
          " ",
          words.map((text, index) => [index > 0 && ", ", h("q", null, text)]),
        ),
    ),
    remarks(suggestion),
    decisions(context, suggestion),
  );
}

/** Why to look twice, what it belongs to, and what the clinic made of it before. */
function remarks({ cautions, companion, learnt }) {
  const line = (kind, sign, words) => h("p", { class: `suggestion-remark small ${kind}` }, icon(sign), h("span", null, words));
  return [
    (cautions ?? []).map(({ reason }) => line("warn", "alert", reason)),
    companion && line("quiet", "plus", t("codes.companion", companion)),
    learnt?.decided > 0 && line("quiet", "again", learntWords(learnt)),
    learnt?.decided === 0 && learnt.phrase && line("quiet", "again", t("codes.taught", learnt)),
  ];
}

function learntWords({ accepted, decided, phrase, shared }) {
  const key = phrase ? "codes.learnt_phrase" : shared ? "codes.learnt_shared" : "codes.learnt";
  return t(key, { accepted, decided, phrase });
}

function likelihood(probability, manual) {
  if (manual) return h("span", { class: "tag" }, icon("pen"), t("codes.by_hand"));
  const bar = h("span", { class: "bar", "aria-hidden": "true" }, h("i"));
  bar.firstChild.style.setProperty("--share", String(probability));
  return h(
    "span",
    { class: "likelihood" },
    bar,
    h("span", { class: "numeric" }, h("span", { class: "spoken" }, `${t("codes.probability")} `), percent(probability)),
  );
}

function decisions(context, suggestion) {
  if (context.state.locked) return h("p", { class: "small decided" }, t(`codes.${suggestion.decision}`));
  const choice = (decision, sign, key) =>
    h(
      "button",
      {
        type: "button",
        class: `button small ${decision}`,
        "aria-pressed": String(suggestion.decision === decision),
        "data-decision": decision,
        on: { click: () => decide(context, suggestion, suggestion.decision === decision ? "pending" : decision) },
      },
      icon(sign),
      h("span", null, t(key)),
      h("span", { class: "spoken" }, ` ${suggestion.code}`),
    );
  return h("div", { class: "button-row" }, choice("accepted", "check", "codes.accept"), choice("rejected", "cross", "codes.reject"));
}

/** Shown at once, sent after; taken back when the server refuses. */
async function decide(context, suggestion, decision) {
  const before = suggestion.decision;
  if (before === decision) return;
  apply(context, suggestion, decision);
  announce(`${suggestion.code}: ${t(`codes.${decision}`)}`);
  try {
    await api.patch(`/api/encounters/${encodeURIComponent(context.encounter.id)}/suggestions/${encodeURIComponent(suggestion.id)}`, {
      decision,
    });
  } catch (error) {
    if (suggestion.decision === decision) apply(context, suggestion, before);
    failed(error);
  }
}

function apply(context, suggestion, decision) {
  suggestion.decision = decision;
  const element = context.list.querySelector(`[data-id="${CSS.escape(suggestion.id)}"]`);
  element.className = `suggestion ${decision}${element.classList.contains("current") ? " current" : ""}`;
  for (const choice of element.querySelectorAll("[data-decision]"))
    choice.setAttribute("aria-pressed", String(choice.dataset.decision === decision));
  context.changed();
}

function current(context, id) {
  for (const element of context.list.children) element.classList.toggle("current", element.dataset.id === String(id));
}

function move(context, step) {
  const cards = [...context.list.querySelectorAll(".suggestion")];
  if (!cards.length) return;
  const at = cards.findIndex((element) => element.classList.contains("current"));
  const next = cards[at < 0 ? (step > 0 ? 0 : cards.length - 1) : Math.min(cards.length - 1, Math.max(0, at + step))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function decideCurrent(context, decision) {
  const id = context.list.querySelector(".current")?.dataset.id;
  const suggestion = context.state.all.find((one) => String(one.id) === id);
  if (!suggestion || context.state.locked) return move(context, 1);
  decide(context, suggestion, suggestion.decision === decision ? "pending" : decision);
}

function point(context, id, { take = false } = {}) {
  for (const element of context.list.querySelectorAll(".suggestion")) {
    const on = id !== null && element.dataset.id === String(id);
    element.classList.toggle("pointed", on);
    if (on && take) element.focus();
  }
}

/** The words that were last selected in the transcript or the note, offered to be taught. */
function teaching() {
  const box = h("input", { type: "checkbox", checked: true });
  const words = h("q", null, "");
  const element = h("label", { class: "teach small", hidden: true }, box, h("span", null, t("codes.teach"), " ", words));
  const show = (text) => {
    words.textContent = text;
    element.hidden = !text;
    box.checked = true;
  };
  document.addEventListener("selectionchange", () => {
    const text = selectedWords();
    if (text) show(text);
  });
  return { element, words: () => (element.hidden || !box.checked ? undefined : words.textContent), clear: () => show("") };
}

const TAUGHT_WORDS_MAX = 8;

function selectedWords() {
  const { activeElement } = document;
  const inNote = activeElement?.closest?.(".note-part textarea");
  const selection = document.getSelection();
  const inTranscript = selection?.anchorNode?.parentElement?.closest(".segment-text");
  const text = inNote
    ? inNote.value.slice(inNote.selectionStart, inNote.selectionEnd)
    : inTranscript
      ? withoutMarks(selection)
      : "";
  const words = text.trim().split(/\s+/).filter(Boolean);
  return words.length <= TAUGHT_WORDS_MAX ? words.join(" ") : "";
}

/** What was said, without the numbers that stand at the end of evidence. */
function withoutMarks(selection) {
  const copy = selection.getRangeAt(0).cloneContents();
  for (const extra of copy.querySelectorAll("sup, .spoken, .segment-time")) extra.remove();
  return copy.textContent;
}

function adder(context) {
  const teach = teaching();
  const find = combobox({
    label: t("codes.add"),
    placeholder: t("codes.add_hint"),
    minimum: 2,
    search: async (query, signal) =>
      (
        await api.get(`/api/codes?limit=10&system=${encodeURIComponent(context.encounter.code_system)}&q=${encodeURIComponent(query)}`, {
          signal,
        })
      ).codes,
    row: ({ code, title, billable, replaces }) => [
      h("strong", { class: "code" }, code),
      h("span", null, title),
      replaces && h("span", { class: "quiet small" }, t("codes.replaces", { code: replaces })),
      !billable && h("span", { class: "quiet small" }, t("codes.not_billable")),
    ],
    choose: (code) => add(context, code, find, teach),
  });
  return h("div", { class: "pane-foot" }, find.element, teach.element);
}

async function add(context, { system, code }, find, teach) {
  const words = teach.words();
  const already = context.state.all.find((one) => one.system === system && one.code === code);
  try {
    if (already && !words) await decide(context, already, "accepted");
    else {
      const path = `/api/encounters/${encodeURIComponent(context.encounter.id)}/suggestions`;
      const added = await api.post(path, { system, code, words });
      context.state.all = [...context.state.all.filter((one) => one !== already), added];
      teach.clear();
      context.draw();
      context.changed();
      announce(`${code}: ${t("codes.accepted")}`);
    }
    find.clear();
  } catch (error) {
    failed(error);
  }
}
