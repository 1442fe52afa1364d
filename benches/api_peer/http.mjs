// What both frameworks do with every request and answer.

import { gzipSync } from 'node:zlib';
import { Histogram } from 'prom-client';
import { Problem } from './problem.mjs';

export const HEADERS = {
  'cache-control': 'no-store',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  vary: 'accept-encoding',
};
export const JSON_TYPE = 'application/json; charset=utf-8';
export const PROBLEM_TYPE = 'application/problem+json';
export const BODY_BYTES_MAX = 1_000_000;
/** Shorter answers are sent as they are. */
const COMPRESSED_FROM = 1_024;

const requests = new Histogram({
  name: 'http_request_duration_seconds',
  help: 'Time to an answer',
  labelNames: ['method', 'route', 'status'],
});

/** Who is asking, after what only our own pages can send. */
export function signIn(sessions, { method, headers }) {
  if (method !== 'GET' && !headers['x-hysio-request']) throw Problem.forgery();
  return sessions.clinician(headers.cookie);
}

/** The body compressed, or null. An answer is small: a stream and a thread would cost more than they save. */
export function compressed(headers, body) {
  const wanted = body.length >= COMPRESSED_FROM && /\bgzip\b/.test(headers['accept-encoding'] ?? '');
  return wanted ? gzipSync(body) : null;
}

export function observe(method, route, status, begun) {
  requests.observe({ method, route, status }, (performance.now() - begun) / 1_000);
}
