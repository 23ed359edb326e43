// load50: latency under open load, 4,000 tasks a second of 100 µs CPU each (Poisson).
//
// Who cares: whoever answers for a server's p99. Work arrives when it arrives, not when the pool is
// ready.
// Measured: from the *due* time of each task to its result on the main thread, so that a stall
// counts for every task that was due meanwhile; p50 and p99. `lagP99` is the part before run() was
// called.
// Excluded: starting the pool, warm-up, the first 300 ms of arrivals (run, not counted).
// Validated: every result is the id of its task; every arrival has a latency.

import { closedLoop } from '../lib/closed-loop.mjs';
import { openLoop } from '../lib/open-loop.mjs';
import { checkSame } from '../lib/check.mjs';
import { percentile, poissonTimes, randomSource } from '../lib/stats.mjs';

const kPerSecond = 4000;
const kTaskUs = 100;
const kUncountedMs = 300;

export default {
  name: 'load50',
  task: 'spin',
  metrics: {
    p50: { label: 'p50', unit: 'ms' },
    p99: { label: 'p99', unit: 'ms' },
    lagP99: { label: 'p99 until run()', unit: 'ms' },
  },
  async run({ run, round, scale }) {
    const make = (id) => ({ id, us: kTaskUs });
    const verify = (result, id) => checkSame(result, id, 'id');
    await closedLoop({
      run,
      inFlight: 16,
      ms: 300 * scale,
      make: (_slot, id) => make(id),
      verify: (result, _slot, id) => verify(result, id),
    });
    const dueMs = poissonTimes(kPerSecond, kUncountedMs + 2200 * scale, randomSource(round));
    const { latencies, lags } = await openLoop({ run, dueMs, make, verify });
    const counted = (samples) => samples.filter((_, id) => dueMs[id] >= kUncountedMs);
    return {
      p50: percentile(counted(latencies), 50),
      p99: percentile(counted(latencies), 99),
      lagP99: percentile(counted(lags), 99),
    };
  },
};
