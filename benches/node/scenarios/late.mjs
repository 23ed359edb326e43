// late: how long after a task of 5 to 50 ms has ended its result is there.
//
// Who cares: a server that resizes an image or renders a page in the pool, and answers then. A main
// thread that looks for results less and less often finds such a result late.
// Measured: from the end of the handler, taken in the worker, to the settled promise on the main
// thread, on the clock that both share; p50 and p99. One task at a time, so that the main thread
// has a CPU; its lengths are spread evenly on a logarithmic scale, the same for every pool of a
// round.
// Excluded: starting the pool, warm-up, the way to the worker.
// Validated: every result is the id of its task, and none is there before its task ended.

import { closedLoop } from '../lib/closed-loop.mjs';
import { checkSame } from '../lib/check.mjs';
import { monotonicMs } from '../lib/clock.mjs';
import { percentile, randomSource } from '../lib/stats.mjs';

const kShortestUs = 5_000;
const kLongestUs = 50_000;
const kMs = 2500;

export default {
  name: 'late',
  task: 'end-time',
  extra: true,
  metrics: {
    p50: { label: 'p50', unit: 'µs' },
    p99: { label: 'p99', unit: 'µs' },
  },
  async run({ run, round, scale }) {
    await closedLoop({
      run,
      inFlight: 16,
      ms: 300 * scale,
      make: (_slot, id) => ({ id, us: 100 }),
      verify: (result, _slot, id) => checkSame(result.id, id, 'id'),
    });
    const random = randomSource(round);
    const samples = [];
    const end = performance.now() + kMs * scale;
    for (let id = 0; performance.now() < end; id++) {
      const us = kShortestUs * (kLongestUs / kShortestUs) ** random();
      const result = await run({ id, us });
      const lateUs = (monotonicMs() - result.endedMs) * 1000;
      checkSame(result.id, id, 'id');
      checkSame(lateUs >= 0, true, 'a result after the end of its task');
      samples.push(lateUs);
    }
    return { p50: percentile(samples, 50), p99: percentile(samples, 99) };
  },
};
