// The three endpoints, whatever framework they are served by: list patients, read a record, save a note.

import { randomUUID } from 'node:crypto';
import { Problem } from './problem.mjs';

const PAGE = 50;
const PAGE_MAX = 200;
const SECTIONS = ['subjective', 'objective', 'assessment', 'plan'];
const SECTION_BYTES_MAX = 200_000;

export class Clinic {
  #database;

  constructor(database) {
    this.#database = database;
  }

  /** A page of the facility's patients, newest first. */
  patients(clinician, { cursor, limit } = {}) {
    const size = Math.min(Math.max(Number(limit ?? PAGE) || PAGE, 1), PAGE_MAX);
    return this.#database.transaction(clinician.facility, async tx => {
      const rows = await tx.query(PATIENTS, [...after(cursor), size + 1]);
      const page = rows.slice(0, size);
      const patients = page.map(({ id, demographics, created_at }) =>
        ({ id, ...tx.keys.open('patients', 'demographics', id, demographics), created_at }));
      await tx.commit(audit(clinician, 'patient.list', 'facility', clinician.facility, { found: page.length, searched: false }));
      return { patients, next_cursor: rows.length > size ? cursorOf(page.at(-1)) : null };
    });
  }

  record(clinician, id) {
    return this.#database.transaction(clinician.facility, async tx => {
      const row = await find(tx, RECORD, id);
      const details = { patient: row.patient_id, version: row.version };
      const [accepted] = await tx.commit(audit(clinician, 'record.read', 'record', id, details), [ACCEPTED, [row.encounter_id]]);
      return opened(tx, row, accepted).record;
    });
  }

  /** The next version of a draft. */
  save(clinician, id, body) {
    const { version, note } = checked(body);
    return this.#database.transaction(clinician.facility, async tx => {
      const row = await find(tx, RECORD_TO_CHANGE, id);
      const { record, transcript } = opened(tx, row, await tx.query(ACCEPTED, [row.encounter_id]));
      if (record.state === 'signed') throw new Problem(409, 'signed', 'the record is signed: amend it first');
      if (record.version !== version) throw stale(version, record);
      const next = version + 1;
      const sealed = tx.keys.sealDocument('patient_records', 'medical_record', `${id}/${next}`, { note, codes: record.codes, transcript });
      const entry = audit(clinician, 'record.save', 'record', id, { version: next });
      const [[saved]] = await tx.commit(entry, [SAVE, [id, sealed, next, clinician.user]]);
      return { ...record, ...note, ...saved, version: next };
    });
  }
}

async function find(tx, statement, id) {
  const [row] = await tx.query(statement, [id]);
  if (!row) throw Problem.notFound();
  return row;
}

/** A record as it is shown, and its transcript. */
function opened(tx, { medical_record: sealed, ...row }, accepted) {
  const { note, codes, transcript } = tx.keys.openDocument('patient_records', 'medical_record', `${row.id}/${row.version}`, sealed);
  const shown = row.state === 'draft' ? accepted.map(suggestion => code(tx, suggestion)) : codes;
  return { record: { ...row, ...note, codes: shown }, transcript };
}

function code(tx, { id, content }) {
  const { system, code, title, billable } = tx.keys.open('suggestions', 'content', id, content);
  return { system, code, title, billable };
}

function checked(body) {
  if (!Number.isInteger(body?.version)) throw Problem.invalid('version: must be a whole number');
  const note = {};
  for (const section of SECTIONS) {
    const text = body[section];
    if (typeof text !== 'string') throw Problem.invalid(`${section}: must be text`);
    if (Buffer.byteLength(text) > SECTION_BYTES_MAX) throw Problem.invalid(`${section}: must have at most 200,000 bytes`);
    if (text.includes('\0')) throw Problem.invalid(`${section}: must not contain the NUL character`);
    note[section] = text;
  }
  return { version: body.version, note };
}

function stale(given, record) {
  const detail = `version ${record.version} is the newest, and the change was made to version ${given}`;
  return new Problem(409, 'stale-version', detail, { current: record });
}

/** The columns of an audit entry. Its id begins with the time (UUID version 7), so that the index grows at its end. */
function audit({ user, facility }, action, resource, resourceId, details) {
  const now = new Date();
  const time = now.getTime().toString(16).padStart(12, '0');
  const id = `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
  return [id, now.toISOString(), facility, user, action, resource, String(resourceId), details];
}

function after(cursor) {
  if (!cursor) return ['infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff'];
  const parts = Buffer.from(cursor, 'base64url').toString().split('/');
  if (parts.length !== 2) throw new Problem(400, 'invalid-cursor', 'the cursor is not one that a page ended with');
  return parts;
}

function cursorOf({ created_at, id }) {
  return Buffer.from(`${created_at}/${id}`).toString('base64url');
}

const PATIENTS = {
  name: 'patients',
  text: `SELECT id, demographics, created_at FROM patients
         WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3`,
};

// Row-level security adds the facility. Saying it twice would have PostgreSQL plan anew each time, for the partitions' sake.
const record = `SELECT r.id, r.encounter_id, r.patient_id, r.version, r.state, r.medical_record, r.signed_at, r.signed_by,
    CASE WHEN r.signed_by IS NOT NULL THEN (SELECT name FROM profile(r.signed_by)) END AS signed_by_name, r.created_at, r.updated_at
  FROM patient_records r WHERE r.id = $1`;
const RECORD = { name: 'record', text: record };
const RECORD_TO_CHANGE = { name: 'record to change', text: `${record} FOR UPDATE` };

const ACCEPTED = {
  name: 'accepted',
  text: `SELECT id, content FROM suggestions WHERE encounter_id = $1 AND decision = 'accepted' ORDER BY rank, id`,
};

// The next version, and what it is among all versions.
const SAVE = {
  name: 'save',
  text: `WITH saved AS (
           UPDATE patient_records SET medical_record = $2, version = $3, author_id = $4, updated_at = now() WHERE id = $1 RETURNING *
         )
         INSERT INTO patient_record_versions (facility_id, record_id, version, medical_record, state, author_id, signed_at, signed_by)
         SELECT facility_id, id, version, medical_record, state, author_id, signed_at, signed_by FROM saved RETURNING created_at AS updated_at`,
};
