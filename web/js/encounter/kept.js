// Recordings that wait in this browser: send them, save them to disk, or delete them.

import { confirmed } from "../dialog.js";
import { button, h } from "../dom.js";
import { t, when } from "../i18n.js";
import { clock } from "../time.js";
import { deleteRecording, recordingBlob, unsentRecordings } from "./recording_store.js";

/** The recordings of an encounter that its clinician made here and that have not been accepted. */
export async function keptFor(encounter, me) {
  const all = await unsentRecordings(me.user.id).catch(() => []);
  const mine = all.filter(({ encounter_id }) => encounter_id === encounter.id);
  const checked = await Promise.all(mine.map(async (recording) => !(await isAccepted(recording, encounter)) && recording));
  return checked.filter(Boolean);
}

/** A card with a row for each; `send(recording, blob)` is left out where the encounter takes no recording any more. */
export function keptCard(recordings, { send, changed }) {
  const row = (recording) =>
    h(
      "li",
      { class: "row" },
      h(
        "span",
        { class: "row-main" },
        h("strong", null, t("kept.recording", { time: clock(recording.seconds) })),
        h("span", { class: "quiet" }, when(recording.started_at)),
      ),
      h("span", { class: "row-side" }, discard(recording, changed), saveToDisk(recording), send && sender(recording, send)),
    );
  return h(
    "section",
    { class: "card stack padded waiting" },
    h("h2", null, t("kept.title")),
    h("p", { class: "quiet" }, t(send ? "kept.words" : "kept.too_late")),
    h("ul", { class: "rows", role: "list" }, recordings.map(row)),
  );
}

export function discard(recording, discarded) {
  return button(t("kept.discard"), {
    icon: "trash",
    click: async () => {
      const sure = await confirmed({
        title: t("kept.discard"),
        body: t("kept.sure", { time: clock(recording.seconds) }),
        yes: t("kept.discard"),
        danger: true,
      });
      if (!sure) return;
      await deleteRecording(recording.id);
      discarded();
    },
  });
}

export function saveToDisk(recording) {
  return button(t("send.to_disk"), {
    icon: "download",
    click: async () => {
      const url = URL.createObjectURL(await recordingBlob(recording));
      h("a", { href: url, download: filenameOf(recording) }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    },
  });
}

export function filenameOf({ media_type }) {
  const suffix = { "audio/webm": "webm", "audio/mp4": "m4a", "audio/ogg": "ogg" }[media_type] ?? "webm";
  return `dictation.${suffix}`;
}

function sender(recording, send) {
  const click = async () => send({ recording, blob: await recordingBlob(recording) });
  return button(t("kept.send"), { icon: "upload", kind: "primary", click });
}

/** When the page went away between the server's answer and the deletion, the deletion is made up for. */
async function isAccepted(recording, encounter) {
  if (!encounter.recording) return false;
  const accepted = (await recordingBlob(recording)).size === encounter.recording.bytes;
  if (accepted) await deleteRecording(recording.id);
  return accepted;
}
