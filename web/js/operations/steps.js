// A change step by step, with the gates it went through and what each found.

import { h } from "../dom.js";
import { t, when } from "../i18n.js";

const BAD = ["gate_refused", "not_applied", "not_ready", "compliance_failed", "stuck"];

export function steps(log) {
  return h("ol", { class: "steps", role: "list" }, log.map(step));
}

function step(event) {
  return h(
    "li",
    { class: BAD.includes(event.event) ? "step bad" : "step" },
    h("p", null, h("span", { class: "quiet numeric" }, when(event.at, "second")), " ", h("strong", null, t(`step.${event.event}`)), said(event)),
    event.report && report(event.report),
  );
}

function said({ event, why, ready, count, by, change }) {
  if (event === "initiated") return ` – ${change.justification}`;
  if (why) return ` – ${why}`;
  if (ready !== undefined) return ` – ${t("step.ready_count", { count: ready })}`;
  if (count !== undefined) return ` – ${t("step.back_to", { count })}`;
  return by === undefined ? "" : ` – ${t("step.by", { by })}`;
}

function report({ findings }) {
  const failed = findings.filter(({ verdict }) => verdict !== "pass");
  return h(
    "details",
    { class: "options-fold", open: failed.length > 0 },
    h("summary", null, t("gates.count", { passed: findings.length - failed.length, all: findings.length })),
    h("ul", { class: "gates" }, [...failed, ...findings.filter(({ verdict }) => verdict === "pass")].map(finding)),
  );
}

function finding({ gate, verdict, facts }) {
  return h("li", { class: `gate ${verdict}` }, h("strong", null, `${t(`gates.${verdict}`)}: ${gate.replaceAll("_", " ")}`), h("span", { class: "quiet" }, ` ${facts}`));
}
