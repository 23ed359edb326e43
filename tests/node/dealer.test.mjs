// Which of the workers gets a task, by what the dealer knows of them and of the CPUs.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const require = createRequire(import.meta.url);
const { Dealer } = require('../../dist/owner/dealer.js');
const { Handler } = require('../../dist/owner/handlers.js');
const { TaskQueue } = require('../../dist/owner/task.js');

/** What a dealer sees of a worker, which keeps what it is given. */
class Worker {
  given = [];
  inFlight = 0;
  expectedMs = 0;
  exclusive = false;
  mayPrefetch = true;
  wasReady = true;
  lastUsed = 0;
  hasRoom = true;
  hasPending = false;
  stuck = false;
  slots = {
    hasRevoked: false,
    withholds: false,
    worker: this,
    get unclaimed() {
      return Math.max(0, this.worker.given.length - 1);
    },
  };

  add(task) {
    this.given.push(task);
    this.inFlight++;
    this.expectedMs += task.handler.averageMs;
  }

  post() {}

  isStuck() {
    return this.stuck;
  }

  revokeAll() {
    const back = this.given.splice(1);
    this.inFlight -= back.length;
    this.mayPrefetch = false;
    return back;
  }
}

/** A dealer with so many idle workers and CPUs; tasks are expected to take `averageMs`. */
function dealerOf({ workers: count, cpus, averageMs = 0.001, prefetchWindowMs = 0.2 }) {
  const handler = { averageMs, measured: averageMs > 0 };
  const workers = Array.from({ length: count }, () => new Worker());
  const queue = new TaskQueue();
  const options = { concurrency: 1, eager: false, prefetchWindowMs, balancer: null, cpus };
  const dealer = new Dealer(options, queue, workers, { onGiven() {}, onFailed() {} });
  const deal = (tasks) => {
    for (let i = 0; i < tasks; i++) {
      const plain = { limits: null, abortable: false, fixed: false, mayEndWorker: false };
      queue.push({ handler, ...plain, previous: null, next: null });
    }
    dealer.deal();
    dealer.prefetch();
  };
  return { dealer, deal, workers, queue, loads: () => workers.map(({ inFlight }) => inFlight) };
}

test('short tasks go behind one another where all CPUs are taken', () => {
  for (const { workers, cpus, tasks, expected } of [
    // This thread and one worker are two.
    { workers: 2, cpus: 2, tasks: 2, expected: [2, 0] },
    { workers: 2, cpus: 2, tasks: 30, expected: [30, 0] },
    { workers: 2, cpus: 1, tasks: 2, expected: [2, 0] },
    { workers: 4, cpus: 3, tasks: 4, expected: [3, 1, 0, 0] },
    { workers: 4, cpus: 16, tasks: 4, expected: [1, 1, 1, 1] },
  ]) {
    const { deal, loads } = dealerOf({ workers, cpus });
    deal(tasks);
    const sorted = loads().toSorted((a, b) => b - a);
    assert.equal(
      sorted.filter((load) => load > 0).length,
      expected.filter((load) => load > 0).length,
      `${workers} workers, ${cpus} CPUs, ${tasks} tasks: ${sorted}`,
    );
    assert.equal(
      sorted.reduce((sum, load) => sum + load, 0),
      tasks,
    );
  }
});

test('tasks that are not known to be short wake an idle worker each', () => {
  for (const averageMs of [0, 0.15, 5]) {
    const { deal, loads } = dealerOf({ workers: 2, cpus: 2, averageMs });
    deal(2);
    assert.deepEqual(loads(), [1, 1], `${averageMs} ms`);
  }
});

test('more than a window of short tasks wakes another worker', () => {
  const { deal, loads } = dealerOf({ workers: 2, cpus: 2, averageMs: 0.05 });
  deal(4);
  assert.deepEqual(loads().toSorted(), [0, 4]);
  deal(4);
  assert.deepEqual(loads().toSorted(), [4, 4]);
});

test('without prefetch every idle worker is given a task', () => {
  const { deal, loads } = dealerOf({ workers: 2, cpus: 1, prefetchWindowMs: 0 });
  deal(2);
  assert.deepEqual(loads(), [1, 1]);
});

test('what waits behind a worker that goes on stays there; what waits behind a stuck one moves', () => {
  const { dealer, deal, workers, queue, loads } = dealerOf({ workers: 2, cpus: 2 });
  deal(10);
  assert.deepEqual(loads().toSorted(), [0, 10]);
  assert.equal(dealer.takeBack().length, 0);
  workers.find(({ inFlight }) => inFlight > 0).stuck = true;
  const back = dealer.takeBack();
  assert.equal(back.length, 9);
  queue.unshift(back);
  deal(0);
  assert.deepEqual(loads().toSorted(), [1, 9]);
});

test('a single long run among short ones does not make a handler long; several do', () => {
  const handler = new Handler(0, 'file:///x.cjs', 'default');
  assert.equal(handler.measured, false);
  for (let i = 0; i < 10; i++) handler.measure(0.01);
  assert.ok(handler.measured);
  for (let i = 0; i < 50; i++) {
    handler.measure(i % 3 === 0 ? 20 : 0.01);
    assert.ok(Math.abs(handler.averageMs - 0.01) < 1e-9, `${handler.averageMs} after ${i}`);
  }
  for (let i = 0; i < 10; i++) handler.measure(20);
  assert.ok(handler.averageMs > 10, `${handler.averageMs}`);
  for (let i = 0; i < 100; i++) handler.measure(0.01);
  assert.ok(handler.averageMs < 0.02, `${handler.averageMs}`);
});
