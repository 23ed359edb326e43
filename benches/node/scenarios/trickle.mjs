// trickle: one task every 10 ms, a small object echoed.
//
// Who cares: a service with little to do, on a machine it shares: a pool must neither be slow
// because its workers sleep nor burn a core so as to be fast.
// Measured: p50 of run(), and CPU time of the whole process (main thread and workers) per second of
// wall time.
// Excluded: starting the pool, warm-up, half a second of trickle before the measurement. The CPU
// figure includes the timer that paces the tasks, the same for every pool.
// Validated: every result equals what was sent.

import { setTimeout as sleep } from 'node:timers/promises';
import { echo, make, verify } from '../lib/small-object.mjs';
import { cpuMsPerSecond } from '../lib/cpu.mjs';
import { percentile } from '../lib/stats.mjs';

const kEveryMs = 10;

async function trickle(run, ms) {
  const samples = [];
  const start = performance.now();
  for (let id = 0; id * kEveryMs < ms; id++) {
    await sleep(Math.max(0, start + id * kEveryMs - performance.now()));
    const before = performance.now();
    const result = await run(make(0, id));
    samples.push((performance.now() - before) * 1000);
    verify(result, 0, id);
  }
  return samples;
}

export default {
  name: 'trickle',
  task: 'echo',
  metrics: {
    p50: { label: 'p50', unit: 'µs' },
    cpu: { label: 'CPU', unit: 'ms/s' },
  },
  async run({ run, scale }) {
    await echo(run, 64, 300 * scale);
    await trickle(run, 500 * scale);
    let samples;
    const cpu = await cpuMsPerSecond(async () => {
      samples = await trickle(run, 2500 * scale);
    });
    return { p50: percentile(samples, 50), cpu };
  },
};
