// The class as a compiled ES module has it, as default and named exports: tests and fixtures import
// `dist` directly.
'use strict';

const Piscina = require('cenote/piscina');

Object.defineProperty(exports, '__esModule', { value: true });
exports.default = Piscina;
for (const name of [
  'Piscina',
  'ArrayTaskQueue',
  'FixedQueue',
  'isWorkerThread',
  'move',
  'queueOptionsSymbol',
  'transferableSymbol',
  'valueSymbol',
  'version',
  'workerData',
]) {
  exports[name] = Piscina[name];
}
