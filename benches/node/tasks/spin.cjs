'use strict';
// Handler: a synchronous CPU task of `us` microseconds that returns its `id`.

const spinFor = require('./spin-for.cjs');

module.exports = ({ id, us }) => {
  spinFor(us);
  return id;
};
