// A dialog that sends something, says why it was refused, and sends it once.

import { ApiError } from "../api.js";
import { openDialog } from "../dialog.js";
import { button, h } from "../dom.js";
import { t } from "../i18n.js";
import { explain, toast } from "../notice.js";

/** `send()` resolves when it is done; what it throws is shown. */
export function ask({ title, yes, kind = "danger", body, send, done }) {
  const wrong = h("p", { class: "message error", role: "alert" });
  const submit = button(yes, { kind, type: "submit" });
  const dialog = openDialog({
    title,
    body: [body, wrong],
    actions: [button(t("cancel"), { click: () => dialog.close() }), submit],
    submit: async () => {
      submit.disabled = true;
      try {
        await send();
        dialog.close();
        toast(done);
      } catch (error) {
        submit.disabled = false;
        wrong.textContent = error instanceof ApiError ? (error.body.detail ?? explain(error)) : error.message;
      }
    },
  });
}
