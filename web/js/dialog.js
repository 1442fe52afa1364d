// Modal dialogs on the native <dialog>: focus trap, Escape and inertness come from the browser.

import { button, h, newId } from "./dom.js";
import { t } from "./i18n.js";

/**
 * Opens a dialog; it leaves the page when closed and focus returns to where it was.
 * With `submit`, body and actions stand in a form and submit() decides when to close.
 */
export function openDialog({ title, body, actions, onClose, submit, wide = false }) {
  const titleId = newId("dialog");
  const cross = button(t("close"), { icon: "cross", kind: "plain only-icon", click: () => element.close() });
  const content = [h("div", { class: "dialog-body" }, body), h("footer", { class: "dialog-actions" }, actions)];
  const element = h(
    "dialog",
    { class: `dialog${wide ? " wide" : ""}`, "aria-labelledby": titleId },
    h("header", { class: "dialog-head" }, h("h2", { id: titleId }, title), cross),
    submit
      ? h(
          "form",
          {
            novalidate: true,
            on: {
              submit: (event) => {
                event.preventDefault();
                submit(event);
              },
            },
          },
          content,
        )
      : content,
  );
  element.addEventListener("close", () => {
    element.remove();
    onClose?.();
  });
  document.body.append(element);
  element.showModal();
  element.querySelector("[autofocus]")?.focus();
  return { element, close: () => element.close() };
}

/** Asks before something that can't be undone; resolves to whether the answer was yes. */
export function confirmed({ title, body, yes, no = t("cancel"), danger = false }) {
  return new Promise((resolve) => {
    let answer = false;
    const dialog = openDialog({
      title,
      body: h("p", null, body),
      actions: [
        button(no, { click: () => dialog.close() }),
        button(yes, {
          kind: danger ? "danger" : "primary",
          autofocus: !danger,
          click: () => {
            answer = true;
            dialog.close();
          },
        }),
      ],
      onClose: () => resolve(answer),
    });
  });
}
