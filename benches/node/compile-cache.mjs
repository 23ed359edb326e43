// What a pool's start costs, with and without Node's cache of compiled code.
//
// Who cares: whoever starts pools in programs that live for a short time, or whose worker file
// loads much.
//
// Usage, after `npm run build`, with Node 22.1 or newer, on an idle machine:
//   node benches/node/compile-cache.mjs [--markdown]
//
// Measured, in processes of their own that alternate: the time from `new Pool()` with one thread
// until it is ready, and the CPU time that the process takes meanwhile, which neighbours change
// less. The worker file is `small`, or loads 0.9 MB (`large`). The ways: no cache; one that the
// program enables (`module.enableCompileCache`); one that the pool's `env` names for its workers
// (`NODE_COMPILE_CACHE`); one that the environment names for the whole process. Each has a folder
// of its own, which two processes fill before any is measured.
//
// Validated: the workers have a cache in the last two ways, and in no other.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkSame } from './lib/check.mjs';
import { describeMachine, machineLine } from './lib/machine.mjs';
import { requireHere } from './lib/packages.mjs';
import { median } from './lib/stats.mjs';
import { formatNumber, renderMarkdown, renderText } from './lib/table.mjs';

const kRounds = 15;
const kFillRounds = 2;

const files = { small: 'tasks/cached.cjs', large: 'tasks/cached-large.cjs' };
const ways = ['none', 'program', 'workers', 'process'];

/** What the process that measures does. The `process` way is in its environment. */
async function measure(file, way, folder) {
  if (way === 'program') nodeModule.enableCompileCache(folder);
  const { Pool } = requireHere('cenote');
  const filename = fileURLToPath(new URL(files[file], import.meta.url));
  const env = way === 'workers' ? { ...process.env, NODE_COMPILE_CACHE: folder } : process.env;
  const cpu = process.cpuUsage();
  const start = performance.now();
  const pool = new Pool({ filename, minThreads: 1, maxThreads: 1, env });
  await pool.ready();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  checkSame(await pool.run(null), way === 'workers' || way === 'process', 'workers have a cache');
  await pool.close();
  return { ms, cpuMs: (user + system) / 1000 };
}

function runChild(file, way, folder) {
  const env = { ...process.env };
  delete env.NODE_COMPILE_CACHE;
  if (way === 'process') env.NODE_COMPILE_CACHE = folder;
  const args = [fileURLToPath(import.meta.url), '--child', file, way, folder];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${file}, ${way}: ${stderr}`);
  return JSON.parse(stdout);
}

function measureAll(top) {
  const samples = new Map();
  for (let round = 0; round < kFillRounds + kRounds; round++) {
    for (const file of Object.keys(files)) {
      for (const way of ways) {
        const key = `${file} ${way}`;
        const sample = runChild(file, way, join(top, way));
        if (!samples.has(key)) samples.set(key, []);
        if (round >= kFillRounds) samples.get(key).push(sample);
      }
    }
    if (process.stderr.isTTY) process.stderr.write(`\rround ${round + 1}   `);
  }
  return samples;
}

const [mode, file, way, folder] = process.argv.slice(2);
if (mode === '--child') {
  console.log(JSON.stringify(await measure(file, way, folder)));
} else if (nodeModule.enableCompileCache === undefined) {
  throw new Error(`Node ${process.version} has no cache of compiled code; 22.1 has one`);
} else {
  const top = mkdtempSync(join(tmpdir(), 'cenote-compile-cache-'));
  try {
    const samples = measureAll(top);
    const cell = (name, metric) => (one) =>
      formatNumber(median(samples.get(`${name} ${one}`).map((sample) => sample[metric])));
    const rows = Object.keys(files).flatMap((name) => [
      [name, 'ms', ...ways.map(cell(name, 'ms'))],
      [name, 'CPU ms', ...ways.map(cell(name, 'cpuMs'))],
    ]);
    const title = `until a pool is ready, medians of ${kRounds} rounds`;
    const table = { title, head: ['worker file', '', ...ways], rows, left: [1] };
    console.log(mode === '--markdown' ? renderMarkdown(table) : renderText(table));
    console.log(`\n${machineLine(describeMachine())}`);
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}
