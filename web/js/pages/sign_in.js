// Sign-in: one form, and for each way it can fail the words that help.

import * as api from "../api.js";
import { button, fill, h, icon } from "../dom.js";
import { setLanguage, t, when } from "../i18n.js";
import { home } from "../session.js";
import { retryDelay } from "../time.js";

const MOST_RETRIES = 20;

setLanguage(navigator.language);
const query = new URLSearchParams(location.search);
draw();

function draw() {
  document.title = `${t("sign_in")} · Hysio`;
  document.querySelector(".skip")?.remove();
  const message = h("div", { id: "message", class: "message", role: "alert" });
  const email = field("email", "sign_in.email", { type: "email", autocomplete: "username", inputmode: "email", autofocus: true });
  const password = field("password", "sign_in.password", { type: "password", autocomplete: "current-password" });
  const submit = h("button", { type: "submit", class: "button primary large" }, h("span", null, t("sign_in")));
  const form = h(
    "form",
    {
      class: "sign-in-form",
      novalidate: true,
      on: {
        submit: (event) => {
          event.preventDefault();
          signIn({ email: email.input, password: password.input, submit, message });
        },
      },
    },
    message,
    email.element,
    password.element,
    submit,
  );
  fill(
    document.getElementById("main"),
    h(
      "div",
      { class: "sign-in" },
      h("div", { class: "sign-in-brand" }, icon("mark"), h("h1", null, "Hysio"), h("p", { class: "quiet" }, t("tagline"))),
      form,
    ),
  );
  greet(message);
  email.input.focus();
}

function field(name, key, attributes) {
  const input = h("input", { id: name, name, required: true, ...attributes });
  return { input, element: h("div", { class: "field" }, h("label", { for: name }, t(key)), input) };
}

function greet(message) {
  const why = query.get("why");
  if (why === "idle" || why === "ended" || why === "signed-out") say(message, t(`sign_in.${why}`), "info");
}

async function signIn({ email, password, submit, message }) {
  const missing = [email, password].find((input) => !input.value.trim());
  for (const input of [email, password]) input.setAttribute("aria-invalid", String(input === missing));
  if (missing) {
    say(message, t(missing === email ? "sign_in.need_email" : "sign_in.need_password"));
    return missing.focus();
  }
  submit.disabled = true;
  say(message, "");
  try {
    const me = await patiently(
      () => api.post("/api/session", { email: email.value.trim(), password: password.value }, { anonymous: true, tries: 1 }),
      message,
    );
    location.replace(destination(me));
  } catch (error) {
    say(message, problem(error));
    submit.disabled = false;
    password.value = "";
    password.focus();
  }
}

/** Tries again by itself while the server can't be reached, saying so; the clinician need not click. */
async function patiently(attemptOnce, message) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attemptOnce();
    } catch (error) {
      if (![0, 503].includes(error.status) || attempt >= MOST_RETRIES) throw error;
      const wait = retryDelay(attempt, error.retryAfter);
      say(message, t("sign_in.waiting", { seconds: Math.ceil(wait / 1000) }), "info");
      await new Promise((resume) => setTimeout(resume, wait));
    }
  }
}

function problem(error) {
  const seconds = error.retryAfter;
  if (error.status === 401) return t("sign_in.wrong");
  if (error.status === 423)
    return seconds ? t("sign_in.locked_until", { time: when(Date.now() + seconds * 1000, "time") }) : t("sign_in.locked");
  if (error.status === 429) return t("sign_in.too_many", { n: Math.ceil(seconds ?? 30) });
  if (error.status === 0 || error.status === 503) return t("error.unavailable");
  return error.body?.detail ?? t("error.unexpected");
}

function say(message, text, kind = "error") {
  message.className = text ? `message ${kind}` : "message";
  fill(message, text && [icon(kind === "error" ? "alert" : "info"), h("p", null, text)]);
}

/** Only to a path of this site: an address from the query is never followed elsewhere. */
function destination(me) {
  const next = query.get("next") ?? "";
  const ours = /^\/(?![/\\])[\w/-]*$/.test(next) && next !== "/sign-in" && next !== "/";
  return ours ? next : home(me.user.role);
}
