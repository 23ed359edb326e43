// Closed-loop load: a fixed number of tasks in flight, each replaced when its result has come.

import { checkSame } from './check.mjs';

/**
 * Keeps `inFlight` tasks running for `ms` milliseconds and returns how many were done per second.
 * `make(slot, id)` gives the task, `verify(result, slot, id)` throws where the result is wrong; a
 * slot has one task at a time, so what a slot sends may be used again.
 */
export async function closedLoop({ run, inFlight, ms, make, verify }) {
  let sent = 0;
  let done = 0;
  const start = performance.now();
  const end = start + ms;
  async function keepBusy(slot) {
    while (performance.now() < end) {
      const id = sent++;
      verify(await run(make(slot, id)), slot, id);
      done++;
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, slot) => keepBusy(slot)));
  const seconds = (performance.now() - start) / 1000;
  checkSame(done, sent, 'results received');
  return done / seconds;
}
