// For operators: what runs, what is decided, what changes. For them and administrators: jobs that failed.

import { fill, h } from "../dom.js";
import { t } from "../i18n.js";
import { deadJobs } from "../operations/dead_jobs.js";
import { scaling } from "../operations/scaling.js";
import { page } from "../shell.js";

page("operations.title", async (main, me) => {
  fill(
    main,
    h(
      "div",
      { class: "wide-page stack-large" },
      h("h1", null, t("operations.title")),
      me.user.role === "operator" && scaling(),
      deadJobs(),
    ),
  );
});
