// The audit trail and whether it is whole.

import * as api from "../api.js";
import { button, fill, h, icon } from "../dom.js";
import { t, when } from "../i18n.js";
import { emptyState, failed, loadInto } from "../notice.js";
import { page } from "../shell.js";
import { table } from "../table.js";

page("audit.title", async (main) => {
  const verdict = h("div", null);
  const entries = h("div", { class: "stack" });
  const check = button(t("audit.check"), { icon: "again", click: () => loadInto(verdict, verification, 1) });
  fill(
    main,
    h("div", { class: "wide-page stack" }, h("div", { class: "title-row" }, h("h1", null, t("audit.title")), check), verdict, entries),
  );
  await Promise.all([loadInto(verdict, verification, 1), loadInto(entries, () => firstEntries(entries), 6)]);
});

async function verification() {
  const { ok, size, root, checked_at, findings } = await api.get("/api/audit/verification");
  return h(
    "div",
    { class: `message ${ok ? "good" : "error"}`, role: "status" },
    icon(ok ? "check" : "alert"),
    h(
      "div",
      null,
      h("p", null, h("strong", null, t(ok ? "audit.ok" : "audit.broken", { size }))),
      findings.length > 0 &&
        h(
          "ul",
          null,
          findings.map((finding) => h("li", null, asText(finding))),
        ),
      h(
        "p",
        { class: "small" },
        t("audit.root"),
        " ",
        h("code", { class: "breakable" }, root ?? "–"),
        " · ",
        t("audit.checked", { time: when(checked_at) }),
      ),
    ),
  );
}

async function firstEntries(place) {
  const { entries, next_cursor } = await api.get("/api/audit");
  if (!entries.length) return emptyState(t("audit.none"));
  return [entryTable(entries), more(place, next_cursor)];
}

function more(place, cursor) {
  if (!cursor) return null;
  const next = button(t("more"), {
    click: async () => {
      next.disabled = true;
      try {
        const page = await api.get(`/api/audit?cursor=${encodeURIComponent(cursor)}`);
        next.replaceWith(...[entryTable(page.entries), more(place, page.next_cursor)].filter(Boolean));
      } catch (error) {
        next.disabled = false;
        failed(error);
      }
    },
  });
  return next;
}

function entryTable(rows) {
  return table({
    caption: t("audit.title"),
    rows,
    columns: [
      { title: t("audit.leaf"), numeric: true, cell: ({ leaf_index }) => String(leaf_index ?? "–") },
      { title: t("audit.at"), numeric: true, cell: ({ at }) => when(at) },
      { title: t("audit.actor"), cell: ({ actor }) => asText(actor) },
      { title: t("audit.action"), cell: ({ action }) => action },
      {
        title: t("audit.resource"),
        cell: ({ resource, resource_id }) => [resource, resource_id].filter((part) => part !== null && part !== undefined).join(" "),
      },
      { title: t("audit.outcome"), cell: ({ outcome }) => asText(outcome) },
      {
        title: t("audit.details"),
        cell: ({ details }) => h("span", { class: "small quiet breakable" }, details && Object.keys(details).length ? asText(details) : ""),
      },
    ],
  });
}

function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}
