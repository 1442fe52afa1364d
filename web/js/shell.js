// What every page has: header, navigation by role, offline banner, and one place where a page can fail.

import { ApiError } from "./api.js";
import { button, fill, h, icon } from "./dom.js";
import { setLanguage, t } from "./i18n.js";
import { errorState, explain, skeleton } from "./notice.js";
import { home, signedIn, signOut } from "./session.js";

const PAGES = [
  { path: "/", key: "nav.start", roles: ["clinician"] },
  { path: "/admin", key: "nav.admin", roles: ["facility_admin"] },
  { path: "/operations", key: "nav.operations", roles: ["operator", "facility_admin"] },
  { path: "/capacity", key: "nav.capacity", roles: ["operator"] },
  { path: "/audit", key: "nav.audit", roles: ["auditor"] },
];

/** Draws a page for whoever is signed in. `render(main, me)` fills the main element. */
export async function page(titleKey, render) {
  setLanguage(navigator.language);
  const main = document.getElementById("main");
  fill(main, skeleton(4));
  watchConnection();
  try {
    const me = await signedIn();
    setTitle(t(titleKey));
    drawHeader(me);
    if (location.pathname === "/" && home(me.user.role) !== "/") return void location.replace(home(me.user.role));
    await render(main, me);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return;
    if (!(error instanceof ApiError)) console.error(error);
    fill(main, [403, 404].includes(error.status) ? nothingHere(error) : errorState(error, () => location.reload()));
  }
}

/** Never a patient's name: titles end up in the browser's history. */
export function setTitle(title) {
  document.title = `${title} · Hysio`;
}

/** Last path segment: the id of /patients/{id} and /encounters/{id}. */
export function idInPath() {
  return decodeURIComponent(location.pathname.split("/").filter(Boolean).pop() ?? "");
}

function drawHeader(me) {
  document.querySelector(".skip").textContent = t("skip");
  const links = PAGES.filter(({ roles }) => roles.includes(me.user.role)).map(({ path, key }) =>
    h("a", { href: path, "aria-current": location.pathname === path ? "page" : null }, t(key)),
  );
  fill(
    document.getElementById("header"),
    h("a", { class: "brand", href: home(me.user.role), "aria-label": t("brand_home") }, icon("mark"), h("span", null, "Hysio")),
    h("nav", { "aria-label": t("nav.label") }, links),
    h(
      "div",
      { class: "who" },
      h("p", null, h("span", { class: "who-name" }, me.user.name), me.facility && h("span", { class: "who-place" }, me.facility.name)),
      button(t("sign_out"), { icon: "leave", kind: "plain", id: "sign-out", click: () => signOut() }),
    ),
  );
}

function nothingHere(error) {
  return h(
    "div",
    { class: "state", role: "alert" },
    icon("info"),
    h("p", null, explain(error)),
    h("a", { class: "button", href: "/" }, t("to_start")),
  );
}

function watchConnection() {
  const banner = h("div", { class: "banner", role: "status", "aria-live": "polite" });
  document.getElementById("header").after(banner);
  const draw = () => fill(banner, !navigator.onLine && [icon("offline"), h("p", null, t("offline"))]);
  addEventListener("online", draw);
  addEventListener("offline", draw);
  draw();
}
