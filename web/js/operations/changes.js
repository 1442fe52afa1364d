// Changes: those under way step by step, the others as a history whose steps can be opened.

import * as api from "../api.js";
import { fill, h } from "../dom.js";
import { number, t, when } from "../i18n.js";
import { explain } from "../notice.js";
import { steps } from "./steps.js";
import { name } from "./resources.js";

const SHOWN = 20;

export function changes(all) {
  if (!all.length) return h("p", { class: "quiet" }, t("changes.none"));
  return h("ul", { class: "rows card", role: "list" }, all.slice(0, SHOWN).map((change) => h("li", null, row(change))));
}

function row(change) {
  const live = change.ended_at === null;
  const place = h("div", { class: "steps-place" }, live && steps(change.log));
  const details = h(
    "details",
    { class: "decision", open: live },
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
  details.addEventListener("toggle", async () => {
    if (!details.open || live || place.firstChild) return;
    try {
      const whole = await api.get(`/api/scaling/changes/${encodeURIComponent(change.id)}`);
      fill(place, steps(whole.log));
    } catch (error) {
      fill(place, h("p", { class: "message error" }, explain(error)));
    }
  });
  return details;
}

function kind(phase) {
  if (phase === "completed") return "active";
  if (["failed", "rolled_back"].includes(phase)) return "state-failed";
  return phase === "superseded" ? "" : "locked";
}
