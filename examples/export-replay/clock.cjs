/**
 * One clock for all threads and processes of the replay: milliseconds, monotonic.
 *
 * `performance.now()` starts at zero in every worker, and the wall clock may
 * jump. `process.hrtime` reads the machine's monotonic clock, so the collector
 * can tell how long after the end of its task a record arrived.
 */
'use strict';

exports.clock = function clock() {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
};
