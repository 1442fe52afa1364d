// The planner, live: what was measured, the forecast, what it takes and what it costs.

import * as api from "../api.js";
import { chart } from "../capacity/chart.js";
import { amount, fan, place } from "../capacity/scale.js";
import { button, fill, h, newId } from "../dom.js";
import { t } from "../i18n.js";
import { emptyState, loadInto } from "../notice.js";
import { page } from "../shell.js";
import { table } from "../table.js";

page("capacity.title", async (main) => {
  const wishes = new URLSearchParams(location.search);
  const asked = { series: wishes.get("series") ?? "active_sessions", each: wishes.get("each") ?? "100" };
  const body = h("div", { class: "stack" });
  const ask = h("div", null);
  fill(
    main,
    h("div", { class: "wide-page stack" }, h("h1", null, t("capacity.title")), h("p", { class: "quiet" }, t("capacity.words")), ask, body),
  );
  await loadInto(body, async () => {
    const answer = await api.get(`/api/capacity?${query(asked)}`);
    fill(ask, form(answer));
    return answer.plan ? drawn(answer.plan, answer.per_instance) : emptyState(t("capacity.nothing", { why: answer.nothing }));
  });
});

function query({ series, each }) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return new URLSearchParams({ series, per_instance: each, ...(zone && { tz: zone }) });
}

/** The question stands in the address, so that it can be kept and sent. */
function form({ series, known, per_instance: each }) {
  const [what, number] = [newId("series"), newId("each")];
  const wrong = h("p", { class: "field-note wrong", role: "alert" });
  const names = known.includes(series) ? known : [series, ...known];
  const choice = h("select", { id: what, name: "series" }, names.map((name) => h("option", { value: name, selected: name === series }, name)));
  const amountOfOne = h("input", { id: number, name: "each", type: "number", min: "0", step: "any", value: String(each), required: true });
  const submit = (event) => {
    event.preventDefault();
    if (!(Number(amountOfOne.value) > 0)) return void fill(wrong, t("capacity.wrong_each"));
    location.search = new URLSearchParams({ series: choice.value, each: amountOfOne.value });
  };
  return h(
    "form",
    { class: "capacity-ask", novalidate: true, on: { submit } },
    h("div", { class: "field" }, h("label", { for: what }, t("capacity.series")), choice),
    h("div", { class: "field" }, h("label", { for: number }, t("capacity.each")), amountOfOne, wrong),
    button(t("capacity.show"), { kind: "primary", type: "submit" }),
  );
}

function drawn(plan, each) {
  return [
    figures(plan),
    [plan.notes, plan.short?.warnings, plan.long?.warnings, plan.long?.unknown].flat().filter(Boolean).map((note) => h("p", { class: "message warn" }, note)),
    plan.short ? days(plan, each) : h("p", null, t("capacity.no_days", { why: plan.no_short })),
    h("div", { class: "chart-grid" }, ["day", "week", "year"].map((cycle) => pattern(plan.analysis[cycle], cycle))),
    plan.long && months(plan),
    recommended(plan.analysis.recommended),
  ];
}

function figures({ analysis, short, long, currency }) {
  const most = long && Math.max(...long.months.map(({ instances }) => instances));
  const pairs = [
    [t("capacity.mean"), amount(analysis.mean)],
    short && [t("capacity.most"), String(short.most_instances)],
    long && [t("capacity.most_year"), String(most)],
    long && [t("capacity.cost"), `${amount(Math.round(long.total_cost))} ${currency}`],
  ];
  return h("dl", { class: "figures" }, pairs.filter(Boolean).map(([name, value]) => h("div", { class: "card" }, h("dt", null, name), h("dd", null, value))));
}

