// burst: tasks per second when 20,000 small objects are submitted at once.
//
// Who cares: a batch job, or a server that catches up after a pause.
// Measured: from the first call of run() to the last result, submission included; the median of up
// to 5 bursts.
// Excluded: starting the pool; one whole burst before the measured ones, as warm-up.
// Validated: every result equals what was sent.

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

export default {
  name: 'burst',
  task: 'echo',
  metrics: { perSecond: { label: 'rate', unit: 'tasks/s' } },
  async run({ run, scale }) {
    await burst(run);
    const rates = [];
    const end = performance.now() + 1500 * scale;
    do rates.push(await burst(run));
    while (rates.length < kBursts && performance.now() < end);
    return { perSecond: median(rates) };
  },
};
