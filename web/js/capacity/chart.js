// A chart as a figure: SVG with axis and legend, and its data as a table for those who don't see it.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { table } from "../table.js";
import { amount, band, line, steps, ticks } from "./scale.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [640, 240, 56, 8, 10, 28];

/**
 * `layers` are [{name, kind: "bars" | "line" | "steps" | "band", values | low, high, className, marked}];
 * `labels` say which places are written under the axis, as [[place, text]].
 */
export function chart({ title, note, places, labels, layers }) {
  const values = layers.flatMap(({ values, high }) => values ?? high).filter(Number.isFinite);
  const marks = ticks(1.04 * Math.max(0, ...values));
  const x = (at) => LEFT + ((WIDTH - LEFT - RIGHT) * at) / Math.max(1, places.length);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.min(value, marks.at(-1)) / marks.at(-1));
  return h(
    "figure",
    { class: "chart card" },
    h("figcaption", null, title),
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title },
      marks.map((mark) => [
        svg("path", { class: "grid", d: `M${LEFT} ${y(mark)}H${WIDTH - RIGHT}` }),
        svg("text", { x: LEFT - 6, y: y(mark) + 4, "text-anchor": "end" }, amount(mark)),
      ]),
      labels.map(([at, text]) => below(x(at + 0.5), text)),
      layers.map((layer) => draw(layer, x, y)),
    ),
    h("ul", { class: "legend" }, layers.map(legend)),
    note && h("p", { class: "quiet" }, note),
    asTable(title, places, layers),
  );
}

/** A label under the axis, of which nothing is cut off at the right. */
function below(place, text) {
  const atEdge = place > WIDTH - RIGHT - 30;
  return svg("text", { x: atEdge ? WIDTH : place, y: HEIGHT - 8, "text-anchor": atEdge ? "end" : "middle" }, text);
}

function draw({ kind, values, low, high, className = "", marked = [] }, x, y) {
  if (kind === "bars") {
    const width = x(1) - x(0);
    return values.map((value, at) =>
      svg("rect", {
        class: marked.includes(at) ? "bar peak" : "bar",
        x: x(at) + 0.12 * width,
        width: 0.76 * width,
        y: y(value),
        height: Math.max(0, HEIGHT - BOTTOM - y(value)),
      }),
    );
  }
  if (kind === "band") return svg("path", { class: "band", d: band(low, high, x, y) });
  const path = kind === "steps" ? steps(values, x, y) : line(values, x, y);
  return svg("path", { class: `line ${kind === "steps" ? "steps" : ""} ${className}`, d: path });
}

function legend({ name, kind, className = "", marked = [] }) {
  const swatch = (shape) => svg("svg", { viewBox: "0 0 32 16", "aria-hidden": "true" }, shape);
  const area = (of) => swatch(svg("rect", { class: of, width: 32, height: 16 }));
  const stroke = () => swatch(svg("path", { class: `line ${kind === "steps" ? "steps" : ""} ${className}`, d: "M0 8H32" }));
  return [
    h("li", null, kind === "bars" ? area("bar") : kind === "band" ? area("band") : stroke(), name),
    marked.length > 0 && h("li", null, area("bar peak"), t("capacity.peak")),
  ];
}

function asTable(title, places, layers) {
  const columns = layers.flatMap(({ name, values, low, high }) =>
    values ? [[name, values]] : [[`${name}: P5`, low], [`${name}: P95`, high]],
  );
  const rows = places.map((place, at) => ({ place, at }));
  return h(
    "details",
    null,
    h("summary", null, t("capacity.data")),
    table({
      caption: title,
      rows,
      columns: [
        { title: t("capacity.when"), cell: ({ place }) => place },
        ...columns.map(([name, values]) => ({ title: name, numeric: true, cell: ({ at }) => amount(values[at]) })),
      ],
    }),
  );
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat(Infinity));
  return element;
}
