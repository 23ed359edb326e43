// detach: when a 20 ms timer and a 50 ms HTTP call fire that a task left behind on its worker.
//
// Who cares: whoever has a task that starts a write or a post and does not wait for it. A worker
// that blocks while it looks for work stops them until another task arrives, or for ever.
// Measured: on the worker, from the start of the timer and the call to their callbacks, reported
// through shared memory; with the pool
//   idle    no task follows
//   stream  synchronous tasks of 3 ms follow, one at a time
//   load    64 tasks of 100 µs are in flight, before and after
// The median of the repeats; "never" where one had not fired 1.5 s after its task. `…Worst` is the
// slowest.
// Excluded: starting the pool, warm-up, which includes HTTP calls that the tasks wait for. The
// server is in another process and answers after 50 ms, so about 52 ms is the floor of the call.
// Validated: every result is the id of its task.

import { setTimeout as sleep } from 'node:timers/promises';
import { checkSame } from '../lib/check.mjs';
import { median } from '../lib/stats.mjs';

const kGiveUpMs = 1500;
const kRepeats = 7;
const kStreamTaskUs = 3000;
const kLoadTaskUs = 100;
const kLoadInFlight = 64;

/** Calls `run` and checks that the result is the id of the task. */
async function runChecked(run, task) {
  checkSame(await run(task), task.id, 'id');
}

let nextId = 0;
const spinTask = (us) => ({ kind: 'spin', id: nextId++, us });

/**
 * Tasks of 100 µs, 64 in flight, until the returned function is called; it resolves when all are
 * done.
 */
function startLoad(run) {
  let on = true;
  const slots = Array.from({ length: kLoadInFlight }, async () => {
    while (on) await runChecked(run, spinTask(kLoadTaskUs));
  });
  return () => {
    on = false;
    return Promise.all(slots);
  };
}

/**
 * Leaves a timer and a call behind and resolves with when they fired: [timer, http] in ms, Infinity
 * for never.
 */
async function detachOnce(run, port, meanwhile) {
  const cells = new Float64Array(new SharedArrayBuffer(16));
  await runChecked(run, { kind: 'detach', id: nextId++, port, cells });
  const end = performance.now() + kGiveUpMs;
  while (performance.now() < end && cells.includes(0)) await meanwhile();
  return Array.from(cells, (ms) => ms || Infinity);
}

/** Repeats until something never fires: what happens once in seven times happens. */
async function repeat(run, port, repeats, meanwhile) {
  const timer = [];
  const http = [];
  for (let i = 0; i < repeats && !http.includes(Infinity); i++) {
    const fired = await detachOnce(run, port, meanwhile);
    timer.push(fired[0]);
    http.push(fired[1]);
  }
  const typical = (values) => (values.includes(Infinity) ? Infinity : median(values));
  return { timer: typical(timer), http: typical(http), timerWorst: Math.max(...timer) };
}

const prefixed = (prefix, { timer, http, timerWorst }) => ({
  [`${prefix}Timer`]: timer,
  [`${prefix}Http`]: http,
  [`${prefix}TimerWorst`]: timerWorst,
});

export default {
  name: 'detach',
  task: 'detach',
  metrics: {
    idleTimer: { label: 'idle timer', unit: 'ms' },
    streamTimer: { label: 'stream timer', unit: 'ms' },
    loadTimer: { label: 'load timer', unit: 'ms' },
    idleHttp: { label: 'idle HTTP call', unit: 'ms' },
    streamHttp: { label: 'stream HTTP call', unit: 'ms' },
    loadHttp: { label: 'load HTTP call', unit: 'ms' },
    idleTimerWorst: { label: 'worst idle timer', unit: 'ms' },
    streamTimerWorst: { label: 'worst stream timer', unit: 'ms' },
    loadTimerWorst: { label: 'worst load timer', unit: 'ms' },
  },
  async run({ run, scale, collectorPort: port }) {
    const repeats = Math.max(3, Math.round(kRepeats * scale));
    await Promise.all(
      Array.from({ length: 8 }, () => runChecked(run, { kind: 'post', id: nextId++, port })),
    );
    await sleep(50);
    const idle = await repeat(run, port, repeats, () => sleep(5));
    const stream = await repeat(run, port, repeats, () => runChecked(run, spinTask(kStreamTaskUs)));
    const stopLoad = startLoad(run);
    await sleep(100);
    const load = await repeat(run, port, repeats, () => sleep(5));
    await stopLoad();
    return { ...prefixed('idle', idle), ...prefixed('stream', stream), ...prefixed('load', load) };
  },
};
