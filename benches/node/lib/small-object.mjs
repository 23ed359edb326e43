// The small object that most scenarios send, and the closed loops over it.

import { closedLoop } from './closed-loop.mjs';
import { checkSame } from './check.mjs';

/** A small object as a handler gets it. */
export const make = (_slot, id) => ({ a: id, b: 'hello' });

/** Throws unless `result` is the echo of `make(slot, id)`. */
export function verify(result, _slot, id) {
  checkSame(result.a, id, 'echoed number');
  checkSame(result.b, 'hello', 'echoed string');
}

/** Echoes small objects, `inFlight` at a time, for `ms` milliseconds; returns tasks per second. */
export const echo = (run, inFlight, ms) => closedLoop({ run, inFlight, ms, make, verify });
