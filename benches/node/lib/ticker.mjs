// The clock thread of open-loop.mjs: sleeps until the next due time, then reports all that are due.
// Sleeps in Atomics.wait, which is exact to some tens of microseconds and uses no CPU meanwhile.

import { parentPort, workerData } from 'node:worker_threads';
import { monotonicMs } from './clock.mjs';

const kHeadStartMs = 20;

const { due } = workerData;
const never = new Int32Array(new SharedArrayBuffer(4));
const start = monotonicMs() + kHeadStartMs;
parentPort.postMessage({ start });

for (let next = 0; next < due.length;) {
  let now = monotonicMs() - start;
  if (due[next] > now) {
    Atomics.wait(never, 0, 0, due[next] - now);
    now = monotonicMs() - start;
  }
  const first = next;
  while (next < due.length && due[next] <= now) next++;
  if (next > first) parentPort.postMessage({ until: next });
}
