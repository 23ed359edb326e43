// Spinning where CPU time is scarce: under a quota of the system, and beside busy neighbours.
//
// Who cares: whoever runs a service in a container with a CPU limit, or on a shared machine. There
// a spin that is in vain takes CPU time from the answer; one that hits saves a sleep and a wake.
//
// Usage, after `npm run build`, on an idle Linux machine: node benches/node/scarce.mjs [--markdown]
//
// Measured, in processes of their own that alternate: tasks a second, CPU time a task, and the
// latency that 99 of 100 tasks stay below. `one` has one task after another in one worker,
// `sixteen` keeps 16 in flight in two. The three ways: as the pool does it; with
// CENOTE_SPIN_UNDER_PRESSURE=1; and without spinning, CENOTE_MAX_SPIN_US=0. Medians of several
// rounds.
//
// A quota needs leave to make a control group (version 1 or 2); where that is refused only
// neighbours are tried. Validated: every result is what was sent.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { checkSame } from './lib/check.mjs';
import { machineLine, describeMachine } from './lib/machine.mjs';
import { requireHere } from './lib/packages.mjs';
import { median, percentile } from './lib/stats.mjs';
import { formatNumber, renderMarkdown, renderText } from './lib/table.mjs';

const kRounds = 3;
const kWarmMs = 500;
const kMeasureMs = 2_000;

const ways = {
  'as it is': {},
  'spins as ever': { CENOTE_SPIN_UNDER_PRESSURE: '1' },
  'no spinning': { CENOTE_MAX_SPIN_US: '0' },
};
const loads = { one: { inFlight: 1, threads: 1 }, sixteen: { inFlight: 16, threads: 2 } };

/** What the process that measures does: one load, in the way that its environment says. */
async function measure({ inFlight, threads }) {
  const { Pool } = requireHere('cenote');
  const filename = fileURLToPath(new URL('tasks/echo.cjs', import.meta.url));
  const pool = new Pool({ filename, minThreads: threads, maxThreads: threads });
  await pool.ready();
  const latencies = [];
  async function keepBusy(until, samples) {
    for (let id = 0, at = performance.now(); at < until; id++) {
      checkSame((await pool.run({ id })).id, id, 'id');
      const now = performance.now();
      samples?.push(now - at);
      at = now;
    }
  }
  const all = (until, samples) =>
    Promise.all(Array.from({ length: inFlight }, () => keepBusy(until, samples)));
  await all(performance.now() + kWarmMs);
  const cpu = process.cpuUsage();
  const start = performance.now();
  await all(start + kMeasureMs, latencies);
  const { user, system } = process.cpuUsage(cpu);
  const tasks = latencies.length;
  const rate = tasks / (performance.now() - start);
  await pool.close();
  return { rate, cpuUs: (user + system) / tasks, p99Us: percentile(latencies, 99) * 1000 };
}

/** Makes a control group with a CPU quota in percent of one CPU; null if it is not allowed. */
function makeQuota(percent) {
  const quota = String(percent * 1000);
  const v1 = '/sys/fs/cgroup/cpu/cenote-scarce';
  const v2 = '/sys/fs/cgroup/cenote-scarce';
  try {
    const isV1 = existsSync('/sys/fs/cgroup/cpu/cpu.cfs_quota_us');
    const folder = isV1 ? v1 : v2;
    mkdirSync(folder, { recursive: true });
    if (isV1) {
      writeFileSync(`${folder}/cpu.cfs_period_us`, '100000');
      writeFileSync(`${folder}/cpu.cfs_quota_us`, quota);
    } else {
      writeFileSync(`${folder}/cpu.max`, `${quota} 100000`);
    }
    return { enter: `${folder}/cgroup.procs`, remove: () => rmdirSync(folder) };
  } catch {
    return null;
  }
}

/** Processes that do nothing but run; the call ends them. */
function startNeighbours(count) {
  const all = Array.from({ length: count }, () => spawn('sh', ['-c', 'while :; do :; done']));
  return () => all.forEach((neighbour) => neighbour.kill('SIGKILL'));
}

/** Where it is measured: a surrounding gives the group to enter, if any, and how to leave it. */
function surroundings() {
  const free = { name: 'alone', start: () => ({ enter: '', end() {} }) };
  const quotas = [100, 50].map((percent) => ({
    name: `a quota of ${percent} % of a CPU`,
    start() {
      const quota = makeQuota(percent);
      return quota && { enter: quota.enter, end: quota.remove };
    },
  }));
  const cpus = availableParallelism();
  const beside = [cpus / 2, cpus].map((count) => ({
    name: `beside ${count} busy of ${cpus} CPUs`,
    start: () => ({ enter: '', end: startNeighbours(count) }),
  }));
  return [free, ...quotas, ...beside];
}

function runChild(load, env, enter) {
  // The shell enters the group before Node starts, which looks for its CPUs then.
  const script = 'test -z "$ENTER" || echo $$ > "$ENTER"; exec "$NODE" "$SCRIPT" --child "$LOAD"';
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script], {
    encoding: 'utf8',
    env: {
      ...process.env,
      ...env,
      ENTER: enter,
      NODE: process.execPath,
      SCRIPT: fileURLToPath(import.meta.url),
      LOAD: load,
    },
  });
  if (status !== 0) throw new Error(`${load}: ${stderr}`);
  return JSON.parse(stdout);
}

function measureAll() {
  const cells = new Map();
  for (let round = 1; round <= kRounds; round++) {
    for (const { name, start } of surroundings()) {
      const place = start();
      if (place === null) continue;
      for (const load of Object.keys(loads)) {
        for (const [way, env] of Object.entries(ways)) {
          const key = JSON.stringify([name, load, way]);
          if (!cells.has(key)) cells.set(key, []);
          cells.get(key).push(runChild(load, env, place.enter));
          if (process.stderr.isTTY) process.stderr.write(`\rround ${round}: ${name}, ${load}   `);
        }
      }
      place.end();
    }
  }
  return cells;
}

function report(cells) {
  const rows = [...cells].map(([key, samples]) => {
    const of = (metric) => formatNumber(median(samples.map((sample) => sample[metric])));
    return [...JSON.parse(key), of('rate'), of('cpuUs'), of('p99Us')];
  });
  const head = ['where', 'load', 'spins', 'thousand/s', 'CPU µs a task', 'p99 µs'];
  return { title: `medians of ${kRounds} rounds`, head, rows, left: [1, 2] };
}

const [mode, load] = process.argv.slice(2);
if (mode === '--child') {
  console.log(JSON.stringify(await measure(loads[load])));
} else {
  const table = report(measureAll());
  console.log(mode === '--markdown' ? renderMarkdown(table) : renderText(table));
  console.log(`\n${machineLine(describeMachine())}`);
}
