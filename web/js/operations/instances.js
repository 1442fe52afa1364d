// Every process that runs, by its own word.

import { h } from "../dom.js";
import { number, t, when } from "../i18n.js";
import { table } from "../table.js";
import { bytes } from "../time.js";

export function instances(all) {
  if (!all.length) return h("p", { class: "quiet" }, t("instances.none"));
  return table({
    caption: t("scaling.instances"),
    rows: all,
    columns: [
      { title: t("instances.service"), cell: ({ service, resource }) => (resource ? `${service} (${resource.replaceAll("_", " ")})` : service) },
      { title: t("instances.process"), cell: ({ host, pid }) => h("code", null, `${host}/${pid}`) },
      { title: t("instances.state"), cell: state },
      { title: t("instances.busy"), numeric: true, cell: ({ busy }) => number(busy) },
      { title: t("instances.cpu"), numeric: true, cell: ({ cpu_percent: cpu }) => (cpu === null ? "–" : `${number(cpu)} %`) },
      { title: t("instances.memory"), numeric: true, cell: ({ memory_bytes: memory }) => (memory === null ? "–" : bytes(memory)) },
      { title: t("instances.since"), numeric: true, cell: ({ started_at }) => when(started_at) },
    ],
  });
}

function state({ ready, leaving, trouble }) {
  if (trouble) return h("span", { class: "chip state-failed" }, trouble);
  if (leaving) return h("span", { class: "chip locked" }, t("instances.leaving"));
  return ready ? h("span", { class: "chip active" }, t("instances.ready")) : h("span", { class: "chip locked" }, t("instances.starting"));
}
