// Sends a recording until the server has accepted it, always with the same key, so that it arrives once.

import { ApiError, retryAfter, sessionLost } from "../api.js";
import { retryDelay } from "../time.js";

/** About ten minutes of trying; then the clinician is asked, and coming back online begins anew. */
const MOST_TRIES = 25;

/**
 * Resolves with the server's 202 answer. `progress(share)` follows the bytes; `waiting({error, ms})` each pause.
 * Rejects with an ApiError that another try can't mend, or when the tries are used up.
 */
export async function upload({ encounterId, file, filename, key, progress, waiting, signal }) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once({ encounterId, file, filename, key, progress, signal });
    } catch (error) {
      if (!passing(error) || attempt >= MOST_TRIES) throw error;
      const ms = retryDelay(attempt, error.retryAfter);
      waiting?.({ error, ms });
      await pause(ms, signal);
    }
  }
}

/** No answer, a broken upload, too many requests, storage full, or a server that is starting or drained: these pass. */
export function passing(error) {
  if (!(error instanceof ApiError)) return false;
  if (["request-in-progress", "upload-incomplete"].includes(error.slug)) return true;
  return [0, 408, 425, 429, 500, 502, 503, 504, 507].includes(error.status);
}

function once({ encounterId, file, filename, key, progress, signal }) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append("encounter_id", encounterId);
    form.append("file", file, filename);
    const request = new XMLHttpRequest(); // fetch can't report upload progress
    request.open("POST", "/api/transcription");
    request.setRequestHeader("Idempotency-Key", key);
    request.setRequestHeader("X-Hysio-Request", "1");
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => progress?.(total ? loaded / total : 0));
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) return resolve(request.response);
      if (request.status === 401) sessionLost();
      reject(new ApiError(request.status, request.response, retryAfter(request.getResponseHeader("Retry-After"))));
    });
    request.addEventListener("error", () => reject(new ApiError(0, null)));
    request.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

/** Waits, but not longer than until the network is back. */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    }
    addEventListener("online", done);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(new DOMException("aborted", "AbortError"));
      },
      { once: true },
    );
  });
}
