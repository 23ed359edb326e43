// What it costs that a worker is a process: `node benches/node/processes.mjs [rounds]` (5 unless
// told) prints, for each runtime, the start of a worker, one task at a time, many at once, and what
// a worker takes of memory. `fork` is no pool: `child_process.fork`, `send` and `message`, with the
// same serialization.
//
// The figures are medians of rounds in which the three alternate, each round with workers of its
// own. Validated: every result is that of its task.

import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from '../../dist/index.js';

const rounds = Number(process.argv[2] ?? 5);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error('The number of rounds must be a whole number, at least 1.');
  process.exit(1);
}
const kWarm = 2_000;
const kHops = 5_000;
const kLargeHops = 200;
const kMany = 20_000;

const folder = mkdtempSync(join(tmpdir(), 'cenote-processes-'));
const filename = join(folder, 'echo.cjs');
writeFileSync(filename, 'module.exports = (value) => value;\n');
const echoes = join(folder, 'echoes.cjs');
writeFileSync(echoes, "process.on('message', (message) => process.send(message));\n");

/** Resident memory of a process in MiB; NaN where the system does not tell in a file. */
function residentMiB(pid) {
  try {
    return /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1] / 1024;
  } catch {
    return NaN;
  }
}

function poolOf(runtime) {
  const pool = new Pool({ filename, runtime, minThreads: 1, maxThreads: 1 });
  const [child] = pool.processes;
  return {
    ready: () => pool.ready(),
    run: (value) => pool.run(value),
    memory: (before) =>
      child === undefined ? residentMiB(process.pid) - before : residentMiB(child.pid),
    end: () => pool.close(),
  };
}

function forked() {
  const child = fork(echoes, { serialization: 'advanced' });
  const waiting = new Map();
  let last = 0;
  child.on('message', ([id, value]) => {
    waiting.get(id)(value);
    waiting.delete(id);
  });
  const run = (value) =>
    new Promise((resolve) => {
      waiting.set(++last, resolve);
      child.send([last, value]);
    });
  return {
    ready: () => run(0),
    run,
    memory: () => residentMiB(child.pid),
    end: () => new Promise((resolve) => child.once('exit', resolve).kill()),
  };
}

const runtimes = { thread: () => poolOf('thread'), process: () => poolOf('process'), fork: forked };
const figures = [
  'start to ready, ms',
  'one task at a time, µs',
  '64 KiB at a time, µs',
  'many at once, µs a task',
  'memory of a worker, MiB',
];
const found = Object.fromEntries(Object.keys(runtimes).map((name) => [name, []]));

function check(value, expected) {
  if (value !== expected) throw new Error(`${value} came in place of ${expected}`);
}

async function measure(start) {
  const before = residentMiB(process.pid);
  let from = performance.now();
  const lap = (count, unit) => {
    const taken = ((performance.now() - from) / count) * unit;
    from = performance.now();
    return taken;
  };
  const worker = start();
  await worker.ready();
  const startMs = lap(1, 1);
  const memory = worker.memory(before);
  for (let n = 0; n < kWarm; n++) check(await worker.run(n), n);
  lap(1, 1);
  for (let n = 0; n < kHops; n++) check(await worker.run(n), n);
  const hopUs = lap(kHops, 1_000);
  const large = new Uint8Array(64 * 1024);
  for (let n = 0; n < kLargeHops; n++) check((await worker.run(large)).length, large.length);
  const largeUs = lap(kLargeHops, 1_000);
  const all = await Promise.all(Array.from({ length: kMany }, (_, n) => worker.run(n)));
  const manyUs = lap(kMany, 1_000);
  all.forEach(check);
  await worker.end();
  return [startMs, hopUs, largeUs, manyUs, memory];
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

for (let round = 0; round < rounds; round++) {
  for (const [name, start] of Object.entries(runtimes)) found[name].push(await measure(start));
}
rmSync(folder, { recursive: true });
console.log(
  `${''.padEnd(26)}${Object.keys(runtimes)
    .map((name) => name.padStart(10))
    .join('')}`,
);
figures.forEach((what, at) => {
  const cells = Object.values(found).map((rows) => median(rows.map((row) => row[at])));
  const shown = cells.map((cell) => cell.toFixed(1).padStart(10)).join('');
  console.log(`${what.padEnd(26)}${shown}`);
});