function days({ past, short }, each) {
  const rows = fan(past, short.points);
  const names = rows.places.map((at) => place(at, document.documentElement.lang));
  const points = short.points.map(({ at }) => place(at, document.documentElement.lang));
  const starts = (places) => {
    const days = places.flatMap((at, index) => (at.includes("T00:00") ? [index] : []));
    const every = Math.ceil(days.length / 7) || 1;
    return days.filter((_, index) => index % every === 0).map((index) => [index, place(places[index], document.documentElement.lang)]);
  };
  return h(
    "div",
    { class: "chart-grid" },
    chart({
      title: t("capacity.days"),
      note: t("capacity.model", { model: short.choice.chosen.replaceAll("_", " ") }),
      places: names,
      labels: starts(rows.places),
      layers: [
        { name: t("capacity.fan"), kind: "band", low: rows.low, high: rows.high },
        { name: t("capacity.p99"), kind: "line", values: rows.top, className: "p99" },
        { name: t("capacity.median"), kind: "line", values: rows.median },
        { name: t("capacity.past"), kind: "line", values: rows.past, className: "past" },
      ],
    }),
    chart({
      title: t("capacity.capacity"),
      places: points,
      labels: starts(short.points.map(({ at }) => at)),
      layers: [
        { name: t("capacity.carried"), kind: "steps", values: short.points.map(({ instances }) => instances * each) },
        { name: t("capacity.p95"), kind: "line", values: short.points.map(({ quantiles }) => quantiles[2]), className: "dashed" },
        { name: t("capacity.median"), kind: "line", values: short.points.map(({ quantiles }) => quantiles[1]) },
      ],
    }),
  );
}

function pattern(found, cycle) {
  const title = t(`capacity.${cycle}`);
  if (found.unknown) return h("figure", { class: "chart card" }, h("figcaption", null, title), h("p", { class: "quiet" }, t("capacity.unknown", { why: found.unknown })));
  const names = found.slots.map((_, at) => slot(cycle, at, found.slots.length));
  const every = cycle === "day" ? Math.ceil(names.length / 8) : 1;
  return chart({
    title,
    note: found.is_real ? null : t("capacity.flat"),
    places: names,
    labels: names.flatMap((name, at) => (at % every === 0 ? [[at, name]] : [])),
    layers: [{ name: t("capacity.mean_slot"), kind: "bars", values: found.slots.map(({ mean }) => mean), marked: found.peaks }],
  });
}

function slot(cycle, at, count) {
  const language = document.documentElement.lang;
  if (cycle === "day") return `${String(Math.floor((at * 24) / count)).padStart(2, "0")}:00`;
  // 1 January 2024 was a Monday.
  const date = cycle === "week" ? new Date(Date.UTC(2024, 0, 1 + at)) : new Date(Date.UTC(2024, at, 1));
  return date.toLocaleDateString(language, { timeZone: "UTC", ...(cycle === "week" ? { weekday: "short" } : { month: "short" }) });
}

function months({ long, currency }) {
  const names = long.months.map(({ month }) => {
    const date = new Date(`${month}T00:00:00Z`);
    return date.toLocaleDateString(document.documentElement.lang, { month: "short", year: "2-digit", timeZone: "UTC" });
  });
  const labels = names.map((name, at) => [at, name.split(" ")[0]]);
  const column = (index) => long.months.map(({ quantiles }) => quantiles[index]);
  return h(
    "div",
    { class: "chart-grid" },
    chart({
      title: t("capacity.months"),
      places: names,
      labels,
      layers: [
        { name: t("capacity.fan"), kind: "band", low: column(0), high: column(2) },
        { name: t("capacity.median"), kind: "line", values: column(1) },
      ],
    }),
    chart({
      title: `${t("capacity.cost_chart")}, ${currency}`,
      places: names,
      labels,
      layers: [{ name: currency, kind: "bars", values: long.months.map(({ cost }) => cost) }],
    }),
  );
}

function recommended(rows) {
  return table({
    caption: t("capacity.recommended"),
    rows,
    columns: [
      { title: t("capacity.resource"), cell: ({ resource }) => resource },
      { title: t("capacity.base"), numeric: true, cell: ({ base }) => String(base) },
      { title: t("capacity.peaks"), numeric: true, cell: ({ peak }) => String(peak) },
      { title: t("capacity.season"), numeric: true, cell: ({ peak_in_season: most }) => String(most) },
    ],
  });
}
