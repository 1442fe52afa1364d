// A patient or an encounter in one line, and the form that adds a patient.

import * as api from "./api.js";
import { button, fill, h, newId } from "./dom.js";
import { openDialog } from "./dialog.js";
import { calendarDay, t, when } from "./i18n.js";
import { explain } from "./notice.js";
import { age, dateParts, sameDay, today, typedDate } from "./time.js";

const EARLIEST_BIRTH = "1850-01-01";

export const fullName = (patient) => `${patient.given_name} ${patient.family_name}`;

/** "12 Mar 1961 (65 y) · female · MRN 12345" */
export function particulars(patient) {
  const years = age(patient.birth_date, new Date());
  return [
    `${calendarDay(patient.birth_date)}${years === null ? "" : ` (${t("years", { n: years })})`}`,
    t(`sex.${patient.sex}`),
    patient.mrn && `${t("mrn")} ${patient.mrn}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

/** The state of an encounter as a chip: its words say it, its colour helps. */
export function stateChip(state) {
  return h("span", { class: `chip state-${state}` }, t(`state.${state}`));
}

/** A row that leads to an encounter; with `patient` it is named by the patient, else by its date. */
export function encounterRow(encounter, patient) {
  return h(
    "li",
    null,
    h(
      "a",
      { class: "row", href: `/encounters/${encodeURIComponent(encounter.id)}` },
      h(
        "span",
        { class: "row-main" },
        h("strong", null, patient ? fullName(patient) : when(encounter.started_at)),
        h("span", { class: "quiet" }, patient ? particulars(patient) : t(`specialty.${encounter.specialty ?? "none"}`)),
      ),
      h("span", { class: "row-side" }, patient && h("span", { class: "quiet numeric" }, started(encounter)), stateChip(encounter.state)),
    ),
  );
}

/** Today's encounters by time, older ones by day. */
function started({ started_at }) {
  return when(started_at, sameDay(new Date(started_at), new Date()) ? "time" : "moment");
}

/** A dialog that adds a patient and hands it to `added`. */
export function addPatient(suggested, added) {
  const key = crypto.randomUUID();
  const fields = patientFields(suggested);
  const problem = h("div", { role: "alert" });
  const save = h("button", { type: "submit", class: "button primary" }, h("span", null, t("patient.add")));
  const dialog = openDialog({
    title: t("patient.add"),
    body: [
      problem,
      h(
        "div",
        { class: "form-grid" },
        fields.map(({ element }) => element),
      ),
    ],
    actions: [button(t("cancel"), { click: () => dialog.close() }), save],
    submit: async () => {
      const wrong = fields.filter((field) => !check(field));
      if (wrong.length) return wrong[0].input.focus();
      save.disabled = true;
      try {
        const patient = await api.post("/api/patients", values(fields), { key: `${key}-${signature(fields)}` });
        dialog.close();
        added(patient);
      } catch (error) {
        save.disabled = false;
        fill(problem, h("div", { class: "message error" }, h("p", null, explain(error)), existing(error)));
      }
    },
  });
  fields[0].input.focus();
}

function existing(error) {
  const id = error.body?.existing_patient_id;
  return id && h("a", { href: `/patients/${encodeURIComponent(id)}` }, t("patient.open_existing"));
}

function patientFields(suggested = "") {
  const typed = suggested.trim();
  const [given, ...family] = /^\p{L}/u.test(typed) ? typed.split(/\s+/) : [""];
  const known = (text) => (text.trim() ? null : t("patient.needed"));
  return [
    input("given_name", { value: given, autocomplete: "off", maxlength: 100 }, known),
    input("family_name", { value: family.join(" "), autocomplete: "off", maxlength: 100 }, known),
    input("birth_date", { type: "date", value: typedDate(typed) ?? "", min: EARLIEST_BIRTH, max: today() }, born),
    choice("sex", ["female", "male", "other", "unknown"]),
    input(
      "mrn",
      { value: /^\d+$/.test(typed) ? typed : "", autocomplete: "off", maxlength: 50, class: "numeric" },
      () => null,
      t("patient.mrn_hint"),
    ),
  ];
}

function born(text) {
  if (!dateParts(text)) return t("patient.birth_date_wrong");
  return text > today() || text < EARLIEST_BIRTH ? t("patient.birth_date_range") : null;
}

function input(name, attributes, problem, hint) {
  const [id, noteId] = [newId(name), newId("note")];
  const control = h("input", { id, name, "aria-describedby": noteId, ...attributes });
  const note = h("p", { id: noteId, class: "field-note" }, hint);
  const element = h("div", { class: "field" }, h("label", { for: id }, t(`patient.${name}`)), control, note);
  return { name, input: control, note, hint, problem, element };
}

function choice(name, options) {
  const id = newId(name);
  const control = h(
    "select",
    { id, name },
    options.map((option) => h("option", { value: option }, t(`sex.${option}`))),
  );
  control.value = "unknown";
  return {
    name,
    input: control,
    problem: () => null,
    element: h("div", { class: "field" }, h("label", { for: id }, t("patient.sex")), control),
  };
}

function check({ input: control, note, hint, problem }) {
  const words = problem(control.value);
  control.setAttribute("aria-invalid", String(Boolean(words)));
  if (note) {
    note.textContent = words ?? hint ?? "";
    note.classList.toggle("wrong", Boolean(words));
  }
  return !words;
}

function values(fields) {
  const all = Object.fromEntries(fields.map(({ name, input: control }) => [name, control.value.trim()]));
  if (!all.mrn) delete all.mrn;
  return all;
}

/** A changed form is another request: its key must differ, or the server would refuse the reuse. */
function signature(fields) {
  const text = JSON.stringify(values(fields));
  let sum = 0;
  for (const point of text) sum = (Math.imul(sum, 31) + point.codePointAt(0)) >>> 0;
  return sum.toString(16);
}
