// The endpoints served by Fastify, with schemas for what comes in and what goes out.

import Fastify from 'fastify';
import { BODY_BYTES_MAX, HEADERS, PROBLEM_TYPE, compressed, observe, signIn } from './http.mjs';
import { Problem } from './problem.mjs';

export async function serve({ clinic, sessions, host, port }) {
  const app = Fastify({ bodyLimit: BODY_BYTES_MAX });
  app.decorateRequest('clinician', null);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    request.clinician = await signIn(sessions, request);
  });
  app.addHook('onSend', async (request, reply, body) => {
    const packed = compressed(request.headers, body);
    if (!packed) return body;
    reply.header('content-encoding', 'gzip');
    return packed;
  });
  app.addHook('onResponse', async (request, reply) => {
    observe(request.method, request.routeOptions.url, reply.statusCode, performance.now() - reply.elapsedTime);
  });
  app.setErrorHandler((error, _request, reply) => {
    const problem = Problem.of(error);
    reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
  });
  app.get('/api/patients', { schema: answers(PATIENTS) }, ({ clinician, query }) => clinic.patients(clinician, query));
  app.get('/api/records/:id', { schema: { params: ID, ...answers(RECORD) } }, ({ clinician, params }) => clinic.record(clinician, params.id));
  app.put('/api/records/:id', { schema: { params: ID, body: NOTE, ...answers(RECORD) } },
    ({ clinician, params, body }) => clinic.save(clinician, params.id, body));
  await app.listen({ port, host, backlog: 4_096 });
}

const answers = schema => ({ response: { 200: schema } });
const object = properties => ({ type: 'object', properties });
const list = items => ({ type: 'array', items });
const text = { type: 'string' };
const number = { type: 'integer' };
const maybe = { type: 'string', nullable: true };

const ID = object({ id: number });
const SOAP = { subjective: text, objective: text, assessment: text, plan: text };
const NOTE = { ...object({ version: number, ...SOAP }), required: ['version', ...Object.keys(SOAP)] };
const CODE = object({ system: text, code: text, title: text, billable: { type: 'boolean' } });
const RECORD = object({
  id: number, encounter_id: text, patient_id: text, version: number, state: text, ...SOAP, codes: list(CODE),
  signed_at: maybe, signed_by: maybe, signed_by_name: maybe, created_at: text, updated_at: text,
});
const PATIENT = object({ id: text, given_name: text, family_name: text, birth_date: text, sex: text, mrn: maybe, created_at: text });
const PATIENTS = object({ patients: list(PATIENT), next_cursor: maybe });
