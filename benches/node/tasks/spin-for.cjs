'use strict';
// Burns CPU for a given time: the stand-in for a task's own work.
// Bounded by the clock, not by a count, so that it lasts the same on every machine.

module.exports = function spinFor(us) {
  const end = performance.now() + us / 1000;
  while (performance.now() < end);
};
