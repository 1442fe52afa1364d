// Uploads dictations as a busy clinic does, watches the operators' page until all have become drafts and the workers have left
// again, and draws what happened. Usage: burst.mjs RECORDING COUNT

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

import { drawing } from "./drawing.mjs";

const { PLAYWRIGHT, CHROMIUM, WORK, URL: BASE } = process.env;
const [, , recording, count] = process.argv;
const COUNT = Number(count);
const AT_ONCE = 8;
const PATIENCE_MS = 45 * 60_000;

const { chromium } = createRequire(`${PLAYWRIGHT}/node_modules/`)("playwright-core");
const audio = readFileSync(recording);

const clinician = await signIn("clinician");
const operator = await signIn("operator");
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
const page = await operatorsPage();

const begun = Date.now();
console.error(`uploading ${COUNT} recordings …`);
const encounters = await inParallel(COUNT, dictate);
const accepted = Date.now();
let pictured;
const drafted = await allDrafted(encounters, () => (pictured ??= picture("01-burst")));
await pictured;
const finished = Date.now();
await picture("02-drafted");
await until(async () => workers(await state()).desired === 1, "the workers leave again");
await new Promise((go) => setTimeout(go, 3000));
await picture("03-quiet");
await browser.close();
report(await state());

async function signIn(role) {
  const line = readFileSync(`${WORK}/data/first-sign-in.txt`, "utf8").split("\n").find((text) => text.startsWith(role));
  const [, email, password] = line.split("\t");
  const answer = await fetch(`${BASE}/api/session`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Hysio-Request": "1" },
    body: JSON.stringify({ email, password }),
  });
  if (!answer.ok) throw new Error(`${role} cannot sign in: ${answer.status}`);
  return { email, password, cookie: answer.headers.get("set-cookie").split(";")[0] };
}

async function ask(who, path, body) {
  const form = body instanceof FormData;
  for (;;) {
    const answer = await fetch(`${BASE}${path}`, {
      method: body ? "POST" : "GET",
      headers: { Cookie: who.cookie, "X-Hysio-Request": "1", "Idempotency-Key": crypto.randomUUID(), ...(form || !body ? {} : { "Content-Type": "application/json" }) },
      body: form ? body : body && JSON.stringify(body),
    });
    if (answer.ok) return answer.json();
    if (answer.status !== 429) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    await new Promise((go) => setTimeout(go, 1000 * Number(answer.headers.get("retry-after") ?? 1)));
  }
}

async function dictate(number) {
  const patient = await ask(clinician, "/api/patients", { given_name: `Patient${number}`, family_name: "Invented", birth_date: "1960-01-31", sex: "male" });
  const encounter = await ask(clinician, "/api/encounters", { patient_id: patient.id, language: "en" });
  const form = new FormData();
  form.set("encounter_id", encounter.id);
  form.set("file", new Blob([audio], { type: "audio/ogg" }), "dictation.opus");
  await ask(clinician, "/api/transcription", form);
  return encounter.id;
}

async function inParallel(total, work) {
  const results = [];
  let next = 0;
  const one = async () => {
    while (next < total) {
      const number = next++;
      results[number] = await work(number);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return results;
}

function state() {
  const minutes = Math.max(5, Math.ceil((Date.now() - begun) / 60_000) + 1);
  return ask(operator, `/api/scaling?minutes=${minutes}`);
}

function workers({ targets }) {
  return targets.find(({ resource }) => resource === "transcription_workers");
}

/** `half` is called once half of them are drafts. */
async function allDrafted(ids, half) {
  const waiting = new Set(ids);
  await until(async () => {
    for (const id of [...waiting].slice(0, 20)) {
      const encounter = await ask(clinician, `/api/encounters/${id}`);
      if (encounter.state === "failed") throw new Error(`an encounter failed: ${encounter.failure_message}`);
      if (encounter.state === "drafted") waiting.delete(id);
    }
    process.stderr.write(`\r${ids.length - waiting.size} of ${ids.length} are drafts  `);
    if (waiting.size * 2 < ids.length) half();
    return waiting.size === 0;
  }, "all become drafts");
  process.stderr.write("\n");
  return ids.length;
}

async function until(holds, what) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((go) => setTimeout(go, 500));
  }
}

async function operatorsPage() {
  const tab = await browser.newPage({ viewport: { width: 1280, height: 1000 }, deviceScaleFactor: 1 });
  await tab.goto(`${BASE}/sign-in`);
  await tab.locator("input[type=email]").fill(operator.email);
  await tab.locator("input[type=password]").fill(operator.password);
  await tab.keyboard.press("Enter");
  await tab.waitForURL((url) => !String(url).includes("sign-in"));
  await tab.goto(`${BASE}/operations`);
  await tab.getByRole("heading", { level: 2 }).first().waitFor();
  return tab;
}

async function picture(name) {
  // The lines are asked for every five seconds.
  await new Promise((go) => setTimeout(go, 6000));
  await page.screenshot({ path: `${WORK}/shots/${name}.png` });
}

function report({ series, changes }) {
  const from = begun / 1000 - 5;
  const cut = (name) => (series[name] ?? []).filter(([at]) => at >= from);
  writeFileSync(
    `${WORK}/chart.svg`,
    drawing({
      title: `${COUNT} dictations: what waits, and the workers`,
      from,
      to: Date.now() / 1000,
      panels: [
        { label: "dictations waiting", lines: [{ points: cut("transcription_queue"), className: "a" }] },
        {
          label: "transcription workers: wanted, ready",
          step: true,
          lines: [
            { points: cut("transcription_workers.desired"), className: "b" },
            { points: cut("transcription_workers.ready"), className: "c" },
          ],
        },
        { label: "processor, %", lines: [{ points: cut("cpu_usage"), className: "a" }] },
      ],
    }),
  );
  const ours = changes.filter(({ resource, plan, new: to, old }) => resource === "transcription_workers" && plan && to > old).reverse();
  const first = ours[0];
  writeFileSync(`${WORK}/decision`, first.plan);
  const seconds = (from, to) => `${((new Date(to) - new Date(from)) / 1000).toFixed(1)} s`;
  const most = Math.max(...cut("transcription_workers.ready").map(([, value]) => value));
  const highest = Math.max(...cut("transcription_queue").map(([, value]) => value));
  writeFileSync(
    `${WORK}/burst.txt`,
    [
      `accepted                                 ${COUNT} dictations in ${seconds(begun, accepted)}`,
      `became drafts                            ${drafted}, the last after ${seconds(begun, finished)}`,
      `waited at most                           ${highest}`,
      `workers at most                          ${most}`,
      `first extra workers decided on after     ${seconds(begun, first.begun_at)}`,
      `ready and verified after another         ${seconds(first.begun_at, first.ended_at)}`,
      "",
    ].join("\n"),
  );
}
