// blocked-main: how many of 16 submitted tasks run while the main thread is blocked for 50 ms.
//
// Who cares: a server whose main loop is busy at times (a big JSON, a GC). Workers that hold no
// second task sit idle for that long, with 14 tasks waiting in the main thread's queue.
// Measured: 16 tasks of 10 µs are submitted, all microtasks run (so that a pool can post them), the
// main thread spins for 50 ms; then a counter in shared memory that the tasks bump is read. The
// median of the repeats.
// Excluded: starting the pool, warm-up with the same tasks (a pool that measures run times has
// measured them).
// Validated: all 16 end with their own ids, and the counter says 16 then.

import { setTimeout as sleep } from 'node:timers/promises';
import { closedLoop } from '../lib/closed-loop.mjs';
import { checkSame } from '../lib/check.mjs';
import { median } from '../lib/stats.mjs';

const kTasks = 16;
const kTaskUs = 10;
const kBlockMs = 50;
const kRepeats = 15;

/**
 * Resolves when every microtask queued so far, and those that they queue, have run; the loop does
 * not turn.
 */
const microtasks = () => new Promise((resolve) => process.nextTick(resolve));

function block(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

export default {
  name: 'blocked-main',
  task: 'count',
  metrics: { ran: { label: 'tasks run', unit: `of ${kTasks}` } },
  async run({ run, scale }) {
    const warmCounter = new Int32Array(new SharedArrayBuffer(4));
    await closedLoop({
      run,
      inFlight: kTasks,
      ms: 400 * scale,
      make: (_slot, id) => ({ id, us: kTaskUs, counter: warmCounter }),
      verify: (result, _slot, id) => checkSame(result, id, 'id'),
    });
    const ran = [];
    for (let i = 0; i < Math.max(5, kRepeats * scale); i++) {
      await sleep(5);
      const counter = new Int32Array(new SharedArrayBuffer(4));
      const results = Array.from({ length: kTasks }, (_, id) => run({ id, us: kTaskUs, counter }));
      await microtasks();
      block(kBlockMs);
      ran.push(Atomics.load(counter, 0));
      (await Promise.all(results)).forEach((result, id) => checkSame(result, id, 'id'));
      checkSame(Atomics.load(counter, 0), kTasks, 'tasks that ran');
    }
    return { ran: median(ran) };
  },
};
