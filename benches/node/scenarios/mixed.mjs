// mixed: latency of short tasks among a few long ones, 1,500 a second (Poisson), 1 % of 20 ms, the
// rest 50 µs.
//
// Who cares: a server most of whose requests are cheap. A pool that hands a short task to a worker
// that is busy with a long one makes it wait 20 ms although another worker is free.
// Measured: due time to result of the 50 µs tasks only; p50 and p99.
// Excluded: starting the pool, warm-up (short tasks only), the first 300 ms of arrivals (run, not
// counted). Which arrivals are long, and when each is due, is the same for every pool of a round.
// Validated: every result, of the long tasks too, is the id of its task.

import { closedLoop } from '../lib/closed-loop.mjs';
import { openLoop } from '../lib/open-loop.mjs';
import { checkSame } from '../lib/check.mjs';
import { percentile, poissonTimes, randomSource } from '../lib/stats.mjs';

const kPerSecond = 1500;
const kShortUs = 50;
const kLongUs = 20_000;
const kLongShare = 0.01;
const kUncountedMs = 300;

export default {
  name: 'mixed',
  task: 'spin',
  metrics: {
    p50: { label: 'p50 of the short', unit: 'ms' },
    p99: { label: 'p99 of the short', unit: 'ms' },
  },
  async run({ run, round, scale }) {
    const verify = (result, id) => checkSame(result, id, 'id');
    await closedLoop({
      run,
      inFlight: 16,
      ms: 300 * scale,
      make: (_slot, id) => ({ id, us: kShortUs }),
      verify: (result, _slot, id) => verify(result, id),
    });
    const random = randomSource(round);
    const dueMs = poissonTimes(kPerSecond, kUncountedMs + 3500 * scale, random);
    const isLong = dueMs.map(() => random() < kLongShare);
    const { latencies } = await openLoop({
      run,
      dueMs,
      make: (id) => ({ id, us: isLong[id] ? kLongUs : kShortUs }),
      verify,
    });
    const short = latencies.filter((_, id) => dueMs[id] >= kUncountedMs && !isLong[id]);
    return { p50: percentile(short, 50), p99: percentile(short, 99) };
  },
};
