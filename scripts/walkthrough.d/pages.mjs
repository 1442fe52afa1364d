// Goes through the pages in Chromium and takes the pictures of the walkthrough. Ends with an error when a page does not
// show what it should, or when the browser reports one.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { PLAYWRIGHT, URL: base, WORK: work, CHROMIUM: program } = process.env;
const { chromium } = createRequire(join(PLAYWRIGHT, "x.js"))("playwright-core");
const PATIENCE_MS = 60_000;
const WIDTH = 1180;
const LOW = 760;
const TALL = 1240;
/** What the clinician of this story makes of the suggestions. */
const ACCEPTED = ["R07.9", "R06.02", "E11.9", "I10"];
const MISHEARD = ["He has fever", "He denies fever"];
const PLAN = "Electrocardiogram today, and a blood test. Review in one week. Come back at once if the pain gets worse.";

const people = Object.fromEntries(
  readFileSync(join(work, "data/first-sign-in.txt"), "utf8")
    .split("\n")
    .map((line) => line.split("\t"))
    .filter((cells) => cells.length === 3)
    .map(([role, email, password]) => [role, { email, password }]),
);
const browser = await chromium.launch({
  executablePath: program,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    `--use-file-for-fake-audio-capture=${join(work, "telephone.wav")}%noloop`,
  ],
});
const problems = [];

let page;
try {
  page = await tab();
  await clinician(page);
  page = await tab();
  await auditor(page);
} catch (error) {
  await page?.screenshot({ path: join(work, "failure.png") });
  throw error;
} finally {
  await browser.close();
}
if (problems.length) {
  console.error([...new Set(problems)].join("\n"));
  process.exit(1);
}

async function clinician(page) {
  await signIn(page, "clinician");
  await addPatient(page, { given: "Erik", family: "Visser", born: "1964-05-21", sex: "male", mrn: "20260117", shot: "02-add-patient" });
  await startEncounter(page, "03-patient");
  await shoot(page, "04-dictate");
  await drop(page, "visit.ogg");
  await watch(page, "05-working");
  await review(page);
  await sign(page);
  await recordInBrowser(page);
}

async function tab() {
  const context = await browser.newContext({
    viewport: { width: WIDTH, height: LOW },
    locale: "en-GB",
    reducedMotion: "reduce",
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", (error) => problems.push(`page error: ${error.stack}`));
  page.on("console", (message) => message.type() === "error" && problems.push(`console: ${message.text()} ${message.location().url}`));
  page.on("response", (answer) => answer.status() >= 400 && problems.push(`${answer.status()} ${answer.request().method()} ${answer.url()}`));
  return page;
}

async function signIn(page, role) {
  await page.goto(`${base}/sign-in`);
  await page.fill("#email", people[role].email);
  await page.fill("#password", people[role].password);
  if (role === "clinician") await shoot(page, "01-sign-in");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#sign-out");
}

/** The words that were searched for become the new patient's name. */
async function addPatient(page, { given, family, born, sex, mrn, shot }) {
  await page.fill("[role=combobox]", `${given} ${family}`);
  await page.click("[role=option]:has-text('as a new patient')");
  await page.fill("dialog [name=birth_date]", born);
  await page.selectOption("dialog [name=sex]", sex);
  await page.fill("dialog [name=mrn]", mrn);
  if (shot) await shoot(page, shot);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/patients\//);
}

async function startEncounter(page, shot) {
  await page.waitForSelector(".start-encounter");
  if (shot) await shoot(page, shot);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".record-button");
}

/** Drops a file on the page as a mouse does. */
async function drop(page, name) {
  const bytes = readFileSync(join(work, name)).toString("base64");
  const files = await page.evaluateHandle(
    ([text, called]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], called, { type: "audio/ogg" }));
      return transfer;
    },
    [bytes, name],
  );
  await page.dispatchEvent(".drop", "drop", { dataTransfer: files });
}

async function watch(page, shot) {
  await page.waitForSelector(".stage.now");
  await shoot(page, shot);
  await page.waitForSelector(".suggestions .suggestion");
}

/** Keys decide on every suggestion; the note is put right where the engine misheard. */
async function review(page) {
  await listen(page);
  await page.keyboard.press("j");
  await page.waitForSelector(".suggestion.current");
  await page.waitForSelector(".evidence.lit");
  await shoot(page, "06-review", TALL);
  for (const code of await page.locator(".suggestion .code").allTextContents()) {
    await page.keyboard.press(ACCEPTED.includes(code) ? "a" : "r");
    await page.keyboard.press("j");
  }
  await page.waitForSelector("text=all decided");
  for (const code of ACCEPTED) if (!(await page.locator(".sign-codes", { hasText: code }).count())) await addCode(page, code);
  await page.locator(".codes .pane-scroll").evaluate((list) => list.scrollTo(0, 0));
  for (const part of await page.locator(".note textarea").all()) {
    const text = await part.inputValue();
    if (text.includes(MISHEARD[0])) await part.fill(text.replace(...MISHEARD));
  }
  await page.getByLabel("Plan", { exact: true }).fill(PLAN);
  await page.waitForSelector(".save-status.saved");
  await shoot(page, "07-decided", TALL);
}

/** The recording plays. */
async function listen(page) {
  await page.keyboard.press("p");
  await page.waitForFunction(() => document.querySelector("audio").currentTime > 0.3);
  await page.keyboard.press("p");
}

async function addCode(page, code) {
  await page.fill(".pane-foot input", code);
  await page.locator(".pane-foot [role=option]", { hasText: code }).first().click();
  await page.locator(".sign-codes", { hasText: code }).waitFor();
}

async function sign(page) {
  await page.click("text=Sign …");
  await page.waitForSelector("dialog[open]");
  await shoot(page, "08-sign");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".signed-by");
  await page.click(".toast .button");
  await shoot(page, "09-signed", TALL);
  const [report] = await Promise.all([page.waitForEvent("download"), page.click("text=Download PDF")]);
  await report.saveAs(join(work, "report.pdf"));
}

/** The browser's microphone is the second dictation. */
async function recordInBrowser(page) {
  await page.click(".brand");
  await addPatient(page, { given: "Sanne", family: "de Boer", born: "1991-07-02", sex: "female", mrn: "20260118" });
  await startEncounter(page);
  await page.click(".record-button");
  await page.waitForFunction(() => document.querySelector(".record-time")?.textContent === "0:06");
  await shoot(page, "11-recording");
  await page.waitForFunction((seconds) => Number(document.querySelector(".record-time").textContent.split(":")[1]) >= seconds, seconds("telephone.wav") + 1);
  await page.click("text=Stop and send");
  await page.waitForSelector(".suggestions .suggestion");
  await listen(page);
  await shoot(page, "12-recorded", TALL);
  await page.click(".brand");
  await page.waitForSelector(".rows");
  await shoot(page, "13-start");
}

async function auditor(page) {
  await signIn(page, "auditor");
  await page.waitForSelector(".message.good");
  await page.waitForSelector("table tbody tr");
  await shoot(page, "14-audit");
}

function seconds(name) {
  return Math.ceil(Number(execFileSync("ffprobe", ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", join(work, name)])));
}

async function shoot(page, name, height = LOW) {
  await page.setViewportSize({ width: WIDTH, height });
  await page.mouse.move(0, 0);
  if (height === TALL) await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(work, "shots", `${name}.png`) });
}
