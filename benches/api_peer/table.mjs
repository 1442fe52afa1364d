// The lines of measure.mjs as Markdown: the median of the rounds, and the least and the most.

import { readFileSync } from 'node:fs';

const lines = readFileSync(0, 'utf8').trim().split('\n').map(line => JSON.parse(line));
const names = [...new Set(lines.map(({ name }) => name))];
const loads = [...new Set(lines.map(({ load }) => load))];

for (const load of loads) {
  print(['load', 'server', 'per second', 'p50 ms', 'p95 ms', 'p99 ms', 'not answered well', 'others, cores'], names.map(name => {
    const runs = of(name, load);
    const errors = runs.reduce((total, { refused }) => total + refused, 0);
    return [load, name, spread(runs, run => run.per_second, 0), spread(runs, run => run.p50_ms, 1), spread(runs, run => run.p95_ms, 1),
      spread(runs, run => run.p99_ms, 1), errors || 'none', spread(runs, run => run.others, 2)];
  }));
}
const parts = ['server', 'postgres', 'redis', 'trail'];
print(['load', 'CPU ms a request:', 'the server', 'PostgreSQL', 'Redis', 'the trail', 'memory, MiB (PSS)', '(RSS)', 'Redis, MiB'], loads.flatMap(load =>
  names.map(name => {
    const runs = of(name, load);
    return [load, name, ...parts.map(part => spread(runs, run => run.ms[part], 2)), ...['pss', 'rss', 'redis'].map(part => spread(runs, run => run[part], 0))];
  })));
print(['Hysio against', ...loads.map(load => `${load}: requests a second`), 'server\'s CPU a request', 'memory'], names.slice(1).map(name => {
  const ratio = (load, value) => (median(of(names[0], load).map(value)) / median(of(name, load).map(value))).toFixed(2);
  const last = loads.at(-1);
  return [name, ...loads.map(load => `${ratio(load, run => run.per_second)} ×`), `${ratio(last, run => run.ms.server)} ×`, `${ratio(last, run => run.pss)} ×`];
}));

function of(name, load) {
  return lines.filter(line => line.name === name && line.load === load);
}

function spread(runs, value, digits) {
  const values = runs.map(value).sort((a, b) => a - b);
  const [least, most] = [values[0], values.at(-1)].map(number => number.toFixed(digits));
  const middle = median(values).toFixed(digits);
  return least === most ? middle : `${middle} (${least}–${most})`;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

function print(head, rows) {
  const table = [head, ...rows].map(row => row.map(String));
  const widths = head.map((_, column) => Math.max(...table.map(row => row[column].length)));
  const line = row => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  console.log([line(table[0]), `|${widths.map(width => '-'.repeat(width + 2)).join('|')}|`, ...table.slice(1).map(line), ''].join('\n'));
}
