// Unsaved text of the note, kept in this tab alone (sessionStorage) over a reload or a lost session.
// It is cleared once saved, at sign-out, and when somebody else signs in.

const PREFIX = "note:";

export function writeDraft(userId, { record, base, typed }) {
  try {
    sessionStorage.setItem(key(userId, record.id), JSON.stringify({ version: record.version, base, typed }));
  } catch {
    // A full store loses only the safety net: the text is on the page and on its way to the server.
  }
}

/** {version, base, typed} or null. */
export function readDraft(userId, recordId) {
  try {
    return JSON.parse(sessionStorage.getItem(key(userId, recordId)));
  } catch {
    return null;
  }
}

export function clearDraft(userId, recordId) {
  sessionStorage.removeItem(key(userId, recordId));
}

/** Drops the drafts of this tab; with `except`, all but that user's. */
export function forgetDrafts({ except } = {}) {
  const kept = except === undefined ? null : key(except, "");
  for (const name of Object.keys(sessionStorage)) {
    if (name.startsWith(PREFIX) && !(kept && name.startsWith(kept))) sessionStorage.removeItem(name);
  }
}

function key(userId, recordId) {
  return `${PREFIX}${userId}:${recordId}`;
}
