// A facility's users.

import * as api from "../api.js";
import { button, fill, h, newId } from "../dom.js";
import { openDialog } from "../dialog.js";
import { t } from "../i18n.js";
import { emptyState, explain, failed, loadInto, toast } from "../notice.js";
import { learningSection } from "../learning.js";
import { page } from "../shell.js";
import { SPECIALTIES } from "../start_encounter.js";
import { table } from "../table.js";

/** Operators and auditors are not of one facility, so its administrator can't make them. */
const ROLES = ["clinician", "facility_admin"];
const SHORTEST_PASSWORD = 10;

page("admin.title", async (main, me) => {
  const place = h("div", null);
  const learning = h("div", null);
  const again = () => loadInto(place, () => users(me, again));
  fill(
    main,
    h(
      "div",
      { class: "wide-page stack" },
      h(
        "div",
        { class: "title-row" },
        h("h1", null, t("admin.title")),
        button(t("admin.add"), { icon: "plus", kind: "primary", click: () => addUser(again) }),
      ),
      place,
      learning,
    ),
  );
  await again();
  await loadInto(learning, learningSection);
});

async function users(me, again) {
  const answer = await api.get("/api/users");
  const all = Array.isArray(answer) ? answer : answer.users;
  if (!all.length) return emptyState(t("admin.none"));
  return table({
    caption: t("admin.title"),
    rows: all,
    columns: [
      { title: t("admin.name"), cell: ({ name }) => name },
      { title: t("admin.email"), cell: ({ email }) => email },
      { title: t("admin.role"), cell: ({ role }) => t(`role.${role}`) },
      { title: t("admin.specialty"), cell: ({ specialty }) => (specialty ? t(`specialty.${specialty}`) : "") },
      { title: t("admin.state"), cell: (user) => h("span", { class: `chip ${stateOf(user)}` }, t(`admin.${stateOf(user)}`)) },
      { title: t("admin.actions"), cell: (user) => h("div", { class: "button-row" }, actions(user, me, again)) },
    ],
  });
}

function stateOf({ disabled, locked, locked_until }) {
  if (disabled) return "disabled";
  return locked || (locked_until && new Date(locked_until) > new Date()) ? "locked" : "active";
}

function actions(user, me, again) {
  const act = (key, body) =>
    button(t(key), { kind: "small", "aria-label": `${t(key)}: ${user.name}`, click: () => change(user, body, again) });
  return [
    stateOf(user) === "locked" && act("admin.unlock", { unlock: true }),
    user.id !== me.user.id && act(user.disabled ? "admin.enable" : "admin.disable", { disabled: !user.disabled }),
    button(t("admin.set_password"), {
      kind: "small",
      "aria-label": `${t("admin.set_password")}: ${user.name}`,
      click: () => setPassword(user, again),
    }),
  ];
}

async function change(user, body, again) {
  try {
    await api.patch(`/api/users/${encodeURIComponent(user.id)}`, body);
    toast(t("admin.done"));
    await again();
  } catch (error) {
    failed(error);
  }
}

function setPassword(user, again) {
  const password = field(
    "new_password",
    { type: "password", autocomplete: "new-password", required: true, minlength: SHORTEST_PASSWORD },
    t("admin.password_hint"),
  );
  ask(
    `${t("admin.set_password")}: ${user.name}`,
    [password],
    () => api.patch(`/api/users/${encodeURIComponent(user.id)}`, { password: password.input.value }),
    again,
  );
}

function addUser(again) {
  const fields = [
    field("name", { required: true, maxlength: 200, autocomplete: "off" }),
    field("email", { type: "email", required: true, autocomplete: "off" }),
    field(
      "password",
      { type: "password", required: true, minlength: SHORTEST_PASSWORD, autocomplete: "new-password" },
      t("admin.password_hint"),
    ),
    choice(
      "role",
      ROLES.map((role) => [role, t(`role.${role}`)]),
    ),
    choice("specialty", [["", t("admin.none")], ...SPECIALTIES.map((name) => [name, t(`specialty.${name}`)])]),
    choice("language", [
      ["en", t("language.en")],
      ["nl", t("language.nl")],
    ]),
  ];
  const key = crypto.randomUUID();
  let tries = 0;
  ask(
    t("admin.add"),
    fields,
    () => {
      tries += 1;
      const body = Object.fromEntries(fields.map(({ name, input }) => [name, input.value.trim() || undefined]));
      return api.post("/api/users", { ...body, password: fields[2].input.value }, { key: `${key}-${tries}` });
    },
    again,
  );
}

function ask(title, fields, act, again) {
  const problem = h("div", { role: "alert" });
  const yes = h("button", { type: "submit", class: "button primary" }, h("span", null, t("save")));
  const dialog = openDialog({
    title,
    body: [
      problem,
      h(
        "div",
        { class: "form-grid" },
        fields.map(({ element }) => element),
      ),
    ],
    actions: [button(t("cancel"), { click: () => dialog.close() }), yes],
    submit: async () => {
      const wrong = fields.find(({ input }) => !input.checkValidity());
      for (const { input } of fields) input.setAttribute("aria-invalid", String(input === wrong?.input));
      if (wrong) {
        fill(problem, h("p", { class: "message error" }, `${wrong.label}: ${wrong.input.validationMessage}`));
        return wrong.input.focus();
      }
      yes.disabled = true;
      try {
        await act();
        dialog.close();
        toast(t("admin.done"));
        await again();
      } catch (error) {
        yes.disabled = false;
        fill(problem, h("p", { class: "message error" }, explain(error)));
      }
    },
  });
  fields[0].input.focus();
}

function field(name, attributes, hint) {
  const id = newId(name);
  const label = t(`admin.${name}`);
  const input = h("input", { id, name, ...attributes });
  return {
    name,
    label,
    input,
    element: h("div", { class: "field" }, h("label", { for: id }, label), input, hint && h("p", { class: "field-note" }, hint)),
  };
}

function choice(name, options) {
  const id = newId(name);
  const label = t(`admin.${name}`);
  const input = h(
    "select",
    { id, name },
    options.map(([value, words]) => h("option", { value }, words)),
  );
  return { name, label, input, element: h("div", { class: "field" }, h("label", { for: id }, label), input) };
}
