// What to do when somebody else saved the note meanwhile. Pure.

export const FIELDS = ["subjective", "objective", "assessment", "plan"];

/** The four texts of a record, and nothing else. */
export function texts(record) {
  return Object.fromEntries(FIELDS.map((field) => [field, record?.[field] ?? ""]));
}

/** Whether two notes say the same. */
export function sameTexts(a, b) {
  return FIELDS.every((field) => (a?.[field] ?? "") === (b?.[field] ?? ""));
}

/**
 * Three-way merge by field. A field that only one side changed takes that side; one that both changed
 * differently stays as `mine` and is named in `conflicts`, for the clinician to choose.
 */
export function merge(base, mine, theirs) {
  const merged = {};
  const conflicts = [];
  for (const field of FIELDS) {
    const [was, here, there] = [base?.[field] ?? "", mine?.[field] ?? "", theirs?.[field] ?? ""];
    merged[field] = here === was ? there : here;
    if (here !== was && there !== was && here !== there) conflicts.push(field);
  }
  return { merged, conflicts };
}
