'use strict';
// Handler with three kinds of task, for what a task leaves behind on its worker:
//   spin    a synchronous CPU task of `us` microseconds
//   post    an HTTP call to the collector that the task waits for (loads and compiles the client)
//   detach  starts a 20 ms timer and an HTTP call, waits for neither, and returns at once
// A detached piece of work writes into shared memory how many milliseconds after its start it
// ended; the cells stay 0 until then. No message is involved, so the pool cannot delay the report.

const http = require('node:http');
const spinFor = require('./spin-for.cjs');

const kTimerCell = 0;
const kHttpCell = 1;
const kTimerMs = 20;

function post(port, done) {
  const request = http.request(
    { host: '127.0.0.1', port, method: 'POST', agent: false },
    (response) => {
      response.resume();
      response.on('end', done);
    },
  );
  request.on('error', (error) => {
    throw error;
  });
  request.end('{"record":1}');
}

function detach({ id, port, cells }) {
  const start = performance.now();
  setTimeout(() => {
    cells[kTimerCell] = performance.now() - start;
  }, kTimerMs);
  post(port, () => {
    cells[kHttpCell] = performance.now() - start;
  });
  return id;
}

module.exports = (task) => {
  switch (task.kind) {
    case 'spin':
      spinFor(task.us);
      return task.id;
    case 'post':
      return new Promise((resolve) => post(task.port, () => resolve(task.id)));
    case 'detach':
      return detach(task);
    default:
      throw new TypeError(`unknown kind of task: ${task.kind}`);
  }
};

// For poolifier, which decides by the function's kind and not by its result whether to wait for a
// promise.
module.exports.returnsPromise = true;
