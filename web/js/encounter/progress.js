// Step 2: the stages of a dictation, as they happen.

import { fill, h, icon } from "../dom.js";
import { percent, t } from "../i18n.js";
import { announce } from "../notice.js";
import { follow } from "../jobs.js";

/** What is being done once a state is reached. */
const STAGES = [
  { reached: "received", key: "stage.transcribing" },
  { reached: "transcribed", key: "stage.coding" },
  { reached: "coded", key: "stage.drafting" },
];
const ORDER = ["received", "transcribed", "coded", "drafted"];

/** Draws the stages and follows the encounter's job; `reached(stage)` hears each new stage and the end. */
export function watch(place, encounter, reached) {
  const state = { stage: encounter.state, progress: null, message: null, attempt: 1 };
  draw(place, state);
  if (!encounter.job_id) return () => {};
  return follow(encounter.job_id, {
    changed: (job) => {
      const moved = job.stage !== state.stage;
      Object.assign(state, { stage: job.stage, progress: job.progress, message: job.message, attempt: job.attempt });
      draw(place, state);
      if (!moved) return;
      announce(t(`state.${job.stage}`));
      reached(job.stage);
    },
    ended: () => reached("end"),
  });
}

function draw(place, { stage, progress, message, attempt }) {
  const at = ORDER.indexOf(stage);
  const share = Number.isFinite(progress) ? progress : null;
  const rows = STAGES.map(({ reached, key }, index) => {
    const phase = at > index ? "done" : at === index ? "now" : "next";
    return h(
      "li",
      { class: `stage ${phase}`, "aria-current": phase === "now" ? "step" : null },
      h("span", { class: "stage-mark", "aria-hidden": "true" }, phase === "done" && icon("check")),
      h("span", { class: "stage-word" }, t(key)),
      h(
        "span",
        { class: "stage-side numeric" },
        phase === "now" && reached === "received" && share !== null ? percent(share) : phase === "done" ? t("stage.done") : "",
      ),
    );
  });
  const bar = h("progress", { max: 1, "aria-label": t("stage.title") });
  if (at > 0 || share !== null) bar.value = overall(at, share);
  fill(
    place,
    h(
      "section",
      { class: "card progress-card" },
      h("h2", null, t("stage.title")),
      bar,
      h("ol", { class: "stages", role: "list" }, rows),
      attempt > 1 && h("p", { class: "message warn" }, t("stage.again", { attempt })),
      h("p", { class: "quiet small" }, message ?? t("stage.leave")),
    ),
  );
}

/** Transcribing is nearly all of the work; the rest shares what is left. */
function overall(at, share) {
  const bounds = [0, 0.85, 0.95, 1, 1];
  const place = Math.max(0, at);
  return bounds[place] + (bounds[place + 1] - bounds[place]) * (share ?? 0);
}
