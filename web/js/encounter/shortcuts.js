// Keys for going through suggestions. They can be switched off, as people who speak to their computer need.

import { button, h, newId } from "../dom.js";
import { openDialog } from "../dialog.js";
import { t } from "../i18n.js";

const SWITCH = "hysio-shortcuts";
const KEYS = ["j", "k", "a", "r", "p", "?"];

/** `act` maps a key to what it does; "?" shows this list. */
export function listen(act) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || writing(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "?") return consumed(event, help);
    if (enabled() && event.key in act) consumed(event, act[event.key]);
  });
}

/** The list of keys, and the switch. */
export function help() {
  const id = newId("switch");
  const box = h("input", { type: "checkbox", id, on: { change: () => localStorage.setItem(SWITCH, box.checked ? "on" : "off") } });
  box.checked = enabled();
  const dialog = openDialog({
    title: t("keys.title"),
    body: [
      h(
        "dl",
        { class: "keys" },
        KEYS.map((key) => [h("dt", null, h("kbd", null, key)), h("dd", null, t(`keys.${key}`))]),
      ),
      h("p", { class: "check" }, box, h("label", { for: id }, t("keys.switch"))),
    ],
    actions: [button(t("close"), { kind: "primary", autofocus: true, click: () => dialog.close() })],
  });
}

function enabled() {
  return localStorage.getItem(SWITCH) !== "off";
}

function writing(target) {
  return (
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    target.isContentEditable ||
    (target instanceof HTMLInputElement && !["checkbox", "button"].includes(target.type))
  );
}

function consumed(event, act) {
  event.preventDefault();
  act();
}
