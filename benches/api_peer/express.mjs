// The endpoints served by Express.

import express from 'express';
import { BODY_BYTES_MAX, HEADERS, JSON_TYPE, PROBLEM_TYPE, compressed, observe, signIn } from './http.mjs';
import { Problem } from './problem.mjs';

export function serve({ clinic, sessions, host, port }) {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.get('/api/patients', endpoint(sessions, (clinician, { query }) => clinic.patients(clinician, query)));
  app.get('/api/records/:id', endpoint(sessions, (clinician, { params }) => clinic.record(clinician, Number(params.id))));
  const json = express.json({ limit: BODY_BYTES_MAX });
  app.put('/api/records/:id', json, endpoint(sessions, (clinician, { params, body }) => clinic.save(clinician, Number(params.id), body)));
  app.use((error, request, response, _next) => {
    const problem = Problem.of(error);
    response.writeHead(problem.status, { ...HEADERS, 'content-type': PROBLEM_TYPE }).end(JSON.stringify(problem));
  });
  app.listen(port, host, 4_096);
}

function endpoint(sessions, answer) {
  return async (request, response) => {
    const begun = performance.now();
    response.on('finish', () => observe(request.method, request.route.path, response.statusCode, begun));
    send(request, response, await answer(await signIn(sessions, request), request));
  };
}

function send(request, response, value) {
  const body = JSON.stringify(value);
  const packed = compressed(request.headers, body);
  response.set(HEADERS).set('content-type', JSON_TYPE);
  if (packed) response.set('content-encoding', 'gzip');
  response.send(packed ?? body);
}
