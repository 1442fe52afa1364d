// Elements from values. Text goes in as text nodes only, so nothing a patient says can become markup.

const SPRITE = new URL("../icons/sprite.svg", import.meta.url).href;

/** h("p", {class: "quiet"}, "text", child, null). `on` takes listeners; true/false attributes are boolean. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) set(element, name, value);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An icon of the sprite, hidden from screen readers: the words beside it speak. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${SPRITE}#${name}`);
  svg.append(use);
  return svg;
}

/** A button with an optional icon before its words. */
export function button(label, { icon: name, kind = "", click, ...attributes } = {}) {
  return h(
    "button",
    { type: "button", class: `button ${kind}`, on: click && { click }, ...attributes },
    name && icon(name),
    h("span", null, label),
  );
}

/** Replaces everything in an element. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Text that only screen readers get. */
export function spoken(text) {
  return h("span", { class: "spoken" }, text);
}

let identifiers = 0;

/** An id unique on this page, to tie labels and descriptions. */
export function newId(prefix) {
  identifiers += 1;
  return `${prefix}-${identifiers}`;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") {
    for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
  } else if (name === "style" || name.startsWith("on")) {
    throw new Error(`attribute ${name} is not allowed: use a class or a listener`);
  } else if (name === "value") {
    element.value = value;
  } else {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}
