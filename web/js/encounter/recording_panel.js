// What is seen while recording: time, loudness, pause and stop.

import { button, fill, h, icon } from "../dom.js";
import { t } from "../i18n.js";
import { beforeSignOut, guardPage, holdSession } from "../session.js";
import { clock } from "../time.js";

const SILENT_LEVEL = 0.12;
const SILENCE_SHOWN_MS = 6000;
const BARS = 40;
const BAR_MS = 60;

/** Fills `place` and hands {recording, blob} to `stopped`. A sign-out meanwhile ends and keeps the recording. */
export function recordingPanel(place, recorder, stopped) {
  const releases = [holdSession("recording"), guardPage(() => true), beforeSignOut(() => recorder.stop())];
  const time = h("p", { class: "record-time numeric", role: "timer" }, clock(0));
  const meter = h(
    "div",
    { class: "meter", "aria-hidden": "true" },
    Array.from({ length: BARS }, () => h("i")),
  );
  const word = h("p", { class: "record-word", role: "status" }, t("record.on"));
  const silence = h("p", { class: "quiet record-silence", role: "status" });
  const hold = button(t("record.pause"), { icon: "pause", kind: "large", click: () => (recorder.paused() ? resume() : pause()) });
  const pause = () => {
    recorder.pause();
    relabel("play", "record.resume", "record.paused");
  };
  const resume = () => {
    recorder.resume();
    relabel("pause", "record.pause", "record.on");
  };
  const relabel = (sign, label, state) => {
    fill(hold, icon(sign), h("span", null, t(label)));
    word.textContent = t(state);
    panel.classList.toggle("paused", recorder.paused());
  };
  const stop = button(t("record.stop"), {
    icon: "stop",
    kind: "primary large",
    click: async () => {
      stop.disabled = hold.disabled = true;
      drawing.stop();
      for (const release of releases) release();
      stopped(await recorder.stop());
    },
  });
  const panel = h(
    "section",
    { class: "card recording", "aria-label": t("record.title") },
    h("div", { class: "record-head" }, h("span", { class: "record-dot", "aria-hidden": "true" }), word),
    time,
    meter,
    silence,
    h("div", { class: "button-row" }, hold, stop),
    h("p", { class: "quiet small" }, icon("lock"), " ", t("record.kept")),
  );
  fill(place, panel);
  const drawing = draw(recorder, { time, meter, silence });
  hold.focus();
}

/** Moves the bars and the time with every frame, and says so when nothing is heard. */
function draw(recorder, { time, meter, silence }) {
  const bars = [...meter.children];
  const levels = new Array(BARS).fill(0);
  let heard = performance.now();
  let shifted = 0;
  let frame = requestAnimationFrame(function step(now) {
    frame = requestAnimationFrame(step);
    const level = recorder.paused() ? 0 : recorder.level();
    if (level > SILENT_LEVEL || recorder.paused()) heard = now;
    const words = now - heard > SILENCE_SHOWN_MS ? t("record.silent") : "";
    if (silence.textContent !== words) silence.textContent = words;
    const text = clock(recorder.seconds());
    if (time.textContent !== text) time.textContent = text;
    if (now - shifted < BAR_MS) return;
    shifted = now;
    levels.push(level);
    levels.shift();
    bars.forEach((bar, index) => bar.style.setProperty("--level", levels[index].toFixed(3)));
  });
  return { stop: () => cancelAnimationFrame(frame) };
}
