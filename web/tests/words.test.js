import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { dictionaries, setLanguage, t } from "../js/i18n.js";

const SCRIPTS = new URL("../js/", import.meta.url);
const placeholders = (words) => [...words.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();

function scripts() {
  return readdirSync(SCRIPTS, { recursive: true })
    .filter((name) => name.endsWith(".js") && !name.startsWith("words"))
    .map((name) => [name, readFileSync(new URL(name, SCRIPTS), "utf8")]);
}

test("Dutch has every English word, with the same placeholders", () => {
  assert.deepEqual(Object.keys(dictionaries.nl).sort(), Object.keys(dictionaries.en).sort());
  for (const [key, words] of Object.entries(dictionaries.en)) {
    assert.deepEqual(placeholders(dictionaries.nl[key]), placeholders(words), key);
  }
});

test("every word that a script asks for is there", () => {
  for (const [name, text] of scripts()) {
    for (const [, key] of text.matchAll(/\bt\("([^"]+)"/g)) assert.ok(key in dictionaries.en, `${name}: ${key}`);
  }
});

test("no script writes markup, inline styles or code from strings", () => {
  for (const [name, text] of scripts()) {
    assert.doesNotMatch(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|cssText|setAttribute\("style"/,
      name,
    );
  }
});

test("one of a thing takes its own words, and values are put in as they are", () => {
  setLanguage("en-GB");
  assert.equal(t("years", { n: 1 }), "1 year");
  assert.equal(t("years", { n: 2 }), "2 years");
  assert.equal(t("search.none", { query: "{n} $& <b>" }), "Nothing found for “{n} $& <b>”.");
});

test("an unknown language falls back to the browser's, then to English", () => {
  setLanguage("xx", "nl-BE");
  assert.equal(t("close"), "Sluiten");
  setLanguage("xx", undefined);
  assert.equal(t("close"), "Close");
});
