// burst: tasks per second when 20,000 small objects are submitted at once.
//
// Who cares: a batch job, or a server that catches up after a pause.
// Measured: from the first call of run() to the last result, submission included; cold and warm,
// each the median of up to 5 bursts.
// Excluded: starting the pool; one whole burst before the measured ones.
// Validated: every result equals what was sent.

import { coldAndWarm, coldAndWarmMetrics } from '../lib/cold-warm.mjs';
import { make, verify } from '../lib/small-object.mjs';
import { median } from '../lib/stats.mjs';

const kTasks = 20_000;
const kBursts = 5;

async function burst(run) {
  const start = performance.now();
  const results = await Promise.all(Array.from({ length: kTasks }, (_, id) => run(make(0, id))));
  const seconds = (performance.now() - start) / 1000;
  results.forEach((result, id) => verify(result, 0, id));
  return kTasks / seconds;
}

/** Bursts for `ms` milliseconds, at least one and at most 5; the median of their rates. */
async function bursts(run, ms) {
  const rates = [];
  const end = performance.now() + ms;
  do rates.push(await burst(run));
  while (rates.length < kBursts && performance.now() < end);
  return median(rates);
}

export default {
  name: 'burst',
  task: 'echo',
  metrics: coldAndWarmMetrics,
  run: ({ run, measured, scale }) =>
    coldAndWarm({ measured, scale, rampMs: 0, work: (ms) => bursts(run, ms) }),
};
