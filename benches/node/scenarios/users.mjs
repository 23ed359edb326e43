// users: tasks per second with 64 in flight, an array of 100 small records echoed.
//
// Who cares: a server that sends rows of a query through the pool; here cloning, not waking, is the
// cost.
// Measured: tasks done per second of wall time, cold and warm. About 6 KB go each way.
// Excluded: starting the pool, the first 0.6 s, building the records (one array per slot, numbered
// anew per task).
// Validated: length, and the first and last record of every result.

import { closedLoop } from '../lib/closed-loop.mjs';
import { coldAndWarm, coldAndWarmMetrics } from '../lib/cold-warm.mjs';
import { checkSame } from '../lib/check.mjs';
import { record } from '../lib/user-record.mjs';

const kInFlight = 64;
const kRecords = 100;

export default {
  name: 'users',
  task: 'echo',
  metrics: coldAndWarmMetrics,
  async run({ run, measured, scale }) {
    const slots = Array.from({ length: kInFlight }, () =>
      Array.from({ length: kRecords }, (_, id) => record(id)),
    );
    const load = {
      run,
      inFlight: kInFlight,
      make(slot, id) {
        slots[slot][0].id = id;
        return slots[slot];
      },
      verify(result, _slot, id) {
        checkSame(result.length, kRecords, 'records');
        checkSame(result[0].id, id, 'first id');
        checkSame(result[kRecords - 1].email, `user${kRecords - 1}@example.org`, 'last e-mail');
      },
    };
    return coldAndWarm({ measured, scale, work: (ms) => closedLoop({ ...load, ms }) });
  },
};
