// The end of the work: sign, and after that the PDF, an amendment, and every earlier version.

import * as api from "../api.js";
import { button, fill, h, icon } from "../dom.js";
import { confirmed, openDialog } from "../dialog.js";
import { t, when } from "../i18n.js";
import { announce, explain, failed, loadInto } from "../notice.js";
import { follow } from "../jobs.js";
import { FIELDS } from "../note_merge.js";
import { fullName, particulars } from "../patient_words.js";
import { emptyParts, noteReader } from "./note.js";

/** The bar under a draft: accepted codes, and "Sign". `suggestions()` and `note` are asked at the moment of signing. */
export function draftBar({ encounter, note, suggestions, signed }) {
  const codes = h("div", { class: "sign-codes" });
  const show = () => fill(codes, h("h3", { class: "small" }, t("sign.codes")), codeList(accepted(suggestions())));
  const sign = button(t("sign.open"), {
    icon: "pen",
    kind: "primary large",
    click: () => askToSign({ encounter, note, suggestions, signed }),
  });
  show();
  return {
    element: h(
      "section",
      { class: "sign-bar card", "aria-label": t("sign.title") },
      codes,
      h("div", { class: "button-row" }, versionsButton(encounter.record_id ?? note.record().id), sign),
    ),
    show,
  };
}

/** The bar under a signed note. */
export function signedBar({ record, amended, mayAmend }) {
  const pdf = button(t("report.get"), { icon: "download", kind: "primary large", click: () => makeReport(record, pdf) });
  return h(
    "section",
    { class: "sign-bar card", "aria-label": t("sign.title") },
    h(
      "div",
      { class: "sign-codes" },
      h(
        "p",
        { class: "signed-by" },
        icon("lock"),
        " ",
        t("sign.signed_by", { name: record.signed_by_name ?? "", time: when(record.signed_at) }),
      ),
      codeList(record.codes),
    ),
    h(
      "div",
      { class: "button-row" },
      versionsButton(record.id),
      mayAmend && button(t("amend"), { icon: "pen", click: () => amend(record, amended) }),
      pdf,
    ),
  );
}

function accepted(suggestions) {
  return suggestions.filter(({ decision }) => decision === "accepted");
}

function codeList(codes) {
  if (!codes?.length) return h("p", { class: "quiet small" }, t("sign.no_codes"));
  return h(
    "ul",
    { class: "code-list", role: "list" },
    codes.map(({ code, title, billable }) =>
      h(
        "li",
        null,
        h("strong", { class: "code" }, code),
        " ",
        h("span", null, title),
        !billable && h("span", { class: "quiet small" }, ` (${t("codes.not_billable")})`),
      ),
    ),
  );
}

async function askToSign({ encounter, note, suggestions, signed }) {
  if (!(await note.flush())) return failed(new api.ApiError(409, { detail: t("sign.unsaved") }));
  const pending = suggestions().filter(({ decision }) => decision === "pending").length;
  const empty = emptyParts(note.texts());
  const cautions = [
    pending > 0 && t("sign.pending", { n: pending }),
    empty.length > 0 && t("sign.empty", { parts: empty.join(", ") }),
  ].filter(Boolean);
  const problem = h("div", { role: "alert" });
  const yes = h("button", { type: "submit", class: "button primary", autofocus: true }, icon("pen"), h("span", null, t("sign.now")));
  const dialog = openDialog({
    title: t("sign.title"),
    body: [
      problem,
      h("p", null, h("strong", null, fullName(encounter.patient)), h("br"), h("span", { class: "quiet" }, particulars(encounter.patient))),
      h(
        "dl",
        { class: "sign-note" },
        FIELDS.map((field) => [
          h("dt", null, t(`note.${field}`)),
          h("dd", null, note.texts()[field].trim() || h("span", { class: "quiet" }, t("note.nothing"))),
        ]),
      ),
      h("h3", null, t("sign.codes")),
      codeList(accepted(suggestions())),
      cautions.length > 0 &&
        h(
          "ul",
          { class: "message warn cautions" },
          cautions.map((words) => h("li", null, words)),
        ),
      h("p", { class: "quiet" }, t("sign.words")),
    ],
    actions: [button(t("cancel"), { click: () => dialog.close() }), yes],
    submit: async () => {
      yes.disabled = true;
      try {
        await api.post(`/api/records/${note.record().id}/sign`, { version: note.record().version });
        dialog.close();
        signed();
      } catch (error) {
        if (error.slug === "signed") {
          // an earlier try arrived, only its answer was lost
          dialog.close();
          return signed();
        }
        yes.disabled = false;
        fill(problem, h("p", { class: "message error" }, error.slug === "stale-version" ? t("sign.stale") : explain(error)));
      }
    },
  });
}

async function amend(record, amended) {
  if (!(await confirmed({ title: t("amend"), body: t("amend.words"), yes: t("amend") }))) return;
  try {
    await api.post(`/api/records/${record.id}/amend`);
    amended();
  } catch (error) {
    if (error.slug === "not-signed") return amended();
    failed(error);
  }
}

/** Has the PDF made unless it is there already, then downloads it. */
async function makeReport(record, pdf) {
  pdf.disabled = true;
  const label = pdf.lastElementChild;
  label.textContent = t("report.making");
  const rest = () => {
    pdf.disabled = false;
    label.textContent = t("report.get");
  };
  try {
    const { job } = await api.post(`/api/records/${record.id}/report`);
    follow(job.id, {
      changed: (now) => {
        job.state = now.state;
      },
      ended: () => {
        rest();
        if (job.state === "dead") return failed(new api.ApiError(500, { detail: t("report.failed") }));
        download(`/api/records/${record.id}/report.pdf?version=${record.version}`);
        announce(t("report.done"));
      },
    });
  } catch (error) {
    rest();
    failed(error);
  }
}

function download(path) {
  const link = h("a", { href: path, download: "" });
  document.body.append(link);
  link.click();
  link.remove();
}

function versionsButton(recordId) {
  return button(t("versions.title"), { icon: "history", kind: "plain", click: () => showVersions(recordId) });
}

function showVersions(recordId) {
  const body = h("div", null);
  const dialog = openDialog({
    title: t("versions.title"),
    wide: true,
    body,
    actions: [button(t("close"), { click: () => dialog.close() })],
  });
  loadInto(body, async () => {
    const { versions } = await api.get(`/api/records/${recordId}/versions`);
    const shown = h("div", { class: "version-shown" });
    return [
      h(
        "ul",
        { class: "rows versions", role: "list" },
        [...versions]
          .sort((a, b) => b.version - a.version)
          .map((one) =>
            h(
              "li",
              { class: "row" },
              h(
                "span",
                { class: "row-main" },
                h("strong", null, t("versions.number", { number: one.version })),
                h("span", { class: "quiet" }, `${one.author_name ?? t("versions.drafted")} · ${when(one.created_at)}`),
              ),
              h(
                "span",
                { class: "row-side" },
                stateOf(one),
                button(t("versions.read"), {
                  click: async () => {
                    await loadInto(shown, () => readVersion(recordId, one.version));
                    shown.scrollIntoView({ block: "nearest" });
                  },
                }),
              ),
            ),
          ),
      ),
      shown,
    ];
  });
}

function stateOf({ state }) {
  return h("span", { class: `chip state-${state === "signed" ? "signed" : "drafted"}` }, t(`record.${state}`));
}

async function readVersion(recordId, version) {
  const record = await api.get(`/api/records/${recordId}/versions/${version}`);
  return [h("h3", null, t("versions.number", { number: version })), noteReader(record, { headed: false }), codeList(record.codes)];
}
