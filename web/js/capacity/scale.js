// The arithmetic of charts. Pure.

/** Ticks from 0 in steps of 1, 2 or 5 times a power of ten, up to and over `highest`. */
export function ticks(highest) {
  const most = highest > 0 && Number.isFinite(highest) ? highest : 1;
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((it) => it * power).find((it) => it >= rough * (1 - 1e-9));
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, at) => at * step);
}

/** An SVG path through values at equal distances; what is not known leaves a gap. */
export function line(values, x, y) {
  let path = "";
  let penIsDown = false;
  values.forEach((value, at) => {
    const known = Number.isFinite(value);
    if (known) path += `${penIsDown ? "L" : "M"}${round(x(at + 0.5))} ${round(y(value))}`;
    penIsDown = known;
  });
  return path;
}

/** Each value for the whole of its place. */
export function steps(values, x, y) {
  let path = "";
  let penIsDown = false;
  values.forEach((value, at) => {
    const known = Number.isFinite(value);
    if (known) path += `${penIsDown ? "L" : "M"}${round(x(at))} ${round(y(value))}H${round(x(at + 1))}`;
    penIsDown = known;
  });
  return path;
}

/** The area between two rows of values, over the places where both are known. */
export function band(low, high, x, y) {
  const known = low.map((value, at) => at).filter((at) => Number.isFinite(low[at]) && Number.isFinite(high[at]));
  if (!known.length) return "";
  const point = (at, value) => `${round(x(at + 0.5))} ${round(y(value))}`;
  const there = known.map((at) => point(at, high[at]));
  const back = known.toReversed().map((at) => point(at, low[at]));
  return `M${[...there, ...back].join("L")}Z`;
}

/** Three digits that matter. */
export function amount(value) {
  if (!Number.isFinite(value)) return "";
  const digits = Math.abs(value) >= 100 || value === Math.round(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The fan of a forecast behind what was measured: rows of one length, with gaps where one does not apply. */
export function fan(past, points) {
  const before = past.map(([, value]) => value ?? NaN);
  const gap = (count) => Array(count).fill(NaN);
  const ahead = (index) => [...gap(before.length), ...points.map(({ quantiles }) => quantiles[index])];
  return {
    places: [...past.map(([at]) => at), ...points.map(({ at }) => at)],
    past: [...before, ...gap(points.length)],
    low: ahead(0),
    median: ahead(1),
    high: ahead(2),
    top: ahead(3),
  };
}

/** "2026-03-02T14:00:00" as "Mon 2 Mar, 14:00" in the reader's language; the day alone at midnight. */
export function place(at, language = "en") {
  const [day, time = ""] = at.split("T");
  const date = new Date(`${day}T00:00:00Z`);
  const words = date.toLocaleDateString(language === "nl" ? "nl-NL" : "en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
  return time.startsWith("00:00") || !time ? words : `${words}, ${time.slice(0, 5)}`;
}

function round(value) {
  return Math.round(value * 10) / 10;
}
