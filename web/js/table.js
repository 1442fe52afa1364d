// Small plain tables.

import { h } from "./dom.js";

/** `columns` are [{title, cell(row), numeric}]; the caption is for screen readers. */
export function table({ caption, columns, rows }) {
  const cell = (column, row, index) =>
    h(
      index === 0 ? "th" : "td",
      { scope: index === 0 ? "row" : null, class: column.numeric ? "numeric" : null, "data-title": column.title },
      column.cell(row),
    );
  return h(
    "div",
    { class: "table-scroll card", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      null,
      h("caption", { class: "spoken" }, caption),
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          columns.map(({ title }) => h("th", { scope: "col" }, title)),
        ),
      ),
      h(
        "tbody",
        null,
        rows.map((row) =>
          h(
            "tr",
            null,
            columns.map((column, index) => cell(column, row, index)),
          ),
        ),
      ),
    ),
  );
}
