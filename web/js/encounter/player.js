// The recording, played from any moment. Nothing is fetched (and no access audited) until somebody listens.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { toast } from "../notice.js";
import { holdSession } from "../session.js";

/** Browsers' recordings carry no length: seeking past the end once makes the browser find it. */
const FAR_SECONDS = 1e7;

/** {element, playFrom(seconds), toggle(), at(listener)} */
export function player(recording) {
  const audio = h("audio", {
    controls: true,
    preload: "none",
    controlslist: "nodownload",
    "aria-label": t("player.label"),
    src: `/api/recordings/${encodeURIComponent(recording.id)}/audio`,
  });
  let release = () => {};
  let measured = null;
  audio.addEventListener("play", () => {
    release = holdSession("playing");
  });
  for (const event of ["pause", "ended", "error"]) audio.addEventListener(event, () => release());
  audio.addEventListener("error", () => toast(t("player.failed"), { kind: "error" }));
  const measure = () => {
    measured ??= loaded(audio).then(() => (Number.isFinite(audio.duration) ? null : findLength(audio)));
    return measured;
  };
  return {
    element: audio,
    playFrom: async (seconds) => {
      await measure();
      audio.currentTime = seconds;
      await audio.play().catch(() => {});
    },
    toggle: () => (audio.paused ? audio.play().catch(() => {}) : audio.pause()),
    at: (listener) =>
      audio.addEventListener("timeupdate", () => audio.currentTime < FAR_SECONDS / 2 && listener(audio.currentTime, audio.paused)),
  };
}

function loaded(audio) {
  if (audio.readyState >= HTMLMediaElement.HAVE_METADATA) return Promise.resolve();
  audio.preload = "auto";
  audio.load();
  return new Promise((resolve) => audio.addEventListener("loadedmetadata", resolve, { once: true }));
}

function findLength(audio) {
  return new Promise((resolve) => {
    const known = () => {
      if (!Number.isFinite(audio.duration)) return;
      audio.removeEventListener("durationchange", known);
      audio.currentTime = 0;
      resolve();
    };
    audio.addEventListener("durationchange", known);
    audio.currentTime = FAR_SECONDS;
  });
}
