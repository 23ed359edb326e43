// seq: latency of run() with one task at a time, a small object echoed.
//
// Who cares: a request that needs one result before it can go on; the price of a hop, both ways.
// Measured: each call of run() to its result, on the main thread; p50 and p99 of all of them.
// Excluded: starting the pool, warm-up. The next task follows at once, so no worker is ever long
// idle (`trickle` measures that).
// Validated: every result equals what was sent.

import { echo, make, verify } from '../lib/small-object.mjs';
import { percentile } from '../lib/stats.mjs';

export default {
  name: 'seq',
  task: 'echo',
  metrics: {
    p50: { label: 'p50', unit: 'µs' },
    p99: { label: 'p99', unit: 'µs' },
  },
  async run({ run, scale }) {
    await echo(run, 64, 300 * scale);
    await echo(run, 1, 500 * scale);
    const samples = [];
    const end = performance.now() + 1200 * scale;
    for (let id = 0, now = performance.now(); now < end; id++) {
      const result = await run(make(0, id));
      const after = performance.now();
      verify(result, 0, id);
      samples.push((after - now) * 1000);
      now = performance.now();
    }
    return { p50: percentile(samples, 50), p99: percentile(samples, 99) };
  },
};
