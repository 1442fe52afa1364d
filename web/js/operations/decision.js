// The newest decision: what is to be done about each part, and what every policy wanted, side by side.

import { h } from "../dom.js";
import { number, t, when } from "../i18n.js";
import { table } from "../table.js";
import { name } from "./resources.js";

export function decision(made) {
  if (!made) return h("p", { class: "quiet" }, t("decision.none"));
  return [
    h("ul", { class: "rows card", role: "list" }, made.decision.outcomes.map((outcome) => h("li", null, part(outcome)))),
    h("p", { class: "quiet small" }, t("decision.at", { time: when(made.at, "second"), id: made.id })),
  ];
}

function part(outcome) {
  const { plan, no_plan: none } = outcome.verdict;
  return h(
    "details",
    { class: "decision" },
    h(
      "summary",
      { class: "row" },
      h("span", { class: "row-main" }, h("strong", null, name(outcome.resource)), h("span", { class: "quiet" }, plan?.because ?? none?.why)),
      h(
        "span",
        { class: "row-side" },
        plan
          ? h("span", { class: "chip active" }, `${number(outcome.current)} → ${number(plan.to)}`)
          : h("span", { class: "chip" }, t("decision.stays", { count: number(outcome.current) })),
      ),
    ),
    outcome.limits.length > 0 && h("ul", { class: "limits small" }, outcome.limits.map((limit) => h("li", null, limit))),
    proposals(outcome),
  );
}

function proposals({ resource, proposals: all, chosen }) {
  if (!all.length) return h("p", { class: "quiet small" }, t("decision.no_proposals"));
  return table({
    caption: t("decision.proposals", { resource: name(resource) }),
    rows: all,
    columns: [
      { title: t("decision.policy"), cell: ({ policy }) => [policy, " ", policy === chosen && h("span", { class: "chip active" }, t("decision.chosen"))] },
      { title: t("decision.wants"), cell: ({ wants }) => wish(wants) },
      { title: t("decision.saw"), cell: ({ evidence }) => h("ul", { class: "plain-list" }, evidence.map(saw)) },
      { title: t("decision.limits"), cell: ({ limits }) => limits.join("; ") },
    ],
  });
}

function saw({ signal, value, against }) {
  return h("li", null, h("code", null, signal), ` ${value} (${against})`);
}

function wish(wants) {
  if (wants.count) return number(wants.count.count);
  if (wants.at_least) return t("decision.at_least", { count: number(wants.at_least.count) });
  if (wants.hold) return t("decision.hold", { why: wants.hold.why });
  return t("decision.nothing", { why: wants.nothing?.why ?? "" });
}
