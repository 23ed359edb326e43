// c64: tasks per second with 64 in flight, a small object echoed.
//
// Who cares: a server that hands a short task of each request to the pool, under steady load.
// Measured: tasks done per second of wall time, the loop's own promises and the checks included.
// Excluded: starting the pool, warming it up. The handler does nothing, so this is the cost of the
// hop.
// Validated: every result equals what was sent; as many results as tasks.

import { echo } from '../lib/small-object.mjs';

export default {
  name: 'c64',
  task: 'echo',
  metrics: { perSecond: { label: 'rate', unit: 'tasks/s' } },
  async run({ run, scale }) {
    await echo(run, 64, 600 * scale);
    return { perSecond: await echo(run, 64, 1200 * scale) };
  },
};
