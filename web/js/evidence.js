// Where suggestions' evidence lies in the transcript. Pure.
//
// Offsets count Unicode code points in the segments' texts joined by single spaces, so text is cut as
// arrays of code points, never by UTF-16 index.

/** Below this confidence a word is marked for the clinician's eye. */
export const UNSURE_BELOW = 0.5;

/**
 * Each segment cut into the longest pieces that share the same marks.
 * Returns, a segment: [{text, start, end, confidence: number|null, suggestions: [id]}].
 */
export function cut(segments, suggestions, unsureBelow = UNSURE_BELOW) {
  const spans = place(segments);
  const evidence = locate(spans, suggestions);
  return spans.map((span, index) => {
    const unsure = wordRanges(span.points, wordsOf(segments[index]))
      .filter((word) => word.confidence < unsureBelow)
      .map((word) => ({ ...word, start: word.start + span.start, end: word.end + span.start }));
    return pieces(span, evidence, unsure);
  });
}

/**
 * A text cut at the words that suggestions quote, for a note that the offsets don't count in. Whole words in any case.
 * Returns [{text, lit}].
 */
export function quoted(text, words) {
  const points = Array.from(text);
  const lower = points.map((point) => point.toLowerCase());
  const lit = points.map(() => false);
  for (const word of words.map((word) => Array.from(word.trim()).map((point) => point.toLowerCase()))) {
    for (let at = word.length ? indexOf(lower, word, 0) : -1; at >= 0; at = indexOf(lower, word, at + 1)) {
      const end = at + word.length;
      if (!isLetter(points[at - 1]) && !isLetter(points[end])) lit.fill(true, at, end);
    }
  }
  const pieces = [];
  points.forEach((point, at) => {
    const last = pieces.at(-1);
    if (last && last.lit === lit[at]) last.text += point;
    else pieces.push({ text: point, lit: lit[at] });
  });
  return pieces;
}

function isLetter(point) {
  return point !== undefined && /[\p{L}\p{N}]/u.test(point);
}

/** The code-point span of each segment in the joined text. */
export function place(segments) {
  let start = 0;
  return segments.map((segment) => {
    const points = Array.from(segment.text);
    const span = { start, end: start + points.length, points };
    start = span.end + 1;
    return span;
  });
}

/**
 * The words of one segment as code-point ranges in it, found in order. A word that the text doesn't
 * contain (the engine may normalise) is left out rather than misplaced.
 */
export function wordRanges(points, words) {
  let from = 0;
  const ranges = [];
  for (const { text, confidence } of words) {
    const word = Array.from(text.trim());
    const start = word.length ? indexOf(points, word, from) : -1;
    if (start < 0) continue;
    from = start + word.length;
    ranges.push({ start, end: from, confidence });
  }
  return ranges;
}

/** Evidence whose words are really there; the rest (taken from a note, say) can't be pointed at. */
function locate(spans, suggestions) {
  const all = spans.flatMap((span, index) => (index ? [" ", ...span.points] : span.points));
  return suggestions.flatMap(({ id, evidence }) =>
    (evidence ?? [])
      .filter(({ start, end, text }) => 0 <= start && start < end && same(all.slice(start, end).join(""), text))
      .map(({ start, end }) => ({ id, start, end })),
  );
}

function same(found, quoted) {
  const plain = (text) => text.toLowerCase().replace(/\s+/g, " ").trim();
  return quoted === undefined || plain(found) === plain(quoted);
}

/** Engines that don't tell words apart tell how sure they are of the segment. */
function wordsOf({ text, confidence, words }) {
  return words?.length ? words : [{ text, confidence }];
}

function pieces(span, evidence, unsure) {
  const touching = [...evidence, ...unsure].filter((range) => range.start < span.end && range.end > span.start);
  const edges = new Set([span.start, span.end]);
  for (const range of touching) {
    edges.add(Math.max(range.start, span.start));
    edges.add(Math.min(range.end, span.end));
  }
  const cuts = [...edges].sort((a, b) => a - b);
  return cuts.slice(0, -1).map((start, index) => {
    const end = cuts[index + 1];
    const covers = (range) => range.start <= start && range.end >= end;
    return {
      text: span.points.slice(start - span.start, end - span.start).join(""),
      start,
      end,
      confidence: unsure.find(covers)?.confidence ?? null,
      suggestions: [...new Set(evidence.filter(covers).map((range) => range.id))],
    };
  });
}

function indexOf(points, word, from) {
  for (let at = from; at + word.length <= points.length; at += 1) {
    if (word.every((point, offset) => points[at + offset] === point)) return at;
  }
  return -1;
}
