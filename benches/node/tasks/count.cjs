'use strict';
// Handler: a CPU task of `us` microseconds that adds one to a shared counter when it has run.
// The counter lets the main thread see how many tasks ran while it could not receive a result.

const spinFor = require('./spin-for.cjs');

module.exports = ({ id, us, counter }) => {
  spinFor(us);
  Atomics.add(counter, 0, 1);
  return id;
};
