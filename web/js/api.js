// The JSON API as functions. Retries only what can't happen twice: reads, and creating POSTs with their key.

import { retryDelay } from "./time.js";

const MOST_TRIES = 3;
/** A retry the clinician would wait for without knowing why is shown instead. */
const LONGEST_SILENT_WAIT_MS = 3000;

/** An answer that is not 2xx (status 0: no answer at all). `slug` is the last part of the problem's type. */
export class ApiError extends Error {
  constructor(status, body, retryAfter) {
    super(body?.detail ?? body?.title ?? `status ${status}`);
    this.name = "ApiError";
    this.status = status;
    this.body = body ?? {};
    this.slug = String(body?.type ?? "")
      .split("/")
      .pop();
    this.retryAfter = retryAfter;
  }
}

export const get = (path, options) => send("GET", path, undefined, options);
export const put = (path, body) => send("PUT", path, body);
export const patch = (path, body) => send("PATCH", path, body);
export const remove = (path) => send("DELETE", path);
/** A POST carries an Idempotency-Key, so that an answer that was lost is not a second record. */
export const post = (path, body, { key = crypto.randomUUID(), ...options } = {}) => send("POST", path, body, { ...options, key });

/** Called when the session is gone; set by session.js, so that this file knows nothing of pages. */
let signedOut = () => {};
export function onSignedOut(listener) {
  signedOut = listener;
}

/** Reports a 401 from requests that don't go through `send` (uploads, event streams). */
export function sessionLost() {
  signedOut();
}

async function send(method, path, body, { key, signal, tries = MOST_TRIES, anonymous = false } = {}) {
  const repeatable = method === "GET" || key !== undefined;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(method, path, body, { key, signal });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401 && !anonymous) signedOut();
      const wait = retryDelay(attempt, error.retryAfter);
      const refused = error.status === 429; // not taken, so it can be sent again whatever it is
      const passing = refused || (repeatable && [0, 503].includes(error.status));
      if (!passing || attempt >= tries || wait > LONGEST_SILENT_WAIT_MS) throw error;
      await new Promise((resume) => setTimeout(resume, wait));
    }
  }
}

async function once(method, path, body, { key, signal }) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-Hysio-Request"] = "1";
  if (key) headers["Idempotency-Key"] = key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, null);
  }
  const answer = await read(response);
  if (!response.ok) throw new ApiError(response.status, answer, retryAfter(response.headers.get("Retry-After")));
  return answer;
}

async function read(response) {
  if (response.status === 204) return null;
  const isJson = /\bjson\b/.test(response.headers.get("Content-Type") ?? "");
  return isJson ? response.json().catch(() => null) : null;
}

/** Seconds of a Retry-After header, given as seconds or as a date. */
export function retryAfter(header, now = Date.now()) {
  if (!header) return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
