// Lines over time, as SVG. Told apart by dashes as well as by colours; read out under the pointer, the finger or the arrow keys.

import { moments, path, ticks, valueAt } from "./chart_scale.js";
import { fill, h, newId } from "./dom.js";
import { number, t, when } from "./i18n.js";

const WIDTH = 640;
const HEIGHT = 200;
const PAD = { left: 44, right: 10, top: 10, bottom: 24 };
const DAY = 86_400;

/** `series` are [{name, points: [[seconds, value]], step}]; what has no points is left out. */
export function lines({ title, series, from, to, unit = "" }) {
  const drawn = series.filter(({ points }) => points.length > 0);
  const highest = Math.max(0, ...drawn.flatMap(({ points }) => points.map(([, value]) => value)));
  const levels = ticks(highest);
  const top = levels.at(-1);
  const x = (at) => PAD.left + ((at - from) / Math.max(1, to - from)) * (WIDTH - PAD.left - PAD.right);
  const y = (value) => HEIGHT - PAD.bottom - (value / top) * (HEIGHT - PAD.top - PAD.bottom);
  const titleId = newId("chart");
  const readout = h("dl", { class: "chart-legend" });
  const cursor = svg("line", { class: "chart-cursor", y1: PAD.top, y2: HEIGHT - PAD.bottom, x1: -10, x2: -10 });
  const gap = Math.max(15, ((to - from) / 300) * 4);
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: "0", "aria-label": spokenSummary(title, drawn, unit) },
    levels.map((level) => [
      svg("line", { class: "chart-grid", x1: PAD.left, x2: WIDTH - PAD.right, y1: y(level), y2: y(level) }),
      svg("text", { class: "chart-label", x: PAD.left - 6, y: y(level) + 4, "text-anchor": "end" }, number(level)),
    ]),
    moments(from, to).map((at) =>
      svg("text", { class: "chart-label", x: x(at), y: HEIGHT - 6, "text-anchor": "middle" }, moment(at, to - from)),
    ),
    drawn.map(({ points, step }, index) => svg("path", { class: `chart-line line-${index}`, d: path(points, x, y, { step, gap }) })),
    cursor,
  );
  const show = (at) => {
    const place = at === undefined ? -10 : x(at);
    cursor.setAttribute("x1", place);
    cursor.setAttribute("x2", place);
    fill(
      readout,
      drawn.map(({ name, points }, index) => {
        const value = at === undefined ? points.at(-1)[1] : valueAt(points, at);
        return h(
          "div",
          null,
          h("dt", null, svg("svg", { class: "chart-key", viewBox: "0 0 24 8", "aria-hidden": "true" }, svg("path", { class: `chart-line line-${index}`, d: "M0 4H24" })), name),
          h("dd", { class: "numeric" }, value === undefined ? "–" : `${number(value)}${unit}`),
        );
      }),
      h("div", { class: "chart-when quiet" }, at === undefined ? t("chart.now") : moment(at, 0)),
    );
  };
  follow(picture, { x, from, to, show });
  show(undefined);
  return h("figure", { class: "chart card", "aria-labelledby": titleId }, h("figcaption", { id: titleId }, title), drawn.length ? [picture, readout] : h("p", { class: "quiet" }, t("chart.empty")));
}

/** Pointer and arrow keys move the cursor. */
function follow(picture, { x, from, to, show }) {
  let at;
  const place = (seconds) => {
    at = Math.min(to, Math.max(from, seconds));
    show(at);
  };
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const inside = ((event.clientX - box.left) / box.width) * WIDTH;
    place(from + ((inside - PAD.left) / (WIDTH - PAD.left - PAD.right)) * (to - from));
  });
  const leave = () => {
    at = undefined;
    show(undefined);
  };
  picture.addEventListener("pointerleave", leave);
  picture.addEventListener("blur", leave);
  picture.addEventListener("keydown", (event) => {
    const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!direction) return;
    event.preventDefault();
    place((at ?? to) + (direction * (to - from)) / 60);
  });
}

function spokenSummary(title, drawn, unit) {
  const words = drawn.map(({ name, points }) =>
    t("chart.spoken", { name, now: `${number(points.at(-1)[1])}${unit}`, most: `${number(Math.max(...points.map(([, value]) => value)))}${unit}` }),
  );
  return [title, ...words].join(". ");
}

function moment(seconds, span) {
  return when(new Date(seconds * 1000), span > 2 * DAY ? "weekday" : "time");
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat(Infinity));
  return element;
}
