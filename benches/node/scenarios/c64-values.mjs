// c64-number, c64-string, c64-flat, c64-1k, c64-10k: `c64` with other values: a number, a string of
// about ten characters, a flat object of ten properties, 1 KiB of bytes, a nested object of about
// 10 KiB.
//
// Who cares: whoever wants to know what a hop costs with their own values.
// Measured: as in c64.
// Excluded: as in c64; building the bytes and the nested object (one per slot, numbered anew per
// task).
// Validated: every number and string; of the others the number of the task, at both ends where they
// are large, and some of what is in between.

import { closedLoop } from '../lib/closed-loop.mjs';
import { coldAndWarm, coldAndWarmMetrics } from '../lib/cold-warm.mjs';
import { kinds } from '../lib/values.mjs';

const kInFlight = 64;

export const c64Values = kinds.map(({ name, load }) => ({
  name: `c64-${name}`,
  task: 'echo',
  // The number is what bars are set for.
  extra: name !== 'number',
  metrics: coldAndWarmMetrics,
  run({ run, measured, scale }) {
    const loop = { run, inFlight: kInFlight, ...load(kInFlight) };
    return coldAndWarm({ measured, scale, work: (ms) => closedLoop({ ...loop, ms }) });
  },
}));
