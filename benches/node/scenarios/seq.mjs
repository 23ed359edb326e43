// seq, seq-number: latency of run() with one task at a time, a small object or a number echoed.
//
// Who cares: a request that needs one result before it can go on; the price of a hop, both ways.
// Measured: each call of run() to its result, on the main thread; p50 and p99 of all of them.
// Excluded: starting the pool, warm-up. The next task follows at once, so no worker is ever long
// idle (`trickle` measures that).
// Validated: every result equals what was sent.

import { closedLoop } from '../lib/closed-loop.mjs';
import * as smallObject from '../lib/small-object.mjs';
import { percentile } from '../lib/stats.mjs';
import { kinds } from '../lib/values.mjs';

/** One task at a time for `ms` milliseconds; the time of each in µs. */
async function timeEach(run, ms, { make, verify }) {
  const samples = [];
  const end = performance.now() + ms;
  for (let id = 0, now = performance.now(); now < end; id++) {
    const result = await run(make(0, id));
    const after = performance.now();
    verify(result, 0, id);
    samples.push((after - now) * 1000);
    now = performance.now();
  }
  return samples;
}

const oneAtATime = (name, { make, verify }) => ({
  name,
  task: 'echo',
  metrics: {
    p50: { label: 'p50', unit: 'µs' },
    p99: { label: 'p99', unit: 'µs' },
  },
  async run({ run, measured, scale }) {
    await closedLoop({ run, inFlight: 64, ms: 300 * scale, make, verify });
    await closedLoop({ run, inFlight: 1, ms: 500 * scale, make, verify });
    const samples = await measured(() => timeEach(run, 1200 * scale, { make, verify }));
    return { p50: percentile(samples, 50), p99: percentile(samples, 99) };
  },
});

export const seq = oneAtATime('seq', smallObject);
export const seqNumber = oneAtATime(
  'seq-number',
  kinds.find(({ name }) => name === 'number').load(),
);
