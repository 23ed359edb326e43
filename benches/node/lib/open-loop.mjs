// Open-loop load: arrivals at due times that were fixed beforehand, whatever the pool does.
//
// A thread of its own (ticker.mjs) watches the clock and sends the main thread a message at each
// due time, as a socket would: arrivals reach the main loop as I/O events, are not rounded to whole
// milliseconds as timers are, and do not wait for completions. When the ticker or the main loop is
// late it catches up, and the delay counts: latency runs from the *due* time to the result.

import { Worker } from 'node:worker_threads';
import { checkSame } from './check.mjs';
import { monotonicMs } from './clock.mjs';

/**
 * Submits one task per entry of `dueMs` (ascending, in ms from the start).
 * @returns {Promise<{ latencies: Float64Array, lags: Float64Array }>} per arrival, in ms: due time
 * to result, and due time to the call of `run`.
 */
export async function openLoop({ run, dueMs, make, verify }) {
  const due = new Float64Array(new SharedArrayBuffer(dueMs.length * 8));
  due.set(dueMs);
  const latencies = new Float64Array(due.length).fill(NaN);
  const lags = new Float64Array(due.length).fill(NaN);
  const ticker = new Worker(new URL('./ticker.mjs', import.meta.url), { workerData: { due } });
  let start;
  let submitted = 0;
  let settled = 0;

  await new Promise((resolve, reject) => {
    async function arrive(id) {
      lags[id] = monotonicMs() - start - due[id];
      verify(await run(make(id)), id);
      latencies[id] = monotonicMs() - start - due[id];
      if (++settled === due.length) resolve();
    }
    ticker.on('error', reject);
    ticker.on('message', (message) => {
      if (message.start !== undefined) start = message.start;
      else while (submitted < message.until) arrive(submitted++).catch(reject);
    });
  });
  checkSame(latencies.some(Number.isNaN), false, 'an arrival without a latency');
  return { latencies, lags };
}
