// Follows a job: by its event stream, and by asking when the stream can't be had.

import { get } from "./api.js";

const ASK_MS = 2000;
const SLOWEST_ASK_MS = 15_000;
/** A stream that says nothing this long is checked by asking once. */
const SILENCE_MS = 20_000;

/**
 * `changed(job)` hears each change; `ended()` comes once, when the stream says that it is over or asking
 * shows it. Returns how to stop.
 */
export function follow(jobId, { changed, ended }) {
  const path = `/api/jobs/${encodeURIComponent(jobId)}`;
  let over = false;
  let timer = 0;
  const stop = () => {
    over = true;
    clearTimeout(timer);
    stream.close();
  };
  const end = () => {
    if (over) return;
    stop();
    ended();
  };
  const ask = async (wait, repeat) => {
    try {
      const job = await get(path);
      if (over) return;
      changed(job);
      if (isOver(job)) return end();
    } catch (error) {
      if (error.status === 401 || error.status === 404) return end();
    }
    if (repeat && !over) timer = setTimeout(() => ask(Math.min(wait * 1.5, SLOWEST_ASK_MS), true), wait);
    else listenForSilence();
  };
  const listenForSilence = () => {
    clearTimeout(timer);
    if (!over) timer = setTimeout(() => ask(ASK_MS, stream.readyState === EventSource.CLOSED), SILENCE_MS);
  };
  const stream = new EventSource(`${path}/events`);
  stream.addEventListener("job", ({ data }) => {
    listenForSilence();
    changed(JSON.parse(data));
  });
  stream.addEventListener("done", end);
  stream.addEventListener("error", () => {
    // While "connecting" the browser tries again by itself; "closed" means it won't.
    if (stream.readyState !== EventSource.CLOSED || over) return;
    clearTimeout(timer);
    ask(ASK_MS, true);
  });
  listenForSilence();
  return stop;
}

/** A report ends with its job; other jobs are followed by the next, until the encounter has a draft. */
function isOver({ queue, state, stage }) {
  if (state === "dead") return true;
  return ["reports", "email"].includes(queue) ? state === "done" : ["drafted", "signed", "failed"].includes(stage);
}
