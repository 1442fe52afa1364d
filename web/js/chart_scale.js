// Where things of a chart go. Pure: numbers in, numbers and text out.

/** Round values from 0 to at least `highest`, about `wanted` of them. */
export function ticks(highest, wanted = 4) {
  const top = Number.isFinite(highest) && highest > 0 ? highest : 1;
  const rough = top / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough - 1e-12);
  const count = Math.ceil(top / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, n) => Number((n * step).toPrecision(12)));
}

const STEPS = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

/** Whole local moments between two instants (seconds since 1970), about `wanted` of them. */
export function moments(from, to, wanted = 6, offset = localOffset(to)) {
  const span = Math.max(1, to - from);
  const step = STEPS.find((seconds) => span / seconds <= wanted) ?? 86_400 * Math.ceil(span / 86_400 / wanted);
  const first = Math.ceil((from + offset) / step) * step - offset;
  const found = [];
  for (let at = first; at <= to; at += step) found.push(at);
  return found;
}

function localOffset(seconds) {
  return -new Date(seconds * 1000).getTimezoneOffset() * 60;
}

/**
 * An SVG path through points [seconds, value]. A step keeps each value until the next. Where nothing was measured for
 * longer than `gap` seconds, the line is broken rather than invented.
 */
export function path(points, x, y, { step = false, gap = Infinity } = {}) {
  let text = "";
  let before;
  for (const [at, value] of points) {
    const broken = before === undefined || at - before[0] > gap;
    const [px, py] = [x(at).toFixed(1), y(value).toFixed(1)];
    if (broken) text += `M${px} ${py}`;
    else text += step ? `H${px}V${py}` : `L${px} ${py}`;
    before = [at, value];
  }
  return text;
}

/** The last value measured at or before a moment, or undefined. */
export function valueAt(points, seconds) {
  let found;
  for (const [at, value] of points) {
    if (at > seconds) break;
    found = value;
  }
  return found;
}
