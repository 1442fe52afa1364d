// Starting an encounter: one button for what is usual, its options folded away.

import * as api from "./api.js";
import { button, h, newId } from "./dom.js";
import { t } from "./i18n.js";
import { failed } from "./notice.js";

export const SPECIALTIES = ["general_practice", "cardiology", "neurology", "radiology", "emergency", "physiotherapy"];

/** The button and its options for a patient. */
export function startEncounter(patient, me, { focus = false } = {}) {
  const key = crypto.randomUUID();
  const specialty = select(
    "specialty",
    SPECIALTIES.map((name) => [name, t(`specialty.${name}`)]),
    me.user.specialty ?? "general_practice",
  );
  const language = select(
    "language",
    ["", "en", "nl"].map((name) => [name, t(`language.${name || "auto"}`)]),
    "",
  );
  const system = select(
    "code_system",
    [
      ["ICD-10-CM", "ICD-10-CM"],
      ["DCSPH", "DCSPH"],
    ],
    usualSystem(specialty.input.value),
  );
  specialty.input.addEventListener("change", () => {
    system.input.value = usualSystem(specialty.input.value);
  });
  const wish = () => ({
    patient_id: patient.id,
    specialty: specialty.input.value,
    language: language.input.value || null,
    code_system: system.input.value,
  });
  const start = button(t("encounter.start"), {
    icon: "mic",
    kind: "primary large",
    autofocus: focus,
    click: async () => {
      start.disabled = true;
      try {
        const body = wish();
        const encounter = await api.post("/api/encounters", body, { key: `${key}-${body.specialty}-${body.language}-${body.code_system}` });
        location.assign(`/encounters/${encodeURIComponent(encounter.id)}`);
      } catch (error) {
        start.disabled = false;
        failed(error);
      }
    },
  });
  return h(
    "div",
    { class: "start-encounter" },
    start,
    h(
      "details",
      { class: "options-fold" },
      h("summary", null, t("encounter.options")),
      h("div", { class: "form-grid three" }, specialty.element, language.element, system.element),
    ),
  );
}

function usualSystem(specialty) {
  return specialty === "physiotherapy" ? "DCSPH" : "ICD-10-CM";
}

function select(name, options, value) {
  const id = newId(name);
  const input = h(
    "select",
    { id },
    options.map(([option, words]) => h("option", { value: option }, words)),
  );
  input.value = value;
  return { input, element: h("div", { class: "field" }, h("label", { for: id }, t(`encounter.${name}`)), input) };
}
