// Which of the workers gets a task, by what the dealer knows of them and of the CPUs.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const require = createRequire(import.meta.url);
const { Dealer } = require('../../dist/owner/dealer.js');
const { Handler } = require('../../dist/owner/handlers.js');
const { Progress } = require('../../dist/owner/progress.js');
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
  progress = { isSuspect: false };
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

const handlerOf = (averageMs) => ({ averageMs, measured: averageMs > 0 });

/** A dealer with so many idle workers and CPUs; tasks are expected to take `averageMs`. */
function dealerOf({ workers: count, cpus, averageMs = 0.001, prefetchWindowMs = 0.2 }) {
  const short = handlerOf(averageMs);
  const workers = Array.from({ length: count }, () => new Worker());
  const queue = new TaskQueue();
  const options = { concurrency: 1, eager: false, prefetchWindowMs, balancer: null, cpus };
  const dealer = new Dealer(options, queue, workers, { onGiven() {}, onFailed() {} });
  const deal = (...counts) => {
    for (const count of counts) {
      const handler = typeof count === 'number' ? short : count.handler;
      const plain = {
        limits: null,
        terms: null,
        abortable: false,
        fixed: false,
        mayEndWorker: false,
      };
      for (let i = 0; i < (count.count ?? count); i++)
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

test('work that is worth a wake wakes another worker', () => {
  const { deal, loads } = dealerOf({ workers: 2, cpus: 2, averageMs: 0.02 });
  deal(4);
  assert.deepEqual(loads().toSorted(), [0, 4]);
  deal(6);
  assert.ok(
    loads().every((load) => load > 0),
    `${loads()}`,
  );
});

test('a long task that comes after short ones wakes an idle worker', () => {
  for (const averageMs of [0, 1, 50]) {
    const { deal, loads } = dealerOf({ workers: 2, cpus: 2 });
    deal(5, { count: 1, handler: handlerOf(averageMs) }, 5);
    assert.ok(Math.min(...loads()) > 0, `${averageMs} ms: ${loads()}`);
    if (averageMs > 0) assert.equal(Math.min(...loads()), 1, `${averageMs} ms: ${loads()}`);
  }
});

test('what is left of two workers, where one has a CPU, goes to the first', () => {
  const { deal, loads, workers } = dealerOf({ workers: 2, cpus: 2 });
  for (const worker of workers) Object.assign(worker, { given: [0], inFlight: 1 });
  deal(10);
  assert.deepEqual(loads(), [11, 1]);
  deal(200);
  assert.ok(loads()[1] > 1, 'unless there is much');
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

/** What a handler is expected to take after `runs`. */
function expectedAfter(runs) {
  const handler = new Handler(0, 'file:///x.cjs', 'default', false);
  for (const ms of runs) handler.measure(ms);
  return handler.averageMs;
}

const repeat = (count, ...runs) => Array.from({ length: count }, () => runs).flat();

test('a worker is suspected only while it holds what it has not begun', () => {
  const { dealer, workers } = dealerOf({ workers: 2, cpus: 2 });
  const [first, second] = workers;
  Object.assign(first, { given: [1, 2, 3], inFlight: 3, expectedMs: 5 });
  Object.assign(second, { given: [4], inFlight: 1, expectedMs: 5 });
  assert.equal(dealer.takeBack().length, 0);
  assert.equal(dealer.hasSuspect, false);
  first.progress.isSuspect = true;
  assert.equal(dealer.takeBack().length, 0);
  assert.equal(dealer.hasSuspect, true);
  // It has begun all of them, and there is nothing to look at.
  first.given = [];
  assert.equal(dealer.takeBack().length, 0);
  assert.equal(dealer.hasSuspect, false);
});

test('a lone long run among short ones leaves no trace', () => {
  for (const before of [0, 1, 10, 200, 1_000]) {
    const runs = [...repeat(before, 0.01), 20, ...repeat(2, 0.01)];
    assert.ok(Math.abs(expectedAfter(runs) - 0.01) < 1e-9, `${before}: ${expectedAfter(runs)}`);
  }
  const rare = repeat(5, ...repeat(1_000, 0.01), 20);
  assert.ok(Math.abs(expectedAfter(rare) - 0.01) < 1e-9, `${expectedAfter(rare)}`);
});

test('long runs that recur count in full, also after many short ones', () => {
  // One in a hundred of 20 ms is 0.2 ms a run.
  const often = [...repeat(10, ...repeat(99, 0.01), 20), ...repeat(60, 0.01)];
  assert.ok(expectedAfter(often) > 0.15, `${expectedAfter(often)}`);
});

test('a handler that becomes long is expected to be so at once, and to be short in the end', () => {
  const runs = [...repeat(1_000, 0.01), 20, 20];
  assert.ok(expectedAfter(runs) > 2, `${expectedAfter(runs)}`);
  runs.push(...repeat(10, 20));
  assert.ok(expectedAfter(runs) > 10, `${expectedAfter(runs)}`);
  runs.push(...repeat(2_000, 0.01));
  assert.ok(expectedAfter(runs) < 0.02, `${expectedAfter(runs)}`);
});

/** A progress whose clocks the test sets: `ms` have gone by, `cpuMs` of them on a CPU. */
function progressOf({ knowsCpu = true } = {}) {
  let at = 0;
  let cpu = 0;
  const progress = new Progress(() => (knowsCpu ? cpu : -1));
  const look = (next, { ms = 0, cpuMs = 0 } = {}) => {
    at += ms;
    cpu += cpuMs;
    return progress.isStuck(next, at);
  };
  return { progress, look };
}

test('a worker is stuck that takes CPU time and begins nothing', () => {
  const { progress, look } = progressOf();
  const next = {};
  assert.equal(look(next), false);
  assert.equal(look(next, { ms: 0.5 }), false);
  assert.equal(progress.isSuspect, false);
  assert.equal(look(next, { ms: 0.5, cpuMs: 0.5 }), false);
  assert.ok(progress.isSuspect);
  assert.equal(look(next, { ms: 1, cpuMs: 0.9 }), true);
  assert.equal(progress.isSuspect, false, 'it is told');
  assert.equal(look({}, { ms: 1 }), false, 'it went on');
});

test('a worker that gets no CPU is stuck only after a while', () => {
  const { progress, look } = progressOf();
  const next = {};
  let waited = 0;
  for (; !look(next, { ms: 1 }); waited++);
  assert.equal(waited, 11);
  assert.equal(progress.isSuspect, false);
  assert.equal(look(next, { ms: 2 }), false, 'it is told once in a while');
  assert.equal(progress.isSuspect, false, 'nor is another look due soon');
  progress.reset();
  assert.equal(look(null, { ms: 100 }), false);
});

test('a worker whose CPU time is not known is stuck by the clock', () => {
  const { look } = progressOf({ knowsCpu: false });
  const next = {};
  assert.equal(look(next), false);
  assert.equal(look(next, { ms: 2 }), false);
  assert.equal(look(next, { ms: 0.1 }), true);
});
