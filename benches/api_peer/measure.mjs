// Runs one load against a server, and tells what came of it and what each part of the machine used: one line of JSON.
//
//   node measure.mjs --name NAME --up PID [--server PID --redis PID] [--tries N --quiet-within SECONDS] -- hysio load … --json
//
// `--up` is the `hysio up` whose PostgreSQL serves all; without `--server`, its app is the server. A run in which others took
// more than 0.3 of a core is done again, `--tries` times at most, and the least disturbed one counts.

import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const SAMPLE_EVERY_MS = 500;
const QUIET_CORES = 0.3;
/** Linux counts processor time in hundredths of a second (USER_HZ). */
const TICKS_PER_SECOND = 100;
const MIB_OF_KIB = 1 / 1_024;

const { values: options, positionals: command } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: 'string' },
    up: { type: 'string' },
    server: { type: 'string' },
    redis: { type: 'string' },
    tries: { type: 'string', default: '1' },
    'quiet-within': { type: 'string', default: '0' },
  },
});
let best;
for (let tries = Number(options.tries); tries > 0 && !(best?.others <= QUIET_CORES); tries--) {
  await quiet(performance.now() + 1_000 * Number(options['quiet-within']));
  const outcome = await measured();
  if (!(best?.others <= outcome.others)) best = outcome;
}
console.log(JSON.stringify(best));

/** Which processes are what. A server and PostgreSQL are trees: their processes come and go. */
function partsOf(all) {
  const children = all.filter(process => process.parent === Number(options.up));
  const app = children.find(({ id }) => argument(id, 1) === 'app').id;
  return {
    server: Number(options.server ?? app),
    postgres: children.find(({ name }) => name === 'postgres').id,
    redis: Number(options.redis ?? 0),
    // Beside another server, Hysio's app does nothing but put the audit trail in order.
    trail: options.server ? app : 0,
  };
}

/** Waits until hardly anybody else works, until the deadline. */
async function quiet(deadline) {
  while (performance.now() < deadline) {
    const before = machine();
    await sleep(4_000);
    if ((machine() - before) / 4 < QUIET_CORES) return;
  }
}

async function measured() {
  const before = loadavg()[0];
  const parts = partsOf(processes());
  const load = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  const samples = [];
  const timer = setInterval(() => samples.push(sample({ ...parts, generator: load.pid })), SAMPLE_EVERY_MS);
  let output = '';
  for await (const text of load.stdout) output += text;
  clearInterval(timer);
  return { name: options.name, before, ...outcome(JSON.parse(output).runs[0], samples) };
}

function sample(parts) {
  const all = processes();
  const trees = Object.fromEntries(Object.entries(parts).map(([part, root]) => [part, tree(all, root)]));
  const memory = trees.server.map(({ id }) => memoryOf(id));
  return {
    at: performance.now(),
    cpu: { ...Object.fromEntries(Object.entries(trees).map(([part, processes]) => [part, seconds(processes)])), machine: machine() },
    pss: sum(memory.map(({ pss }) => pss)),
    rss: sum(memory.map(({ rss }) => rss)),
    redis: sum(trees.redis.map(({ id }) => memoryOf(id).pss)),
  };
}

/** The counted time is the end of the run: the generator ends with it. */
function outcome(run, samples) {
  // In the last one the generator may have ended.
  const last = samples.at(-2);
  const first = samples.find(({ at }) => at >= last.at - run.seconds * 1_000 + 2 * SAMPLE_EVERY_MS);
  const elapsed = (last.at - first.at) / 1_000;
  const { machine, ...cores } = Object.fromEntries(Object.keys(last.cpu).map(part => [part, (last.cpu[part] - first.cpu[part]) / elapsed]));
  const { per_second, p50_ms, p95_ms, p99_ms } = run.all;
  const peak = part => Math.max(...samples.map(sample => sample[part])) * MIB_OF_KIB;
  return {
    load: run.load, per_second, p50_ms, p95_ms, p99_ms,
    refused: sum(Object.values(run.errors)),
    ms: Object.fromEntries(Object.entries(cores).map(([part, cores]) => [part, 1_000 * cores / per_second])),
    others: machine - sum(Object.values(cores)),
    pss: peak('pss'), rss: peak('rss'), redis: peak('redis'), kinds: run.kinds,
  };
}

function processes() {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(id => {
    // The name is in parentheses and may hold anything; one that has ended meanwhile is gone.
    const [, name, numbers] = /\((.*)\) (.*)/s.exec(read(`/proc/${id}/stat`)) ?? [];
    if (!numbers) return [];
    const fields = numbers.split(' ').map(Number);
    return [{ id: Number(id), name, parent: fields[1], own: fields[11] + fields[12], ended: fields[13] + fields[14] }];
  });
}

function tree(all, root) {
  const found = all.filter(({ id }) => id === root);
  for (const { id } of found) found.push(...all.filter(({ parent }) => parent === id));
  return found;
}

/** Processor time of a tree, with that of its processes that have ended. */
function seconds(processes) {
  return sum(processes.map(({ own, ended }) => own + ended)) / TICKS_PER_SECOND;
}

/** Processor time of the whole machine that was not idle: user nice system idle iowait irq softirq steal. */
function machine() {
  const ticks = read('/proc/stat').split('\n')[0].split(/\s+/).slice(1).map(Number);
  return sum([0, 1, 2, 5, 6].map(at => ticks[at])) / TICKS_PER_SECOND;
}

function memoryOf(id) {
  const text = read(`/proc/${id}/smaps_rollup`);
  const kib = name => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return { pss: kib('Pss'), rss: kib('Rss') };
}

function argument(id, at) {
  return read(`/proc/${id}/cmdline`).split('\0')[at];
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
