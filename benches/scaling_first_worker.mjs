// From a full queue to the first extra worker: uploads recordings, and reads in the log when the scaler began the change and when
// the first of the new workers took jobs. The queue counts as full with the third recording: two wait for each worker.

import { readFileSync } from "node:fs";

const { WORK, URL: BASE } = process.env;
const [, , recording, log] = process.argv;
const audio = readFileSync(recording);

const line = readFileSync(`${WORK}/data/first-sign-in.txt`, "utf8").split("\n").find((text) => text.startsWith("clinician"));
const [, email, password] = line.split("\t");
const session = await fetch(`${BASE}/api/session`, {
  method: "POST",
  headers: { "Content-Type": "application/json", "X-Hysio-Request": "1" },
  body: JSON.stringify({ email, password }),
});
const cookie = session.headers.get("set-cookie").split(";")[0];

let full;
for (let number = 0; number < 12; number++) {
  const patient = await post("/api/patients", { given_name: `Patient${number}`, family_name: "Invented", birth_date: "1960-01-31", sex: "male" });
  const encounter = await post("/api/encounters", { patient_id: patient.id, language: "en" });
  const form = new FormData();
  form.set("encounter_id", encounter.id);
  form.set("file", new Blob([audio], { type: "audio/ogg" }), "dictation.opus");
  await post("/api/transcription", form);
  if (number === 3) full = Date.now(); // one is being heard, three wait
}

const begun = await logged(({ message, resource }) => message === "a change is begun" && resource === "transcription_workers");
const taking = await logged(({ message, queues, timestamp }) => message === "taking jobs" && queues === "[Transcription]" && Date.parse(timestamp) > begun);
console.log(`| from a full queue to the decision for more workers | ${seconds(begun - full)} |`);
console.log(`| from a full queue until the first extra worker takes jobs, all gates included | ${seconds(taking - full)} |`);

async function post(path, body) {
  const form = body instanceof FormData;
  const answer = await fetch(`${BASE}${path}`, {
    method: "POST",
    headers: { Cookie: cookie, "X-Hysio-Request": "1", "Idempotency-Key": crypto.randomUUID(), ...(form ? {} : { "Content-Type": "application/json" }) },
    body: form ? body : JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function logged(is) {
  for (let tries = 0; tries < 300; tries++) {
    for (const text of readFileSync(log, "utf8").split("\n")) {
      if (!text.startsWith("{")) continue;
      const entry = JSON.parse(text);
      if (is(entry) && Date.parse(entry.timestamp) > full - 5000) return Date.parse(entry.timestamp);
    }
    await new Promise((go) => setTimeout(go, 100));
  }
  throw new Error("it is not in the log in time");
}

function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}
