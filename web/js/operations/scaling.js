// Scaling, live: the state comes by a stream, the charts' lines are asked for every few seconds.

import * as api from "../api.js";
import { lines } from "../chart.js";
import { fill, h, newId } from "../dom.js";
import { t, when } from "../i18n.js";
import { loadInto } from "../notice.js";
import { changes } from "./changes.js";
import { decision } from "./decision.js";
import { emergency, isOver } from "./emergency.js";
import { instances } from "./instances.js";
import { resources } from "./resources.js";

const LINES_EVERY_MS = 5000;
const WINDOWS = [15, 60, 360, 1440, 10_080];

export function scaling() {
  const place = h("div", { class: "stack-large" });
  loadInto(place, () => start(place), 6);
  return place;
}

async function start() {
  const parts = Object.fromEntries(
    ["leader", "policies", "emergency", "resources", "charts", "decision", "changes", "instances"].map((name) => [name, h("div", null)]),
  );
  const view = { minutes: WINDOWS[0], parts };
  const first = await api.get(`/api/scaling?minutes=${view.minutes}`);
  draw(view, first);
  drawCharts(view, first);
  listen(view);
  setInterval(() => document.visibilityState === "visible" && refresh(view), LINES_EVERY_MS);
  const section = (key, part, ...more) => h("section", { class: "stack" }, h("div", { class: "section-head" }, h("h2", null, t(key)), more), part);
  return [
    parts.leader,
    parts.policies,
    parts.emergency,
    section("scaling.runs", parts.resources),
    section("scaling.sees", parts.charts, windowChoice(view)),
    section("scaling.decided", parts.decision),
    section("scaling.changes", parts.changes),
    section("scaling.instances", parts.instances),
  ];
}

/** A part is drawn anew only when what it shows has changed: a menu that is open and a text that is read stay as they are. */
function draw(view, state) {
  const { parts } = view;
  const shown = (part, ...inputs) => {
    const now = JSON.stringify(inputs);
    if (part.shown === now) return false;
    part.shown = now;
    return true;
  };
  if (shown(parts.leader, state.leader)) fill(parts.leader, leader(state.leader));
  if (shown(parts.policies, state.policies_refused)) fill(parts.policies, policies(state.policies_refused));
  if (shown(parts.emergency, state.emergency, state.scenarios, isOver(state.emergency))) fill(parts.emergency, emergency(state));
  if (shown(parts.resources, state.targets)) fill(parts.resources, resources(state.targets));
  if (shown(parts.decision, state.decision)) fill(parts.decision, decision(state.decision));
  if (shown(parts.changes, state.changes)) changes(parts.changes, state.changes);
  if (shown(parts.instances, state.instances)) fill(parts.instances, instances(state.instances));
}

function leader(holder) {
  if (holder) return h("p", { class: "quiet" }, t("scaling.leader", { holder }));
  return h("p", { class: "message warn", role: "status" }, t("scaling.no_leader"));
}

function policies(refused) {
  return refused ? h("p", { class: "message warn", role: "status" }, t("scaling.policies_refused", { why: refused })) : [];
}

function listen(view) {
  const stream = new EventSource("/api/scaling/events");
  stream.addEventListener("scaling", ({ data }) => draw(view, JSON.parse(data)));
  // While it is away the browser tries again by itself; the charts' question finds out if nobody is signed in any more.
  addEventListener("pagehide", () => stream.close());
}

async function refresh(view) {
  try {
    const state = await api.get(`/api/scaling?minutes=${view.minutes}`);
    draw(view, state);
    drawCharts(view, state);
  } catch {
    // Shown by the banner when offline; the next round tries again.
  }
}

function windowChoice(view) {
  const id = newId("window");
  const choice = h(
    "select",
    {
      id,
      on: {
        change: () => {
          view.minutes = Number(choice.value);
          refresh(view);
        },
      },
    },
    WINDOWS.map((minutes) => h("option", { value: minutes }, t(`scaling.window.${minutes}`))),
  );
  return h("div", { class: "inline-field" }, h("label", { for: id }, t("scaling.window")), choice);
}

const CHARTS = [
  {
    key: "scaling.chart.transcription",
    lines: [
      ["transcription_queue", "scaling.line.waiting"],
      ["transcription_workers.desired", "scaling.line.desired", true],
      ["transcription_workers.ready", "scaling.line.ready", true],
    ],
  },
  {
    key: "scaling.chart.diagnosis",
    lines: [
      ["diagnosecode_queue", "scaling.line.waiting"],
      ["diagnosis_workers.desired", "scaling.line.desired", true],
      ["diagnosis_workers.ready", "scaling.line.ready", true],
    ],
  },
  {
    key: "scaling.chart.machine",
    unit: " %",
    lines: [
      ["cpu_usage", "scaling.line.cpu"],
      ["memory_usage", "scaling.line.memory"],
    ],
  },
  {
    key: "scaling.chart.people",
    lines: [
      ["active_sessions", "scaling.line.sessions"],
      ["db_connections.desired", "scaling.line.connections", true],
    ],
  },
];

/** A finger leaves its hover behind where it last was. */
const READ = matchMedia("(hover: hover)").matches ? "svg:hover, svg:focus" : "svg:focus";

function drawCharts(view, { at, series }) {
  if (view.parts.charts.querySelector(READ)) return; // it is being read
  const to = Math.floor(new Date(at).getTime() / 1000);
  const from = to - view.minutes * 60;
  fill(
    view.parts.charts,
    h(
      "div",
      { class: "charts" },
      CHARTS.map(({ key, unit, lines: wanted }) =>
        lines({
          title: t(key),
          unit,
          from,
          to,
          series: wanted.map(([name, word, step]) => ({ name: t(word), points: series[name] ?? [], step })),
        }),
      ),
    ),
    h("p", { class: "quiet small" }, t("scaling.as_of", { time: when(at, "second") })),
  );
}
