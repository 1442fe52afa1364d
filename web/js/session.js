// Who is signed in, and until when: idle warning, sign-out in every tab, and what is cleared then.

import * as api from "./api.js";
import { button, h } from "./dom.js";
import { confirmed, openDialog } from "./dialog.js";
import { forgetDrafts } from "./encounter/drafts.js";
import { setLanguage, t } from "./i18n.js";
import { idlePhase } from "./time.js";

const WARN_SECONDS = 60;
const CHECK_MS = 1000;
/** The server counts requests as activity, not reading: it is told at most this often. */
const PING_MS = 60_000;
const ACTIVITY = ["pointerdown", "keydown", "wheel", "touchstart"];

const tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel("hysio-session") : null;
const beforeLeaving = new Set();
const busy = new Set();
const guards = new Set();
let leaving = false;

/** The signed-in user (Me), or a redirect to the sign-in page and a promise that never resolves. */
export async function signedIn() {
  api.onSignedOut(() => leave("ended"));
  const me = await api.get("/api/session");
  setLanguage(me.user.language, navigator.language);
  forgetDrafts({ except: me.user.id });
  addEventListener("beforeunload", (event) => !leaving && [...guards].some((needed) => needed()) && event.preventDefault());
  // A page that comes back from the browser's memory may belong to a session that is over.
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  keepAlive(me);
  return me;
}

/** `task()` is awaited before a sign-out; it saves what is unsaved and says whether it could. Returns how to take it back. */
export function beforeSignOut(task) {
  beforeLeaving.add(task);
  return () => beforeLeaving.delete(task);
}

/** While a reason is held (recording, sending, playing) the session doesn't idle out; returns its release. */
export function holdSession(reason) {
  busy.add(reason);
  return () => busy.delete(reason);
}

/** While `needed()` holds, closing or leaving the page asks first (signing out doesn't); returns its release. */
export function guardPage(needed) {
  guards.add(needed);
  return () => guards.delete(needed);
}

/**
 * Saves, ends the session, forgets what this browser kept of it, and shows the sign-in page. Text that could
 * not be saved is dropped only by the one who wrote it; when idle it waits in this tab for the same user.
 */
export async function signOut(why = "signed-out") {
  const results = await Promise.allSettled([...beforeLeaving].map((task) => task()));
  const saved = results.every(({ status, value }) => status === "fulfilled" && value !== false);
  if (
    !saved &&
    why === "signed-out" &&
    !(await confirmed({ title: t("sign_out"), body: t("sign_out.unsaved"), yes: t("sign_out.anyway"), danger: true }))
  )
    return;
  if (saved || why === "signed-out") forgetDrafts();
  await api.remove("/api/session").catch(() => {});
  tabs?.postMessage({ type: "signed-out" });
  leave(why);
}

/** Where a role begins. */
export function home(role) {
  return { clinician: "/", facility_admin: "/admin", operator: "/operations", auditor: "/audit" }[role] ?? "/";
}

function leave(why) {
  if (leaving) return;
  leaving = true;
  document.getElementById("main").replaceChildren();
  const next = why === "signed-out" ? "" : `&next=${encodeURIComponent(location.pathname)}`;
  location.replace(`/sign-in?why=${why}${next}`);
}

function keepAlive(me) {
  let lastActivity = Date.now();
  let lastPing = Date.now();
  let warning = null;
  const active = (fromHere = true) => {
    if (warning && fromHere) return;
    lastActivity = Date.now();
    if (fromHere) tabs?.postMessage({ type: "active" });
  };
  const ping = () => {
    lastPing = Date.now();
    api.get("/api/session").catch(() => {});
  };
  for (const event of ACTIVITY)
    addEventListener(
      event,
      throttle(() => active(), CHECK_MS),
      { passive: true, capture: true },
    );
  tabs?.addEventListener("message", ({ data }) => {
    if (data.type === "signed-out") leave("signed-out");
    else active(false);
  });
  setInterval(() => {
    if (busy.size) lastActivity = Date.now();
    const { phase, left } = idlePhase({
      now: Date.now(),
      lastActivity,
      timeoutSeconds: me.idle_timeout_seconds,
      warnSeconds: WARN_SECONDS,
    });
    if (phase === "over") return void (leaving || signOut("idle"));
    if (phase === "warning") {
      warning ??= warn(() => {
        warning = null;
        active();
        ping();
      });
      warning.left(left);
    } else {
      warning?.close();
      warning = null;
      if (lastActivity > lastPing && Date.now() - lastPing > Math.min(PING_MS, me.idle_timeout_seconds * 250)) ping();
    }
  }, CHECK_MS);
}

function warn(stay) {
  const seconds = h("strong", { class: "numeric" });
  const dialog = openDialog({
    title: t("idle.title"),
    body: [h("p", null, t("idle.before"), " ", seconds, " ", t("idle.after"))],
    actions: [
      button(t("sign_out"), { click: () => signOut() }),
      button(t("idle.stay"), { kind: "primary", autofocus: true, click: () => dialog.close() }),
    ],
    onClose: stay,
  });
  return { left: (n) => seconds.replaceChildren(t("seconds", { n })), close: dialog.close };
}

function throttle(task, everyMs) {
  let last = 0;
  return () => {
    if (Date.now() - last < everyMs) return;
    last = Date.now();
    task();
  };
}
