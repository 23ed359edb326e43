'use strict';
// The worker's side of raw-workers.mjs: answers each message with the result of the shared handler
// named by `workerData.filename`, or with its error.

const { parentPort, workerData } = require('node:worker_threads');

const handler = require(workerData.filename);

parentPort.on('message', ({ id, task }) => {
  try {
    const result = handler(task);
    if (typeof result?.then !== 'function') parentPort.postMessage({ id, result });
    else
      result.then(
        (value) => parentPort.postMessage({ id, result: value }),
        (error) => parentPort.postMessage({ id, error }),
      );
  } catch (error) {
    parentPort.postMessage({ id, error });
  }
});
