'use strict';
// poolifier's own kind of worker file: wraps the shared handler named by `workerData.filename`.

const { workerData } = require('node:worker_threads');
const { ThreadWorker } = require('poolifier');

const handler = require(workerData.filename);
module.exports = new ThreadWorker(handler.returnsPromise ? async (task) => handler(task) : handler);
