'use strict';
// Handler: a synchronous CPU task of `us` microseconds that returns its `id` and when it ended, in
// milliseconds of the system's monotonic clock, which all threads share (lib/clock.mjs).

const spinFor = require('./spin-for.cjs');

module.exports = ({ id, us }) => {
  spinFor(us);
  return { id, endedMs: Number(process.hrtime.bigint()) / 1e6 };
};
