import assert from "node:assert/strict";
import { test } from "node:test";

import { moments, path, ticks, valueAt } from "../js/chart_scale.js";

test("ticks are round, begin at nothing and reach the highest value", () => {
  assert.deepEqual(ticks(10), [0, 5, 10]);
  assert.deepEqual(ticks(3), [0, 1, 2, 3]);
  assert.deepEqual(ticks(0.3), [0, 0.1, 0.2, 0.3]);
  assert.deepEqual(ticks(0), ticks(NaN));
  for (let highest = 1; highest < 5000; highest += 7) {
    const found = ticks(highest);
    assert.ok(found.at(-1) >= highest && found.length <= 6 && found[0] === 0, `${highest}: ${found}`);
  }
});

test("moments are whole ones within the window, in the local time", () => {
  const from = Date.UTC(2026, 0, 1, 10, 2) / 1000;
  assert.deepEqual(
    moments(from, from + 900, 6, 0).map((at) => new Date(at * 1000).toISOString().slice(11, 16)),
    ["10:05", "10:10", "10:15"],
  );
  // A day in a zone that is half an hour off: every moment is whole there.
  for (const at of moments(from, from + 86_400, 6, 19_800)) assert.equal((at + 19_800) % 3600, 0);
  assert.ok(moments(from, from + 7 * 86_400).length <= 8);
});

test("a path keeps steps, and breaks where nothing was measured", () => {
  const same = (n) => n;
  assert.equal(path([[0, 1], [1, 2]], same, same), "M0.0 1.0L1.0 2.0");
  assert.equal(path([[0, 1], [1, 2]], same, same, { step: true }), "M0.0 1.0H1.0V2.0");
  assert.equal(path([[0, 1], [9, 2]], same, same, { gap: 5 }), "M0.0 1.0M9.0 2.0");
  assert.equal(path([], same, same), "");
});

test("the value at a moment is the last that was measured", () => {
  const points = [[10, 1], [20, 2]];
  assert.equal(valueAt(points, 9), undefined);
  assert.equal(valueAt(points, 15), 1);
  assert.equal(valueAt(points, 99), 2);
});
