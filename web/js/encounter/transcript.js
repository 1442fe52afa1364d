// The transcript: times that play, words the engine wasn't sure of, and where each suggestion found its evidence.

import { fill, h, icon, spoken } from "../dom.js";
import { cut } from "../evidence.js";
import { percent, t } from "../i18n.js";
import { clock } from "../time.js";

/** {element, show(suggestions), highlight(id, {scroll})}; `play(seconds)` and `pointed(id|null, {take})` are told what was used. */
export function transcriptPane({ transcript, suggestions, play, pointed }) {
  const list = h("ol", { class: "segments", role: "list", lang: transcript.language });
  const body = transcript.segments.length ? list : h("p", { class: "state" }, t("transcript.silent"));
  const unsureCount = { n: 0 };
  let active = null;
  let shown = null;

  const show = (current) => {
    const numbers = new Map(current.filter(({ decision }) => decision !== "rejected").map(({ id, rank }) => [id, rank]));
    const marks = JSON.stringify([...numbers]);
    if (marks === shown) return; // accepting marks nothing anew, and an hour of text is slow to draw
    shown = marks;
    const cuts = cut(
      transcript.segments,
      current.filter(({ id }) => numbers.has(id)),
    );
    unsureCount.n = cuts.flat().filter(({ confidence }) => confidence !== null).length;
    fill(
      list,
      cuts.map((pieces, index) => segmentRow(transcript.segments[index], pieces, numbers, { play, pointed })),
    );
    if (active) highlight(active);
  };
  const highlight = (id, { scroll = false } = {}) => {
    active = id;
    const found = [];
    for (const piece of list.querySelectorAll("[data-suggestions]")) {
      const on = id !== null && piece.dataset.suggestions.split(" ").includes(String(id));
      piece.classList.toggle("lit", on);
      if (on) found.push(piece);
    }
    if (scroll && found.length) found[0].scrollIntoView({ block: "nearest" });
    return found.length;
  };
  show(suggestions);
  const key =
    unsureCount.n > 0 &&
    h(
      "p",
      { class: "legend small quiet" },
      h("span", { class: "unsure" }, t("transcript.unsure_sample")),
      " ",
      t("transcript.unsure", { n: unsureCount.n }),
    );
  const element = h(
    "section",
    { class: "card pane transcript", "aria-labelledby": "transcript-title" },
    h(
      "header",
      { class: "pane-head" },
      h("h2", { id: "transcript-title" }, t("transcript.title")),
      h(
        "p",
        { class: "quiet small numeric" },
        [clock(transcript.duration_seconds), t(`language.${transcript.language}`), transcript.model].filter(Boolean).join(" · "),
      ),
    ),
    h("div", { class: "pane-scroll", tabindex: "0", role: "group", "aria-labelledby": "transcript-title" }, body, key),
  );
  return { element, show, highlight, follow: (seconds) => mark(list, transcript.segments, seconds) };
}

function segmentRow(segment, pieces, numbers, { play, pointed }) {
  const from = clock(segment.start);
  const time = h(
    "button",
    {
      type: "button",
      class: "segment-time numeric",
      disabled: !play,
      "aria-label": t("transcript.play_from", { time: from }),
      on: { click: () => play(segment.start) },
    },
    play && icon("play"),
    from,
  );
  return h(
    "li",
    { class: "segment" },
    time,
    h(
      "p",
      { class: "segment-text" },
      pieces.map((piece, index) => pieceOf(piece, pieces[index + 1], numbers, pointed)),
    ),
  );
}

function pieceOf(piece, next, numbers, pointed) {
  const unsure = piece.confidence !== null;
  if (!unsure && !piece.suggestions.length) return document.createTextNode(piece.text);
  const element = h(
    "span",
    { class: unsure ? "unsure" : null, title: unsure ? t("transcript.confidence", { share: percent(piece.confidence) }) : null },
    piece.text,
    unsure && spoken(` (${t("transcript.unsure_word")})`),
  );
  if (!piece.suggestions.length) return element;
  element.classList.add("evidence");
  element.dataset.suggestions = piece.suggestions.join(" ");
  element.addEventListener("pointerenter", () => pointed(piece.suggestions[0]));
  element.addEventListener("pointerleave", () => pointed(null));
  element.addEventListener("click", () => pointed(piece.suggestions[0], { take: true }));
  const ending = piece.suggestions
    .filter((id) => !next?.suggestions.includes(id))
    .map((id) => numbers.get(id))
    .sort((a, b) => a - b);
  return ending.length ? [element, h("sup", { class: "marks", "aria-hidden": "true" }, ending.join(","))] : element;
}

/** Marks the segment that is being played. */
function mark(list, segments, seconds) {
  segments.forEach(({ start, end }, index) => {
    const row = list.children[index];
    const on = seconds >= start && seconds < end;
    if (on && !row.classList.contains("playing")) row.scrollIntoView({ block: "nearest" });
    row.classList.toggle("playing", on);
  });
}
