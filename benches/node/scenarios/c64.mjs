// c64: tasks per second with 64 in flight, a small object echoed.
//
// Who cares: a server that hands a short task of each request to the pool, under steady load.
// Measured: tasks done per second of wall time, cold and warm, the loop's own promises and the
// checks included; CPU time of all threads per task, warm.
// Excluded: starting the pool, the first 0.6 s. The handler does nothing, so this is the cost of
// the hop.
// Validated: every result equals what was sent; as many results as tasks.

import { coldAndWarm, coldAndWarmMetrics } from '../lib/cold-warm.mjs';
import { echo } from '../lib/small-object.mjs';

export default {
  name: 'c64',
  task: 'echo',
  metrics: coldAndWarmMetrics,
  run: ({ run, measured, scale }) =>
    coldAndWarm({ measured, scale, work: (ms) => echo(run, 64, ms) }),
};
