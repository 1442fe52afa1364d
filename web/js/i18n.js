// Words in the reader's language. English is complete; Dutch falls back to it key by key.

import { en } from "./words/en.js";
import { nl } from "./words/nl.js";

export const dictionaries = { en, nl };
let language = "en";

/** Takes the user's language, else the browser's, else English. */
export function setLanguage(...wishes) {
  const known = wishes
    .map((wish) =>
      String(wish ?? "")
        .slice(0, 2)
        .toLowerCase(),
    )
    .find((wish) => wish in dictionaries);
  language = known ?? "en";
  if (globalThis.document) document.documentElement.lang = language;
}

/** The words for a key; `{name}` is replaced, and `key.one` is taken when n is 1. */
export function t(key, values = {}) {
  const one = values.n === 1 ? `${key}.one` : key;
  const words = dictionaries[language][one] ?? en[one] ?? dictionaries[language][key] ?? en[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

const formats = {
  time: { hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "short", year: "numeric" },
  second: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  weekday: { weekday: "short", hour: "2-digit", minute: "2-digit" },
  moment: { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" },
};

/** An instant (RFC 3339 or Date) as "time", "second", "weekday", "day" or "moment". English takes the day-first order of clinicians here. */
export function when(instant, format = "moment") {
  return new Intl.DateTimeFormat(locale(), formats[format]).format(new Date(instant));
}

/** A calendar day "YYYY-MM-DD", which has no time zone. */
export function calendarDay(text) {
  return new Intl.DateTimeFormat(locale(), { ...formats.day, timeZone: "UTC" }).format(new Date(`${text}T00:00:00Z`));
}

export function percent(share) {
  return new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: 0 }).format(share);
}

/** A number with two decimals at most. */
export function number(value) {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 0 }).format(value);
}

function locale() {
  return language === "nl" ? "nl-NL" : "en-GB";
}
