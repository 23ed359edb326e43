// load50: latency under open load, 4,000 tasks a second of 100 µs CPU each (Poisson).
//
// Who cares: whoever answers for a server's p99. Work arrives when it arrives, not when the pool is
// ready.
// Measured: from the *due* time of each task to its result on the main thread, so that a stall
// counts for every task that was due meanwhile; p50 and p99. `lagP99` is the part before run() was
// called. `warmP99` is p99 of tasks that come later: in the first seconds the runtime still
// compiles what is hot, on threads of its own, and they take CPUs from the others.
// Excluded: starting the pool, warm-up, the first 300 ms of arrivals, and those between the two
// parts (run, not counted).
// Validated: every result is the id of its task; every arrival has a latency.

import { closedLoop } from '../lib/closed-loop.mjs';
import { openLoop } from '../lib/open-loop.mjs';
import { checkSame } from '../lib/check.mjs';
import { percentile, poissonTimes, randomSource } from '../lib/stats.mjs';

const kPerSecond = 4000;
const kTaskUs = 100;
const kUncountedMs = 300;
const kCountedMs = 2200;
/** Between the first part and the warm one. */
const kBetweenMs = 4000;

export default {
  name: 'load50',
  task: 'spin',
  metrics: {
    p50: { label: 'p50', unit: 'ms' },
    p99: { label: 'p99', unit: 'ms' },
    warmP99: { label: 'p99 warm', unit: 'ms' },
    lagP99: { label: 'p99 until run()', unit: 'ms' },
  },
  async run({ run, measured, round, scale }) {
    const make = (id) => ({ id, us: kTaskUs });
    const verify = (result, id) => checkSame(result, id, 'id');
    await closedLoop({
      run,
      inFlight: 16,
      ms: 300 * scale,
      make: (_slot, id) => make(id),
      verify: (result, _slot, id) => verify(result, id),
    });
    const warmFromMs = kUncountedMs + (kCountedMs + kBetweenMs) * scale;
    const endMs = warmFromMs + kCountedMs * scale;
    const dueMs = poissonTimes(kPerSecond, endMs, randomSource(round));
    const { latencies, lags } = await measured(() => openLoop({ run, dueMs, make, verify }));
    const between = (samples, fromMs, toMs) =>
      samples.filter((_, id) => dueMs[id] >= fromMs && dueMs[id] < toMs);
    const counted = (samples) => between(samples, kUncountedMs, kUncountedMs + kCountedMs * scale);
    return {
      p50: percentile(counted(latencies), 50),
      p99: percentile(counted(latencies), 99),
      warmP99: percentile(between(latencies, warmFromMs, endMs), 99),
      lagP99: percentile(counted(lags), 99),
    };
  },
};
