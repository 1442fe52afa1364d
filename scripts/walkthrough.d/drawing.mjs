// Charts below each other over one time axis, as an SVG file that needs nothing else.

import { path, ticks } from "../../web/js/chart_scale.js";

const WIDTH = 860;
const PANEL = 150;
const PAD = { left: 56, right: 16, top: 44, gap: 34, bottom: 30 };

/** `panels` are [{label, lines: [{points: [[seconds, value]], className: "a"|"b"|"c"}], step}]. */
export function drawing({ title, from, to, panels }) {
  const height = PAD.top + panels.length * (PANEL + PAD.gap) - PAD.gap + PAD.bottom;
  const x = (at) => PAD.left + ((at - from) / (to - from)) * (WIDTH - PAD.left - PAD.right);
  const body = panels.map((panel, index) => drawPanel(panel, PAD.top + index * (PANEL + PAD.gap), x)).join("");
  const minutes = ticks((to - from) / 60, 8).filter((minute) => from + minute * 60 <= to);
  const axis = minutes.map((minute) => text(x(from + minute * 60), height - 8, `${minute} min`, "middle")).join("");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}">
<style>
text { font: 12px system-ui, "Liberation Sans", sans-serif; fill: #54625f }
.title { font-size: 15px; font-weight: 600; fill: #16211f }
.label { font-weight: 600; fill: #16211f }
.grid { stroke: #dde3e1 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.a { stroke: #0072b2 } .b { stroke: #d55e00; stroke-dasharray: 6 3 } .c { stroke: #009e73 }
</style>
<rect width="100%" height="100%" fill="#ffffff"/>
<text class="title" x="${PAD.left}" y="20">${title}</text>
${body}${axis}
</svg>
`;
}

function drawPanel({ label, lines, step }, top, x) {
  const highest = Math.max(0, ...lines.flatMap(({ points }) => points.map(([, value]) => value)));
  const levels = ticks(highest);
  const y = (value) => top + PANEL - (value / levels.at(-1)) * PANEL;
  const grid = levels.map(
    (level) => `<path class="grid" d="M${PAD.left} ${y(level)}H${WIDTH - PAD.right}"/>${text(PAD.left - 8, y(level) + 4, level, "end")}`,
  );
  const drawn = lines.map(({ points, className }) => `<path class="line ${className}" d="${path(points, x, y, { step })}"/>`);
  return `<text class="label" x="${PAD.left}" y="${top - 8}">${label}</text>${grid.join("")}${drawn.join("")}\n`;
}

function text(x, y, words, anchor) {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${words}</text>`;
}
