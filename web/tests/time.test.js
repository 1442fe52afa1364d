import assert from "node:assert/strict";
import { test } from "node:test";

import { retryAfter } from "../js/api.js";
import { age, bytes, clock, dateParts, idlePhase, retryDelay, sameDay, typedDate } from "../js/time.js";

test("clock shows minutes, and hours only when there are any", () => {
  assert.deepEqual([0, 59.9, 60, 3599, 3600, 3723.4].map(clock), ["0:00", "0:59", "1:00", "59:59", "1:00:00", "1:02:03"]);
  assert.deepEqual([NaN, Infinity, -1].map(clock), ["–:––", "–:––", "–:––"]);
});

test("age turns on the birthday itself", () => {
  assert.equal(age("1961-03-12", new Date(2026, 2, 11)), 64);
  assert.equal(age("1961-03-12", new Date(2026, 2, 12)), 65);
  assert.equal(age("2030-01-01", new Date(2026, 0, 1)), null);
  assert.equal(age("yesterday", new Date()), null);
});

test("only real calendar days are dates", () => {
  assert.deepEqual(dateParts("2024-02-29"), [2024, 2, 29]);
  for (const wrong of ["2023-02-29", "2024-13-01", "2024-00-10", "24-1-1", "", null]) assert.equal(dateParts(wrong), null);
});

test("sizes are written for people", () => {
  assert.deepEqual([0, 900, 1024, 1_500_000, 250 * 1024 ** 2].map(bytes), ["0 B", "900 B", "1.0 kB", "1.4 MB", "250 MB"]);
});

test("the session warns in its last seconds and then is over", () => {
  const at = (now) => idlePhase({ now, lastActivity: 0, timeoutSeconds: 900, warnSeconds: 60 });
  assert.deepEqual(at(839_000), { phase: "active", left: 61 });
  assert.deepEqual(at(840_000), { phase: "warning", left: 60 });
  assert.deepEqual(at(899_500), { phase: "warning", left: 1 });
  assert.deepEqual(at(900_000), { phase: "over", left: 0 });
});

test("retries wait longer each time, but never long, and as the server asks", () => {
  assert.deepEqual(
    [1, 2, 3, 10].map((attempt) => retryDelay(attempt)),
    [1000, 2000, 4000, 30_000],
  );
  assert.deepEqual(
    [0, 7, 1e6].map((seconds) => retryDelay(1, seconds)),
    [1000, 7000, 300_000],
  );
});

test("Retry-After is read as seconds or as a date", () => {
  assert.equal(retryAfter("12"), 12);
  assert.equal(retryAfter("Mon, 23 Nov 2026 20:00:10 GMT", Date.parse("2026-11-23T20:00:00Z")), 10);
  assert.equal(retryAfter("Mon, 23 Nov 2026 20:00:00 GMT", Date.parse("2026-11-23T21:00:00Z")), 0);
  assert.equal(retryAfter("soon"), undefined);
  assert.equal(retryAfter(null), undefined);
});

test("days are compared on the local calendar", () => {
  assert.ok(sameDay(new Date(2026, 10, 23, 0, 1), new Date(2026, 10, 23, 23, 59)));
  assert.ok(!sameDay(new Date(2026, 10, 23, 23, 59), new Date(2026, 10, 24, 0, 0)));
});

test("birth dates are understood day first, as they are said", () => {
  for (const text of ["1961-03-12", "12-03-1961", "12/3/1961", " 12.03.1961 "]) assert.equal(typedDate(text), "1961-03-12");
  for (const text of ["31-02-1961", "1961", "jansen", "12-03-61"]) assert.equal(typedDate(text), null);
});
