// One patient: who it is, and the encounters.

import * as api from "../api.js";
import { fill, h } from "../dom.js";
import { t } from "../i18n.js";
import { emptyState } from "../notice.js";
import { encounterRow, fullName, particulars } from "../patient_words.js";
import { idInPath, page } from "../shell.js";
import { startEncounter } from "../start_encounter.js";

page("patient.title", async (main, me) => {
  const patient = await api.get(`/api/patients/${encodeURIComponent(idInPath())}`);
  const encounters = patient.encounters ?? [];
  fill(
    main,
    h(
      "div",
      { class: "narrow stack-large" },
      h("header", null, h("h1", null, fullName(patient)), h("p", { class: "quiet" }, particulars(patient))),
      me.user.role === "clinician" && startEncounter(patient, me, { focus: true }),
      h(
        "section",
        null,
        h("h2", { class: "group-title" }, t("patient.encounters"), h("span", { class: "count" }, String(encounters.length))),
        encounters.length
          ? h(
              "ul",
              { class: "rows card", role: "list" },
              encounters.map((encounter) => encounterRow(encounter, null)),
            )
          : emptyState(t("patient.no_encounters")),
      ),
    ),
  );
  main.querySelector("[autofocus]")?.focus();
});
