// What each part is to have, and what it has.

import { button, h, newId } from "../dom.js";
import * as api from "../api.js";
import { number, t } from "../i18n.js";
import { ask } from "./ask.js";

export function resources(targets) {
  if (!targets.length) return h("p", { class: "quiet" }, t("scaling.nothing"));
  return h("ul", { class: "tiles", role: "list" }, targets.map(tile));
}

function tile(target) {
  const { resource, desired, ready } = target;
  const settled = ready === desired;
  return h(
    "li",
    { class: "tile card" },
    h("h3", null, name(resource)),
    h("p", { class: "tile-number numeric" }, number(desired)),
    h("p", { class: settled ? "quiet small" : "small warn-words" }, settled ? t("scaling.all_ready") : t("scaling.ready", { ready: Math.max(0, ready), desired })),
    button(t("scaling.change"), { icon: "pen", kind: "small", "aria-label": `${t("scaling.change")}: ${name(resource)}`, click: () => change(target) }),
  );
}

/** `transcription_workers` as people say it. */
export function name(resource) {
  const words = resource.replace(/^db_/, "database_").replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function change({ resource, desired }) {
  const [countId, whyId, noteId] = [newId("count"), newId("why"), newId("note")];
  const count = h("input", { id: countId, type: "number", min: 0, step: 1, value: String(desired), required: true, autofocus: true });
  const why = h("textarea", { id: whyId, rows: 2, maxlength: 500, "aria-describedby": noteId });
  ask({
    title: t("scaling.change_title", { resource: name(resource) }),
    yes: t("scaling.change"),
    kind: "primary",
    body: [
      h("div", { class: "field" }, h("label", { for: countId }, t("scaling.count")), count),
      h("div", { class: "field" }, h("label", { for: whyId }, t("scaling.why")), why, h("p", { id: noteId, class: "field-note" }, t("scaling.why_note"))),
      h("p", { class: "quiet small" }, t("scaling.change_note")),
    ],
    send: () => {
      if (!/^\d+$/.test(count.value)) throw new Error(t("scaling.no_count"));
      return api.post("/api/scaling/changes", { resource, count: Number(count.value), reason: why.value });
    },
    done: t("scaling.begun"),
  });
}
