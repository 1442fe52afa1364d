// Short messages: seen for a while (toasts), or only heard (announcements).

import { button, fill, h, icon } from "./dom.js";
import { t } from "./i18n.js";
import { ApiError } from "./api.js";

const SHOWN_MS = 6000;

/** Says a thing to screen readers without showing it. */
export function announce(text) {
  region("announcer", { class: "spoken", role: "status", "aria-live": "polite" }).textContent = text;
}

/** Shows a short message. Errors stay until closed. */
export function toast(text, { kind = "info" } = {}) {
  const close = button(t("close"), { icon: "cross", kind: "plain only-icon", click: () => element.remove() });
  const element = h("div", { class: `toast ${kind}` }, icon(kind === "error" ? "alert" : "check"), h("p", null, text), close);
  region("toasts", { class: "toasts", role: "status", "aria-live": "polite" }).append(element);
  if (kind !== "error") setTimeout(() => element.remove(), SHOWN_MS);
}

/** An error in words for people: what happened and what to do. */
export function explain(error) {
  if (!(error instanceof ApiError)) return t("error.unexpected");
  if (error.status === 0) return t("error.unreachable");
  if (error.status === 403) return t("error.forbidden");
  if (error.status === 404) return t("error.not_found");
  if (error.status === 429) return t("error.too_many");
  if (error.status === 503) return t("error.unavailable");
  return error.body.detail ?? error.body.title ?? t("error.unexpected");
}

export function failed(error) {
  toast(explain(error), { kind: "error" });
}

/** A block that says what went wrong and, when trying again can help, offers it. */
export function errorState(error, again) {
  return h(
    "div",
    { class: "state error", role: "alert" },
    icon("alert"),
    h("p", null, explain(error)),
    again && button(t("try_again"), { icon: "again", click: again }),
  );
}

/** A block for "nothing here yet". */
export function emptyState(text, ...actions) {
  return h("div", { class: "state" }, h("p", null, text), actions);
}

/** Grey lines while something loads. */
export function skeleton(lines = 3) {
  return h(
    "div",
    { class: "skeleton", role: "status" },
    h("span", { class: "spoken" }, t("loading")),
    Array.from({ length: lines }, () => h("div", { class: "bone", "aria-hidden": "true" })),
  );
}

/** Fills `place` with what `load` makes; a skeleton before, an error with "try again" when it fails. */
export async function loadInto(place, load, lines) {
  fill(place, skeleton(lines));
  try {
    fill(place, await load());
  } catch (error) {
    fill(
      place,
      errorState(error, () => loadInto(place, load, lines)),
    );
  }
}

function region(id, attributes) {
  const found = document.getElementById(id);
  if (found) return found;
  const made = h("div", { id, ...attributes });
  document.body.append(made);
  return made;
}
