// Changes: those under way step by step, the others as a history whose steps can be opened.

import * as api from "../api.js";
import { fill, h } from "../dom.js";
import { number, t, when } from "../i18n.js";
import { explain } from "../notice.js";
import { steps } from "./steps.js";
import { name } from "./resources.js";

const SHOWN = 20;

/** Draws them into `place`; the ones that somebody has opened stay open. */
export function changes(place, all) {
  const open = new Set([...place.querySelectorAll("details.change[open]")].map(({ dataset }) => dataset.id));
  if (!all.length) return fill(place, h("p", { class: "quiet" }, t("changes.none")));
  return fill(place, h("ul", { class: "rows card", role: "list" }, all.slice(0, SHOWN).map((change) => h("li", null, row(change, open.has(change.id))))));
}

function row(change, wasOpen) {
  const live = change.ended_at === null;
  const place = h("div", { class: "steps-place" }, live && steps(change.log));
  const details = h(
    "details",
    { class: "decision change", "data-id": change.id, open: live || wasOpen },
    h(
      "summary",
      { class: "row" },
      h(
        "span",
        { class: "row-main" },
        h("strong", null, `${name(change.resource)}: ${number(change.old)} → ${number(change.new)}`),
        h("span", { class: "quiet" }, `${change.justification} · ${change.user}`),
      ),
      h("span", { class: "row-side" }, h("span", { class: `chip ${kind(change.phase)}` }, t(`phase.${change.phase}`)), h("span", { class: "quiet numeric" }, when(change.begun_at, "moment"))),
    ),
    place,
  );
  const load = async () => {
    if (!details.open || live || place.firstChild) return;
    try {
      const whole = await api.get(`/api/scaling/changes/${encodeURIComponent(change.id)}`);
      fill(place, steps(whole.log));
    } catch (error) {
      fill(place, h("p", { class: "message error" }, explain(error)));
    }
  };
  details.addEventListener("toggle", load);
  return details;
}

function kind(phase) {
  if (phase === "completed") return "active";
  if (["failed", "rolled_back"].includes(phase)) return "state-failed";
  return phase === "superseded" ? "" : "locked";
}
