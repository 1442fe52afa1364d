import assert from "node:assert/strict";
import { test } from "node:test";

import { cut, place, quoted, wordRanges } from "../js/evidence.js";

const segments = [
  { text: "Crackles 🫁 at the base.", words: [] },
  { text: "", words: [] },
  {
    text: "Pneumonia, naïve to amoxicillin.",
    words: [
      { text: " Pneumonia,", confidence: 0.9 },
      { text: " naive", confidence: 0.2 },
      { text: " amoxicillin.", confidence: 0.3 },
    ],
  },
];
const joined = segments.map(({ text }) => text).join(" ");
const points = Array.from(joined);

function quote(id, text) {
  const start = Array.from(joined.slice(0, joined.indexOf(text))).length;
  return { id, evidence: [{ start, end: start + Array.from(text).length, text }] };
}

function litBy(pieces, id) {
  return pieces
    .flat()
    .filter(({ suggestions }) => suggestions.includes(id))
    .map(({ text }) => text);
}

test("segments are placed in code points of the text joined by single spaces", () => {
  for (const [index, { start, end }] of place(segments).entries()) {
    assert.equal(points.slice(start, end).join(""), segments[index].text);
  }
});

test("an astral character before the evidence does not shift it", () => {
  assert.deepEqual(litBy(cut(segments, [quote("a", "at the base")]), "a"), ["at the base"]);
});

test("evidence over a segment's end is marked in both segments", () => {
  assert.deepEqual(litBy(cut(segments, [quote("a", "base.  Pneumonia")]), "a"), ["base.", "Pneumonia"]);
});

test("overlapping suggestions share exactly the words they share", () => {
  const pieces = cut(segments, [quote("a", "at the base"), quote("b", "the base.")]).flat();
  const shared = pieces.filter(({ suggestions }) => suggestions.length === 2).map(({ text }) => text);
  assert.deepEqual(shared, ["the base"]);
});

test("cutting loses no character, whatever is marked", () => {
  const pieces = cut(segments, [quote("a", "🫁 at"), quote("b", "t the"), quote("c", "amoxi")]);
  pieces.forEach((row, index) => assert.equal(row.map(({ text }) => text).join(""), segments[index].text));
});

test("a range whose words are not those quoted is not shown", () => {
  const wrong = {
    id: "a",
    evidence: [
      { start: 0, end: 8, text: "Wheezing" },
      { start: -1, end: 3 },
      { start: 5, end: 5 },
    ],
  };
  assert.deepEqual(litBy(cut(segments, [wrong]), "a"), []);
});

test("unsure words are found in order and unknown spellings are left out", () => {
  const unsure = cut(segments, [])
    .flat()
    .filter(({ confidence }) => confidence !== null);
  assert.deepEqual(
    unsure.map(({ text, confidence }) => [text, confidence]),
    [["amoxicillin.", 0.3]],
  );
});

test("a repeated word is marked where it stands, not at its first occurrence", () => {
  const ranges = wordRanges(Array.from("no pain no"), [
    { text: "no", confidence: 1 },
    { text: "pain", confidence: 1 },
    { text: "no", confidence: 0.1 },
  ]);
  assert.deepEqual(ranges.at(-1), { start: 8, end: 10, confidence: 0.1 });
});

test("a segment without words is marked as a whole when it is unsure", () => {
  const [sure, unsure] = cut(
    [
      { text: "Clear.", confidence: 0.9 },
      { text: "Mumbled words.", confidence: 0.2 },
    ],
    [],
  );
  assert.deepEqual([sure[0].confidence, unsure[0].confidence, unsure.length], [null, 0.2, 1]);
});

test("the words that are lit are exactly those of the evidence, whatever characters stand before them", () => {
  // A letter outside the basic plane, a combining mark, a family of joined emoji, a letter that grows in lower case.
  const before = "𝔘e\u0301 👨‍👩‍👧 İ ";
  const text = `${before}knee pain`;
  const start = Array.from(before).length;
  assert.notEqual(start, before.length);
  const evidence = [{ start, end: start + 4, text: "knee" }];
  assert.deepEqual(litBy(cut([{ text }], [{ id: "a", evidence }]), "a"), ["knee"]);
});

test("a note is cut at the whole words that are quoted, in any case, and loses no character", () => {
  const text = "🙂 Knee pain; kneecap. KNEE, İ pain";
  const pieces = quoted(text, ["knee", "PAIN", ""]);
  assert.equal(pieces.map((piece) => piece.text).join(""), text);
  assert.deepEqual(
    pieces.filter(({ lit }) => lit).map((piece) => piece.text),
    ["Knee", "pain", "KNEE", "pain"],
  );
  assert.deepEqual(quoted("", ["a"]), []);
});
