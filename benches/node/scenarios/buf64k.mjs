// buf64k: tasks per second with 64 in flight, a Buffer of 64 KiB echoed.
//
// Who cares: a server that hashes, compresses or parses bodies in the pool.
// Measured: tasks done per second of wall time. The Buffer is copied, not transferred, both ways,
// as it is where the caller goes on using it.
// Excluded: starting the pool, warm-up, allocating what is sent (one Buffer per slot).
// Validated: the length, a number at the start and one at the end of every result.

import { closedLoop } from '../lib/closed-loop.mjs';
import { checkSame } from '../lib/check.mjs';

const kInFlight = 64;
const kBytes = 64 * 1024;

/** The 32-bit number at `offset` of a Uint8Array, which is what a cloned Buffer arrives as. */
const numberAt = (bytes, offset) =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);

export default {
  name: 'buf64k',
  task: 'echo',
  metrics: { perSecond: { label: 'rate', unit: 'tasks/s' } },
  async run({ run, scale }) {
    const slots = Array.from({ length: kInFlight }, () => Buffer.alloc(kBytes, 7));
    const load = {
      run,
      inFlight: kInFlight,
      make(slot, id) {
        slots[slot].writeUint32LE(id, 0);
        slots[slot].writeUint32LE(id, kBytes - 4);
        return slots[slot];
      },
      verify(result, _slot, id) {
        checkSame(result.byteLength, kBytes, 'bytes');
        checkSame(numberAt(result, 0), id, 'number at the start');
        checkSame(numberAt(result, kBytes - 4), id, 'number at the end');
      },
    };
    await closedLoop({ ...load, ms: 500 * scale });
    return { perSecond: await closedLoop({ ...load, ms: 1200 * scale }) };
  },
};
