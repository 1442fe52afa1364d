// Dead jobs, and putting them back.

import * as api from "../api.js";
import { button, h } from "../dom.js";
import { t, when } from "../i18n.js";
import { emptyState, failed, loadInto, toast } from "../notice.js";
import { table } from "../table.js";

/** A section that loads itself. */
export function deadJobs() {
  const place = h("div", null);
  loadInto(place, () => dead(place), 2);
  return h("section", { class: "stack" }, h("h2", null, t("operations.dead")), h("p", { class: "quiet" }, t("operations.words")), place);
}

async function dead(place) {
  const { jobs } = await api.get("/api/jobs?state=dead");
  if (!jobs.length) return emptyState(t("operations.none"));
  return table({
    caption: t("operations.dead"),
    rows: jobs,
    columns: [
      { title: t("operations.job"), cell: ({ id }) => h("code", null, id) },
      { title: t("operations.queue"), cell: ({ queue }) => queue },
      { title: t("operations.attempts"), numeric: true, cell: ({ attempt, max_attempts }) => `${attempt} / ${max_attempts}` },
      { title: t("operations.error"), cell: ({ last_error }) => last_error ?? "" },
      { title: t("operations.when"), numeric: true, cell: ({ updated_at }) => when(updated_at) },
      { title: t("admin.actions"), cell: (job) => redrive(job, place) },
    ],
  });
}

function redrive(job, place) {
  const again = button(t("operations.redrive"), {
    icon: "again",
    kind: "small",
    "aria-label": `${t("operations.redrive")}: ${job.queue} ${job.id}`,
    click: async () => {
      again.disabled = true;
      try {
        await api.post(`/api/jobs/${encodeURIComponent(job.id)}/redrive`);
        toast(t("operations.redriven"));
        await loadInto(place, () => dead(place));
      } catch (error) {
        again.disabled = false;
        failed(error);
      }
    },
  });
  return again;
}
