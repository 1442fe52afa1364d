// Saves the note as it is written: one save at a time, versions checked, nothing typed is ever dropped.

import * as api from "../api.js";
import { merge, sameTexts, texts } from "../note_merge.js";
import { retryDelay } from "../time.js";
import { clearDraft, readDraft, writeDraft } from "./drafts.js";

/** Each save is a version that is kept for good: not at every breath. Until then the draft is in the tab. */
const PAUSE_MS = 2500;

/**
 * Keeps a record and what is typed in step. Listeners: status(kind, detail) with kind "saved", "dirty", "saving",
 * "waiting", "conflict", "signed" or "refused"; replaced(texts) when merging changed what is shown;
 * conflict({fields, mine, theirs}).
 */
export class Autosave {
  timer = 0;
  running = null;
  failures = 0;
  /** Why saving has stopped until somebody acts, if it has. */
  stuck = null;

  constructor({ record, userId, status, replaced, conflict }) {
    Object.assign(this, { record, userId, status, replaced, conflict, base: texts(record), typed: texts(record) });
    this.restore();
    this.retryNow = () => this.dirty() && this.later(0);
    this.leaving = () => document.visibilityState === "hidden" && this.retryNow();
    addEventListener("online", this.retryNow);
    document.addEventListener("visibilitychange", this.leaving);
  }

  dirty() {
    return !sameTexts(this.base, this.typed);
  }

  write(field, text) {
    this.typed = { ...this.typed, [field]: text };
    writeDraft(this.userId, this);
    if (this.stuck) return;
    this.status("dirty");
    this.later(PAUSE_MS);
  }

  /** The clinician has chosen between both sides of a conflict; saving goes on. */
  resolve(chosen) {
    Object.assign(this, { typed: { ...this.typed, ...chosen }, stuck: null });
    writeDraft(this.userId, this);
    this.replaced(this.typed);
    this.later(0);
  }

  /** Saves what is unsaved now; resolves to whether all is saved. */
  async flush() {
    await this.save();
    if (this.dirty() && !this.stuck) await this.save();
    return !this.dirty();
  }

  close() {
    clearTimeout(this.timer);
    removeEventListener("online", this.retryNow);
    document.removeEventListener("visibilitychange", this.leaving);
  }

  restore() {
    const draft = readDraft(this.userId, this.record.id);
    if (!draft || this.record.state !== "draft" || sameTexts(draft.typed, this.record)) return;
    Object.assign(this, { base: draft.base, typed: draft.typed, record: { ...this.record, version: draft.version } });
    this.later(0);
  }

  later(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), ms);
  }

  save() {
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  async run() {
    clearTimeout(this.timer);
    if (this.stuck || !this.dirty()) return;
    this.status("saving");
    const sent = { ...this.typed };
    try {
      this.saved(await api.put(`/api/records/${this.record.id}`, { version: this.record.version, ...sent }), sent);
    } catch (error) {
      await this.refused(error, sent);
    }
  }

  saved(record, sent) {
    Object.assign(this, { record, base: sent, failures: 0 });
    if (this.dirty()) return this.later(PAUSE_MS);
    clearDraft(this.userId, record.id);
    this.status("saved", new Date());
  }

  async refused(error, sent) {
    if (error.status === 409 && error.slug === "stale-version") return this.adopt(error.body.current, sent);
    if (error.status === 409) return this.stick("signed");
    if (error.status !== 0 && error.status !== 429 && error.status < 500) return this.stick("refused", error);
    this.failures += 1;
    this.status("waiting", error);
    this.later(retryDelay(this.failures, error.retryAfter));
  }

  /** Somebody's newer version: their fields and ours are merged; only fields that both changed are asked about. */
  adopt(current, sent) {
    if (sameTexts(current, sent)) return this.saved(current, sent); // our own save whose answer was lost
    const mine = this.typed;
    const { merged, conflicts } = merge(this.base, mine, current);
    Object.assign(this, { record: current, base: texts(current), typed: merged, failures: 0 });
    writeDraft(this.userId, this);
    this.replaced(merged);
    if (!conflicts.length) return this.later(0);
    this.stick("conflict");
    this.conflict({ fields: conflicts, mine, theirs: texts(current) });
  }

  stick(kind, detail) {
    this.stuck = kind;
    this.status(kind, detail);
  }
}
