// Sends audio and says how it goes; when it can't be sent, what is left to do.

import { button, fill, h, icon } from "../dom.js";
import { t } from "../i18n.js";
import { announce, explain } from "../notice.js";
import { guardPage, holdSession } from "../session.js";
import { bytes, clock } from "../time.js";
import { passing, upload } from "./upload.js";

/**
 * `job` is {file, filename, key, seconds, words, done(), elsewhere}: `words` names what is kept where, `done` cleans
 * up once the server has the audio, `elsewhere` are the buttons offered when it doesn't take it.
 */
export async function send(context, job) {
  const releases = [holdSession("sending"), guardPage(() => true)];
  const given = new AbortController();
  const bar = h("progress", { max: 1, value: 0, "aria-label": t("send.title") });
  const word = h("p", { role: "status" }, t("send.sending"));
  fill(
    context.place,
    h(
      "section",
      { class: "card sending" },
      h("h2", null, t("send.title")),
      h("p", { class: "quiet numeric" }, [job.seconds && clock(job.seconds), bytes(job.file.size)].filter(Boolean).join(" · ")),
      bar,
      word,
      h("p", { class: "quiet small" }, t(job.words)),
      h("div", { class: "button-row" }, button(t("cancel"), { click: () => given.abort() })),
    ),
  );
  try {
    await upload({
      encounterId: context.encounter.id,
      file: job.file,
      filename: job.filename,
      key: job.key,
      signal: given.signal,
      progress: (share) => {
        bar.value = share;
        word.textContent = t(share >= 1 ? "send.checking" : "send.sending");
      },
      waiting: ({ error, ms }) => {
        bar.value = 0;
        word.textContent = `${explain(error)} ${t("send.again_in", { n: Math.ceil(ms / 1000) })}`;
      },
    });
    await job.done();
    announce(t("send.accepted"));
    context.changed();
  } catch (error) {
    // Cancelled at the last moment it may have arrived all the same: the server knows.
    if (error.name === "AbortError") context.changed();
    else refused(context, job, error);
  } finally {
    for (const release of releases) release();
  }
}

function refused(context, job, error) {
  const again = button(t("try_again"), { icon: "again", kind: "primary", click: () => send(context, job) });
  fill(
    context.place,
    h(
      "section",
      { class: "card sending" },
      h("div", { class: "message error", role: "alert" }, icon("alert"), h("p", null, whyRefused(error))),
      h("p", { class: "quiet small" }, t(job.words)),
      h("div", { class: "button-row" }, passing(error) && again, job.elsewhere),
    ),
  );
}

function whyRefused(error) {
  const known = { 409: "send.conflict", 413: "send.too_large", 415: "send.not_audio", 422: "send.empty", 507: "send.full" }[error.status];
  if (!known) return explain(error);
  const detail = [409, 413].includes(error.status) && error.body?.detail; // the others would only say the same again
  return detail ? `${t(known)} (${detail})` : t(known);
}
