import assert from "node:assert/strict";
import { test } from "node:test";

import { merge, sameTexts } from "../js/note_merge.js";

const base = { subjective: "s", objective: "o", assessment: "a", plan: "p" };

test("fields changed by one side only are merged without asking", () => {
  const { merged, conflicts } = merge(base, { ...base, plan: "my plan" }, { ...base, objective: "their objective" });
  assert.deepEqual(conflicts, []);
  assert.deepEqual(merged, { ...base, plan: "my plan", objective: "their objective" });
});

test("a field both changed stays mine and is named", () => {
  const { merged, conflicts } = merge(base, { ...base, plan: "mine" }, { ...base, plan: "theirs" });
  assert.deepEqual([merged.plan, conflicts], ["mine", ["plan"]]);
});

test("the same change on both sides is no conflict", () => {
  const both = { ...base, plan: "same" };
  assert.deepEqual(merge(base, both, both), { merged: both, conflicts: [] });
});

test("a field emptied by one side stays empty", () => {
  assert.equal(merge(base, { ...base, plan: "" }, base).merged.plan, "");
  assert.equal(merge(base, base, { ...base, plan: "" }).merged.plan, "");
});

test("null and missing texts equal empty ones", () => {
  assert.ok(sameTexts({ subjective: null }, { objective: "" }));
  assert.ok(!sameTexts(base, { ...base, plan: "p " }));
});
