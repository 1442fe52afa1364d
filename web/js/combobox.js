// A search box with a list of options, after the ARIA Authoring Practices' editable combobox with list
// autocomplete: focus stays in the input, arrows move aria-activedescendant, Enter chooses, Escape closes.

import { fill, h, icon, newId } from "./dom.js";
import { t } from "./i18n.js";
import { explain } from "./notice.js";

const PAUSE_MS = 180;

/**
 * {element, input, clear()}. `search(query, signal)` gives items; `row(item)` their words; `choose(item)` takes one.
 * `last(query)` may add a final option {label, act}, such as adding what was not found.
 */
export function combobox(wanted) {
  const box = new Combobox(wanted);
  return { element: box.element, input: box.input, clear: () => box.clear() };
}

class Combobox {
  options = [];
  current = -1;
  /** Whether the options may answer earlier words: then keys must not choose from them. */
  stale = true;
  pause = 0;
  running = null;

  constructor({ label, placeholder, search, row, choose, last, minimum = 1 }) {
    Object.assign(this, { search, row, choose, last, minimum });
    const [inputId, listId] = [newId("combobox"), newId("options")];
    this.input = h("input", {
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
      on: {
        input: () => this.typed(),
        keydown: (event) => this.pressed(event),
        blur: () => this.close(),
        focus: () => this.options.length && this.open(),
      },
    });
    this.list = h("ul", { id: listId, role: "listbox", class: "options", hidden: true, "aria-label": label });
    this.hint = h("p", { class: "combobox-hint quiet", role: "status" });
    this.element = h(
      "div",
      { class: "combobox" },
      h("label", { for: inputId }, label),
      h("div", { class: "combobox-box" }, icon("search"), this.input, this.list),
      this.hint,
    );
  }

  clear() {
    this.input.value = "";
    this.options = [];
    this.say("");
    this.close();
  }

  typed() {
    this.stale = true;
    this.mark(-1);
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.look(), PAUSE_MS);
  }

  pressed(event) {
    if (event.key === "Escape" && !this.list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      return this.close();
    }
    const step = { ArrowDown: 1, ArrowUp: -1, Enter: 0 }[event.key];
    if (step === undefined || event.isComposing) return;
    event.preventDefault();
    if (this.stale || !this.options.length) return void this.look();
    if (this.list.hidden) return this.open();
    if (step === 0) return this.take(this.current);
    this.mark((this.current + step + this.options.length) % this.options.length);
  }

  async look() {
    this.running?.abort();
    clearTimeout(this.pause);
    const query = this.input.value.trim();
    if (query.length < this.minimum) {
      this.say("");
      return this.close();
    }
    const mine = (this.running = new AbortController());
    try {
      const items = await this.search(query, mine.signal);
      if (this.running === mine && !mine.signal.aborted) this.show(items, query);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.close();
      this.say(explain(error));
    }
  }

  show(items, query) {
    this.stale = false;
    const more = this.last?.(query);
    const found = items.map((item) => ({ content: this.row(item), act: () => this.choose(item) }));
    const added = more ? [{ content: [icon("plus"), h("span", null, more.label)], act: more.act }] : [];
    this.options = [...found, ...added].map((option, index) => ({ ...option, element: this.optionElement(option.content, index) }));
    fill(
      this.list,
      this.options.map(({ element }) => element),
    );
    if (items.length) this.say(t("search.found", { n: items.length }), { seen: false });
    else this.say(t("search.none", { query }));
    this.open();
    this.mark(items.length ? 0 : -1);
  }

  optionElement(content, index) {
    const on = { pointerdown: (event) => event.preventDefault(), click: () => this.take(index) };
    return h("li", { id: newId("option"), role: "option", "aria-selected": "false", on }, content);
  }

  mark(index) {
    this.current = index;
    this.options.forEach(({ element }, at) => element.setAttribute("aria-selected", String(at === index)));
    if (index < 0) return this.input.removeAttribute("aria-activedescendant");
    this.input.setAttribute("aria-activedescendant", this.options[index].element.id);
    this.options[index].element.scrollIntoView({ block: "nearest" });
  }

  take(index) {
    const option = this.options[index];
    if (!option) return;
    this.close();
    option.act();
  }

  open() {
    this.list.hidden = this.options.length === 0;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
  }

  close() {
    this.list.hidden = true;
    this.current = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  say(words, { seen = true } = {}) {
    this.hint.textContent = words;
    this.hint.classList.toggle("spoken", !seen);
  }
}
