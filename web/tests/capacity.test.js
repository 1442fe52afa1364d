import assert from "node:assert/strict";
import { test } from "node:test";

import { amount, band, fan, line, place, steps, ticks } from "../js/capacity/scale.js";

test("ticks are round, start at 0 and reach over the highest value", () => {
  assert.deepEqual(ticks(100), [0, 50, 100]);
  assert.deepEqual(ticks(7), [0, 2, 4, 6, 8]);
  for (const highest of [0.013, 1, 39.9, 1234567, NaN, 0]) {
    const marks = ticks(highest);
    assert.equal(marks[0], 0);
    assert.ok(marks.at(-1) >= (highest || 0) && marks.length >= 2 && marks.length <= 6, `${highest}: ${marks}`);
  }
});

test("a line has a gap where a value is not known", () => {
  const same = (value) => value;
  assert.equal(line([1, NaN, 3, 4], same, same), "M0.5 1M2.5 3L3.5 4");
  assert.equal(steps([1, 2], same, same), "M0 1H1L1 2H2");
});

test("a band goes there along the top and back along the bottom", () => {
  const same = (value) => value;
  assert.equal(band([1, 1], [2, 3], same, same), "M0.5 2L1.5 3L1.5 1L0.5 1Z");
  assert.equal(band([NaN], [NaN], same, same), "");
});

test("the fan begins where what was measured ends", () => {
  const points = [{ at: "2026-03-02T14:00:00", quantiles: [1, 2, 3, 4] }];
  const rows = fan([["2026-03-02T12:00:00", 5], ["2026-03-02T13:00:00", null]], points);
  assert.deepEqual(rows.past, [5, NaN, NaN]);
  assert.deepEqual(rows.high, [NaN, NaN, 3]);
  assert.equal(rows.places.length, 3);
});

test("amounts and places are short", () => {
  assert.deepEqual([1234.4, 12.34, 0.5, 3, NaN].map(amount), ["1,234", "12.3", "0.50", "3", ""]);
  assert.equal(place("2026-03-02T14:00:00"), "Mon 2 Mar, 14:00");
  assert.equal(place("2026-03-02T00:00:00"), "Mon 2 Mar");
});
