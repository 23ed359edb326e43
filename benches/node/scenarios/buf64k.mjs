// buf64k: tasks per second with 64 in flight, a Buffer of 64 KiB echoed.
//
// Who cares: a server that hashes, compresses or parses bodies in the pool.
// Measured: tasks done per second of wall time. The Buffer is copied, not transferred, both ways,
// as it is where the caller goes on using it.
// Excluded: starting the pool, warm-up, allocating what is sent (one Buffer per slot).
// Validated: the length, a number at the start and one at the end of every result.

import { closedLoop } from '../lib/closed-loop.mjs';
import { stampedBytes } from '../lib/stamped-bytes.mjs';

const kInFlight = 64;
const kBytes = 64 * 1024;

export default {
  name: 'buf64k',
  task: 'echo',
  metrics: { perSecond: { label: 'rate', unit: 'tasks/s' } },
  async run({ run, measured, scale }) {
    const load = { run, inFlight: kInFlight, ...stampedBytes(kBytes, kInFlight) };
    await closedLoop({ ...load, ms: 500 * scale });
    return { perSecond: await measured(() => closedLoop({ ...load, ms: 1200 * scale })) };
  },
};
