'use strict';
// workerpool's own kind of worker file: registers the shared handler named by
// `workerData.filename`.

const { workerData } = require('node:worker_threads');
const workerpool = require('workerpool');

workerpool.worker({ run: require(workerData.filename) });
