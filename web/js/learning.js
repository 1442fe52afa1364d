// What a facility has learnt from decisions on codes, for its administrator: switched, shared, forgotten.

import * as api from "./api.js";
import { button, fill, h } from "./dom.js";
import { t, when } from "./i18n.js";
import { emptyState, failed, toast } from "./notice.js";
import { table } from "./table.js";

/** The section; it loads itself again after every change. */
export async function learningSection() {
  const place = h("section", { class: "stack", "aria-labelledby": "learning-title" });
  const again = async () => draw(place, await api.get("/api/learning"), again);
  await again();
  return place;
}

function draw(place, learning, again) {
  const act = (call) => async () => {
    try {
      await call();
      toast(t("admin.done"));
      await again();
    } catch (error) {
      failed(error);
    }
  };
  fill(
    place,
    h("h2", { id: "learning-title" }, t("learning.title")),
    h("p", { class: "quiet" }, t("learning.words")),
    toggle("enabled", learning, act),
    toggle("uses_shared", learning, act),
    sharing(learning, act),
    learning.lessons.length ? list(learning.lessons, act) : emptyState(t("learning.none")),
  );
}

function toggle(name, learning, act) {
  const box = h("input", {
    type: "checkbox",
    checked: learning[name],
    on: { change: () => act(() => api.patch("/api/learning", { [name]: box.checked }))() },
  });
  return h("label", { class: "teach" }, box, h("span", null, t(`learning.${name}`)));
}

function sharing({ shared, shared_decisions_min: least }, act) {
  return h(
    "div",
    { class: "button-row" },
    button(t("learning.share"), { kind: "small", click: act(() => api.put("/api/learning/share")) }),
    shared && button(t("learning.unshare"), { kind: "small", click: act(() => api.remove("/api/learning/share")) }),
    h(
      "p",
      { class: "quiet small" },
      shared ? t("learning.shared", { codes: shared.codes, since: when(shared.since) }) : t("learning.share_words", { least }),
    ),
  );
}

function list(lessons, act) {
  return table({
    caption: t("learning.title"),
    rows: lessons,
    columns: [
      { title: t("learning.code"), cell: ({ code, title }) => [h("strong", { class: "code" }, code), " ", title] },
      { title: t("learning.phrase"), cell: ({ phrase }) => (phrase ? h("q", null, phrase) : "") },
      { title: t("admin.specialty"), cell: ({ specialty }) => (specialty ? t(`specialty.${specialty}`) : "") },
      { title: t("learning.counts"), numeric: true, cell: ({ accepted, rejected }) => `${accepted} / ${accepted + rejected}` },
      { title: t("admin.actions"), cell: (lesson) => actions(lesson, act) },
    ],
  });
}

function actions({ id, code, off }, act) {
  const path = `/api/learning/lessons/${encodeURIComponent(id)}`;
  const named = (key) => ({ kind: "small", "aria-label": `${t(key)}: ${code}` });
  const key = off ? "learning.on" : "learning.off";
  return h(
    "div",
    { class: "button-row" },
    button(t(key), { ...named(key), click: act(() => api.patch(path, { off: !off })) }),
    button(t("learning.forget"), { ...named("learning.forget"), click: act(() => api.remove(path)) }),
  );
}
