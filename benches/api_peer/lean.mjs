// For comparison, the least that Fastify and pg can do: no audit entry, nothing sealed, opened or compressed. What is sealed is
// passed on as it is stored; a saved note is stored as it came. All of a read is one round trip.

import Fastify from 'fastify';
import { BODY_BYTES_MAX, PROBLEM_TYPE, signIn } from './http.mjs';
import { Problem } from './problem.mjs';

export async function serve({ database, sessions, host, port }) {
  const app = Fastify({ bodyLimit: BODY_BYTES_MAX });
  app.decorateRequest('clinician', null);
  app.addHook('onRequest', async request => {
    request.clinician = await signIn(sessions, request);
  });
  app.setErrorHandler((error, _request, reply) => {
    const problem = Problem.of(error);
    reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
  });
  app.get('/api/patients', async ({ clinician }) => ({ patients: await read(database, clinician, PATIENTS, []) }));
  app.get('/api/records/:id', async ({ clinician, params }) => {
    const [record] = await read(database, clinician, RECORD, [params.id]);
    if (!record) throw Problem.notFound();
    return record;
  });
  app.put('/api/records/:id', ({ clinician, params, body }) => save(database, clinician, params.id, body));
  await app.listen({ port, host, backlog: 4_096 });
}

function read(database, { facility }, statement, values) {
  return database.transaction(facility, async tx => {
    const [rows] = await Promise.all([tx.query(statement, values), tx.query({ text: 'COMMIT' })]);
    return rows;
  });
}

function save(database, { user, facility }, id, { version, ...note }) {
  return database.transaction(facility, async tx => {
    const [record] = await tx.query(LOCK, [id]);
    if (!record) throw Problem.notFound();
    if (record.version !== version) throw new Problem(409, 'stale-version', 'a newer version is there', { current: record });
    const [[saved]] = await Promise.all([tx.query(SAVE, [id, note, version + 1, user]), tx.query({ text: 'COMMIT' })]);
    return saved;
  });
}

const PATIENTS = { name: 'patients', text: 'SELECT id, demographics, created_at FROM patients ORDER BY created_at DESC, id DESC LIMIT 50' };
const RECORD = { name: 'record', text: 'SELECT * FROM patient_records WHERE id = $1' };
const LOCK = { name: 'lock', text: 'SELECT version FROM patient_records WHERE id = $1 FOR UPDATE' };
const SAVE = {
  name: 'save',
  text: `WITH saved AS (
           UPDATE patient_records SET medical_record = $2, version = $3, author_id = $4, updated_at = now() WHERE id = $1 RETURNING *
         )
         INSERT INTO patient_record_versions (facility_id, record_id, version, medical_record, state, author_id)
         SELECT facility_id, id, version, medical_record, state, author_id FROM saved RETURNING *`,
};
