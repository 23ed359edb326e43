// Buffers that are echoed: each task's own number stands at both ends, so that a result which is
// another task's, or is cut short, is noticed.

import { checkSame } from './check.mjs';

/** The 32-bit number at `offset` of a Uint8Array, which is what a cloned Buffer arrives as. */
const numberAt = (bytes, offset) =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);

/** { make, verify } for a closed loop of `inFlight`; a slot sends the same Buffer each time. */
export function stampedBytes(size, inFlight) {
  const slots = Array.from({ length: inFlight }, () => Buffer.alloc(size, 7));
  return {
    make(slot, id) {
      slots[slot].writeUint32LE(id, 0);
      slots[slot].writeUint32LE(id, size - 4);
      return slots[slot];
    },
    verify(result, _slot, id) {
      checkSame(result.byteLength, size, 'bytes');
      checkSame(numberAt(result, 0), id, 'number at the start');
      checkSame(numberAt(result, size - 4), id, 'number at the end');
    },
  };
}
