// A search box with a list of options, after the ARIA Authoring Practices' editable combobox with list
// autocomplete: focus stays in the input, arrows move aria-activedescendant, Enter chooses, Escape closes.

import { fill, h, icon, newId } from "./dom.js";
import { t } from "./i18n.js";
import { explain } from "./notice.js";

const PAUSE_MS = 180;

/**
 * `search(query, signal)` gives items; `row(item)` their words; `choose(item)` takes one.
 * `last(query)` may add a final option {label, act}, such as adding what was not found.
 */
export function combobox({ label, placeholder, search, row, choose, last, hideLabel = false, minimum = 1 }) {
  const [inputId, listId] = [newId("combobox"), newId("options")];
  const input = h("input", {
    id: inputId,
    type: "search",
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": listId,
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "off",
    placeholder,
  });
  const list = h("ul", { id: listId, role: "listbox", class: "options", hidden: true, "aria-label": label });
  const hint = h("p", { class: "combobox-hint quiet", role: "status" });
  let options = [];
  let current = -1;
  let pause = 0;
  let running = null;
  let stale = true;

  const close = () => {
    list.hidden = true;
    current = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const show = () => {
    list.hidden = options.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
  };
  const mark = (index) => {
    current = index;
    options.forEach(({ element }, at) => element.setAttribute("aria-selected", String(at === index)));
    if (index < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", options[index].element.id);
    options[index].element.scrollIntoView({ block: "nearest" });
  };
  const take = (index) => {
    const option = options[index];
    if (!option) return;
    close();
    option.act();
  };
  const draw = (items, query) => {
    stale = false;
    options = items.map((item) => ({ content: row(item), act: () => choose(item) }));
    const more = last?.(query);
    if (more) options.push({ content: [icon("plus"), h("span", null, more.label)], act: more.act });
    options.forEach((option, index) => {
      option.element = h(
        "li",
        {
          id: newId("option"),
          role: "option",
          "aria-selected": "false",
          on: { pointerdown: (event) => event.preventDefault(), click: () => take(index) },
        },
        option.content,
      );
    });
    fill(
      list,
      options.map(({ element }) => element),
    );
    hint.textContent = items.length ? "" : t("search.none", { query });
    hint.classList.toggle("spoken", items.length > 0);
    if (items.length) hint.textContent = t("search.found", { n: items.length });
    show();
    mark(items.length ? 0 : -1);
  };
  const look = async () => {
    running?.abort();
    clearTimeout(pause);
    const query = input.value.trim();
    if (query.length < minimum) {
      hint.textContent = "";
      return close();
    }
    const mine = (running = new AbortController());
    try {
      const items = await search(query, mine.signal);
      if (running === mine && !mine.signal.aborted) draw(items, query);
    } catch (error) {
      if (error.name === "AbortError") return;
      close();
      hint.classList.remove("spoken");
      hint.textContent = explain(error);
    }
  };
  const keys = {
    ArrowDown: () => (list.hidden && options.length ? show() : mark((current + 1) % options.length)),
    ArrowUp: () => mark((current - 1 + options.length) % options.length),
    Enter: () => take(current),
  };
  input.addEventListener("input", () => {
    stale = true;
    mark(-1);
    clearTimeout(pause);
    pause = setTimeout(look, PAUSE_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      return close();
    }
    if (!(event.key in keys) || event.isComposing) return;
    event.preventDefault();
    // What is listed may still answer the words before: keys must not choose from it.
    if (stale || !options.length || (event.key !== "ArrowDown" && list.hidden)) return void look();
    keys[event.key]();
  });
  input.addEventListener("blur", close);
  input.addEventListener("focus", () => input.value.trim().length >= minimum && options.length && show());

  const element = h(
    "div",
    { class: "combobox" },
    h("label", { for: inputId, class: hideLabel ? "spoken" : null }, label),
    h("div", { class: "combobox-box" }, icon("search"), input, list),
    hint,
  );
  return {
    element,
    input,
    clear: () => {
      input.value = "";
      hint.textContent = "";
      options = [];
      close();
    },
  };
}
