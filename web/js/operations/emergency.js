// The emergency switch: on with an owner, a reason and an end; off with a reason. Both are asked for twice.

import * as api from "../api.js";
import { button, h, icon, newId } from "../dom.js";
import { t, when } from "../i18n.js";
import { ask } from "./ask.js";
import { name } from "./resources.js";

export function emergency({ emergency: declared, scenarios }) {
  if (!declared) {
    if (!scenarios.length) return [];
    return h(
      "div",
      { class: "message info" },
      h("p", null, t("emergency.none")),
      button(t("emergency.declare"), { icon: "alert", click: () => declare(scenarios) }),
    );
  }
  const over = isOver(declared);
  return h(
    "div",
    { class: over ? "message warn" : "message error", role: "status" },
    icon("alert"),
    h(
      "div",
      null,
      h("p", null, h("strong", null, name(declared.scenario)), ` – ${declared.reason}`),
      h(
        "p",
        { class: "small" },
        t(over ? "emergency.ended" : "emergency.on", {
          owner: declared.owner_name ?? declared.owner,
          since: when(declared.declared_at),
          until: when(declared.ends_at),
        }),
      ),
    ),
    button(t("emergency.stand_down"), { click: standDown }),
  );
}

export function isOver(declared) {
  return declared ? new Date(declared.ends_at) <= new Date() : false;
}

function declare(scenarios) {
  const [scenarioId, hoursId, whyId, sureId] = ["scenario", "hours", "why", "sure"].map(newId);
  const scenario = h("select", { id: scenarioId, autofocus: true }, scenarios.map((key) => h("option", { value: key }, name(key))));
  const hours = h("input", { id: hoursId, type: "number", min: 1, max: 720, step: 1, value: "24" });
  const why = h("textarea", { id: whyId, rows: 2, maxlength: 500 });
  const sure = h("input", { id: sureId, type: "checkbox" });
  ask({
    title: t("emergency.declare"),
    yes: t("emergency.declare"),
    body: [
      h("div", { class: "field" }, h("label", { for: scenarioId }, t("emergency.scenario")), scenario),
      h("div", { class: "field" }, h("label", { for: hoursId }, t("emergency.hours")), hours),
      h("div", { class: "field" }, h("label", { for: whyId }, t("scaling.why")), why, h("p", { class: "field-note" }, t("scaling.why_note"))),
      h("div", { class: "check" }, sure, h("label", { for: sureId }, t("emergency.sure"))),
    ],
    send: () => {
      if (!Number(hours.value)) throw new Error(t("emergency.no_hours"));
      if (!sure.checked) throw new Error(t("emergency.not_sure"));
      return api.post("/api/scaling/emergency", { scenario: scenario.value, hours: Number(hours.value), reason: why.value });
    },
    done: t("emergency.declared"),
  });
}

function standDown() {
  const whyId = newId("why");
  const why = h("textarea", { id: whyId, rows: 2, maxlength: 500, autofocus: true });
  ask({
    title: t("emergency.stand_down"),
    yes: t("emergency.stand_down"),
    body: [
      h("p", null, t("emergency.stand_down_words")),
      h("div", { class: "field" }, h("label", { for: whyId }, t("scaling.why")), why, h("p", { class: "field-note" }, t("scaling.why_note"))),
    ],
    send: () => api.post("/api/scaling/emergency/stand-down", { reason: why.value }),
    done: t("emergency.over"),
  });
}
