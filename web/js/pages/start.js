// Where a clinician begins: find a patient, and what is open.

import * as api from "../api.js";
import { combobox } from "../combobox.js";
import { button, fill, h } from "../dom.js";
import { calendarDay, t } from "../i18n.js";
import { emptyState, loadInto } from "../notice.js";
import { addPatient, encounterRow, fullName, particulars } from "../patient_words.js";
import { unsentRecordings } from "../encounter/recording_store.js";
import { page } from "../shell.js";
import { sameDay, today, typedDate } from "../time.js";

const GROUPS = [
  { key: "start.yours", states: ["drafted", "open", "failed"] },
  { key: "start.working", states: ["received", "transcribed", "coded"] },
  { key: "start.signed", states: ["signed"] },
];
const REFRESH_MS = 15_000;

page("nav.start", async (main, me) => {
  const list = h("div", { class: "stack" });
  const unsent = h("div", null);
  fill(
    main,
    h(
      "div",
      { class: "narrow stack-large" },
      h("div", null, h("h1", null, t("start.title", { name: me.user.name })), h("p", { class: "quiet" }, calendarDay(today()))),
      finder(),
      unsent,
      list,
    ),
  );
  showUnsent(unsent, me);
  await loadInto(list, encounters, 4);
  setInterval(() => document.hidden || refresh(list), REFRESH_MS);
});

function finder() {
  const find = combobox({
    label: t("start.find"),
    placeholder: t("start.find_hint"),
    search: async (query, signal) =>
      (await api.get(`/api/patients?limit=8&q=${encodeURIComponent(typedDate(query) ?? query)}`, { signal })).patients,
    row: (patient) => [h("strong", null, fullName(patient)), h("span", { class: "quiet" }, particulars(patient))],
    choose: open,
    last: (query) => ({ label: t("patient.add_named", { query }), act: () => addPatient(query, open) }),
  });
  find.input.autofocus = true;
  return h(
    "section",
    { class: "card finder", "aria-label": t("start.find") },
    find.element,
    button(t("patient.add"), { icon: "plus", click: () => addPatient(find.input.value, open) }),
  );
}

function open(patient) {
  location.assign(`/patients/${encodeURIComponent(patient.id)}`);
}

async function encounters() {
  const { encounters: all } = await api.get("/api/encounters?mine=true&limit=100");
  const shown = all.filter(({ state, updated_at }) => state !== "signed" || sameDay(new Date(updated_at), new Date()));
  if (!shown.length) return emptyState(t("start.empty"));
  return GROUPS.map(({ key, states }) =>
    group(
      key,
      shown.filter(({ state }) => states.includes(state)),
    ),
  ).filter(Boolean);
}

function group(key, rows) {
  if (!rows.length) return null;
  return h(
    "section",
    null,
    h("h2", { class: "group-title" }, t(key), h("span", { class: "count" }, String(rows.length))),
    h(
      "ul",
      { class: "rows card", role: "list" },
      rows.map((row) => encounterRow(row, row.patient)),
    ),
  );
}

/** Draws anew only when nobody is reading with the keyboard there, so that focus is never lost. */
async function refresh(list) {
  if (list.contains(document.activeElement)) return;
  const fresh = await encounters().catch(() => null);
  if (fresh) fill(list, fresh);
}

async function showUnsent(place, me) {
  const recordings = await unsentRecordings(me.user.id).catch(() => []);
  if (!recordings.length) return;
  fill(
    place,
    h(
      "div",
      { class: "message warn", role: "status" },
      h("p", null, t("start.unsent", { n: recordings.length })),
      recordings.map(({ encounter_id }) =>
        h("a", { class: "button", href: `/encounters/${encodeURIComponent(encounter_id)}` }, t("start.send_it")),
      ),
    ),
  );
}
