// Internal helpers of Piscina that its tests reach for, as ours have them.
'use strict';

const { availableParallelism } = require('node:os');
const { dirname, join } = require('node:path');

// No entry of the package exports what marks a value as movable, so it is loaded by its path.
const dist = join(dirname(require.resolve('cenote/package.json')), 'dist');
const { isMovable, isTransferable, markMovable } = require(join(dist, 'wire', 'move.js'));

module.exports = {
  getAvailableParallelism: availableParallelism,
  isMovable,
  isTransferable,
  markMovable,
};
