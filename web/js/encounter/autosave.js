// Saves the note as it is written: one save at a time, versions checked, nothing typed is ever dropped.

import * as api from "../api.js";
import { merge, sameTexts, texts } from "../note_merge.js";
import { retryDelay } from "../time.js";
import { clearDraft, readDraft, writeDraft } from "./drafts.js";

/** Each save is a version that is kept for good: not at every breath. Until then the draft is in the tab. */
const PAUSE_MS = 2500;

/**
 * Keeps `record` and what is typed in step. Listeners: status(kind, detail) with kind "saved", "dirty",
 * "saving", "waiting", "conflict", "signed" or "refused"; replaced(texts) when merging changed what is shown;
 * conflict({fields, mine, theirs, author}).
 */
export function autosave({ record, userId, status, replaced, conflict }) {
  const state = { record, base: texts(record), typed: texts(record), timer: 0, running: null, failures: 0, stuck: null };
  const save = () =>
    (state.running ??= run().finally(() => {
      state.running = null;
    }));
  const dirty = () => !sameTexts(state.base, state.typed);
  const later = (ms) => {
    clearTimeout(state.timer);
    state.timer = setTimeout(save, ms);
  };

  async function run() {
    clearTimeout(state.timer);
    if (state.stuck || !dirty()) return;
    status("saving");
    const sent = { ...state.typed };
    try {
      saved(await api.put(`/api/records/${state.record.id}`, { version: state.record.version, ...sent }), sent);
    } catch (error) {
      await refused(error, sent);
    }
  }
  function saved(next, sent) {
    Object.assign(state, { record: next, base: sent, failures: 0 });
    if (dirty()) return later(PAUSE_MS);
    clearDraft(userId, state.record.id);
    status("saved", new Date());
  }
  async function refused(error, sent) {
    if (error.status === 409 && error.slug === "stale-version")
      return adopt(error.body.current ?? (await api.get(`/api/records/${state.record.id}`)), sent);
    if (error.status === 409) return stick("signed");
    if (error.status !== 0 && error.status !== 429 && error.status < 500) return stick("refused", error);
    state.failures += 1;
    status("waiting", error);
    later(retryDelay(state.failures, error.retryAfter));
  }
  function stick(kind, detail) {
    state.stuck = kind;
    status(kind, detail);
  }
  /** Somebody's newer version: their fields and ours are merged; only fields that both changed are asked about. */
  function adopt(current, sent) {
    if (sameTexts(current, sent)) return saved(current, sent); // our own save whose answer was lost
    const { merged, conflicts } = merge(state.base, state.typed, current);
    const mine = { ...state.typed };
    Object.assign(state, { record: current, base: texts(current), typed: merged, failures: 0 });
    writeDraft(userId, state);
    replaced(merged);
    if (!conflicts.length) return later(0);
    stick("conflict");
    conflict({ fields: conflicts, mine, theirs: texts(current) });
  }

  const draft = readDraft(userId, record.id);
  if (draft && record.state === "draft" && !sameTexts(draft.typed, record)) {
    Object.assign(state, { base: draft.base, typed: draft.typed, record: { ...record, version: draft.version } });
    later(0);
  }
  const retryNow = () => dirty() && later(0);
  const leaving = () => document.visibilityState === "hidden" && retryNow();
  addEventListener("online", retryNow);
  document.addEventListener("visibilitychange", leaving);
  return {
    texts: () => state.typed,
    record: () => state.record,
    dirty,
    typed: (field, text) => {
      state.typed = { ...state.typed, [field]: text };
      writeDraft(userId, state);
      if (state.stuck) return;
      status("dirty");
      later(PAUSE_MS);
    },
    /** The clinician has chosen; saving goes on. */
    resolve: (chosen) => {
      Object.assign(state, { typed: { ...state.typed, ...chosen }, stuck: null });
      writeDraft(userId, state);
      replaced(state.typed);
      later(0);
    },
    /** Saves what is unsaved now; resolves to whether all is saved. */
    flush: async () => {
      await save();
      if (dirty() && !state.stuck) await save();
      return !dirty();
    },
    close: () => {
      clearTimeout(state.timer);
      removeEventListener("online", retryNow);
      document.removeEventListener("visibilitychange", leaving);
    },
  };
}
