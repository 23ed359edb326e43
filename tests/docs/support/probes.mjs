// What a pool does, tried with the pool itself: for the README's table beside other pools.
//
// A driver opens a pool of worker threads with its default options, and gives: `call(name, value)`,
// a promise; `abortable(name, value)`, a promise and a function that ends the call, where the pool
// has one; `close()`, its orderly end. A probe does one thing with a driver, and returns the word
// that the table has for it. Where the word is that something never happens, a probe waits for
// `patience` ms, and what it waits for would take some 20.
//
// As a program, `node probes.mjs PROBE POOL PATIENCE`, it prints the word, and takes what is left
// of the pool with it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Far more than it takes to end an idle worker. */
const kEndsMs = 500;

const fixture = (name) => fileURLToPath(new URL(`../fixtures/${name}.cjs`, import.meta.url));
const words = () => new Int32Array(new SharedArrayBuffer(8));

// By a name that no tool follows: types that a pool's declarations bring in are not for all tests.
const load = (name) => import(name);

/** Whether `done()` within `patience` ms. */
async function within(patience, done) {
  const end = performance.now() + patience;
  while (performance.now() < end) {
    if (done()) return true;
    await sleep(2);
  }
  return done();
}

const withSignal = (run) => (name, value) => {
  const controller = new AbortController();
  return [run(name, value, controller.signal), () => controller.abort()];
};

/** How each pool is opened with so many threads. */
export const drivers = {
  async cenote(threads) {
    const { Pool } = await load('cenote');
    const filename = fixture('handlers');
    const pool = new Pool({ filename, minThreads: threads, maxThreads: threads });
    const run = (name, value, signal) => pool.run(value, { name, signal });
    return { call: run, abortable: withSignal(run), close: () => pool.close() };
  },
  async piscina(threads) {
    const { Piscina } = await load('piscina');
    const filename = fixture('handlers');
    const pool = new Piscina({ filename, minThreads: threads, maxThreads: threads });
    const run = (name, value, signal) => pool.run(value, { name, signal });
    return { call: run, abortable: withSignal(run), close: () => pool.close() };
  },
  async tinypool(threads) {
    const { Tinypool } = await load('tinypool');
    const filename = fixture('handlers');
    const pool = new Tinypool({ filename, minThreads: threads, maxThreads: threads });
    const run = (name, value, signal) => pool.run(value, { name, signal });
    return { call: run, abortable: withSignal(run), close: () => pool.destroy() };
  },
  async workerpool(threads) {
    const { default: workerpool } = await load('workerpool');
    const pool = workerpool.pool(fixture('workerpool-worker'), {
      workerType: 'thread',
      minWorkers: threads,
      maxWorkers: threads,
    });
    const call = (name, value) => pool.exec(name, [value]);
    const abortable = (name, value) => {
      const promise = call(name, value);
      return [promise, () => promise.cancel()];
    };
    return { call, abortable, close: () => pool.terminate() };
  },
  async poolifier(threads) {
    const { FixedThreadPool, PoolEvents } = await load('poolifier');
    const pool = new FixedThreadPool(threads, fixture('poolifier-worker'), {
      enableTasksQueue: true,
    });
    // Before that, all tasks may go behind each other on the one worker that is there.
    if (!pool.info.ready) await once(pool.emitter, PoolEvents.ready);
    const run = (name, value, signal) => pool.execute(value, name, signal);
    return { call: run, abortable: withSignal(run), close: () => pool.destroy() };
  },
  async 'jest-worker'(threads) {
    const { Worker } = await load('jest-worker');
    const farm = new Worker(fixture('handlers'), {
      numWorkers: threads,
      enableWorkerThreads: true,
    });
    return { call: (name, value) => farm[name](value), close: () => farm.end() };
  },
  async synckit() {
    const { createSyncFn } = await load('synckit');
    const call = createSyncFn(fixture('synckit-worker'));
    return { call: async (name, value) => call(name, value), close: async () => {} };
  },
};

/** Whether a timer that a task left behind fires while the worker has nothing to do. */
async function timers(open, patience) {
  const pool = await open(1);
  const shared = words();
  await pool.call('leaveTimer', shared);
  const fired = await within(patience, () => Atomics.load(shared, 0) === 1);
  return fired ? 'yes' : 'no';
}

/** Whether an error arrives with its class, its code, and its own properties. */
async function errors(open) {
  const pool = await open(1);
  const error = await pool.call('fail').then(assert.fail, (reason) => reason);
  const kept = [error instanceof RangeError, error.code === 'QUOTA', error.amount === 11];
  if (kept.every(Boolean)) return 'yes';
  return kept.some(Boolean) ? 'in part' : 'no';
}

/** Whether the call can be ended while its handler is in a loop, so that the next one runs. */
async function loops(open, patience) {
  const pool = await open(1);
  const shared = words();
  const [task, abort] = pool.abortable('spin', shared);
  task.catch(() => {});
  await within(60_000, () => Atomics.load(shared, 0) === 1);
  abort();
  let answered = false;
  pool.call('answer').then(() => (answered = true), assert.fail);
  return (await within(patience, () => answered)) ? 'yes' : 'no';
}

/** What an orderly end lets finish, of two workers that are busy and one task that waits. */
async function closing(open, patience) {
  const pool = await open(2);
  const held = [words(), words()];
  const outcomes = [];
  const pending = [...held.map((one) => pool.call('hold', one)), pool.call('answer')];
  for (const [i, task] of pending.entries()) {
    task.then(
      () => (outcomes[i] = 'done'),
      () => (outcomes[i] = 'failed'),
    );
  }
  for (const one of held) await within(60_000, () => Atomics.load(one, 0) === 1);
  const closed = Promise.resolve(pool.close()).catch(() => {});
  Atomics.store(held[0], 1, 1);
  await within(patience, () => outcomes[0] !== undefined);
  // A pool that ends when its first worker is free does so now, and cuts off the other.
  await Promise.race([closed, sleep(kEndsMs)]);
  Atomics.store(held[1], 1, 1);
  // Of some pools a call that is cut off never settles, and now and then the end itself does not.
  await within(patience, () => pending.every((_, i) => outcomes[i] !== undefined));
  const [first, second, third] = pending.map((_, i) => outcomes[i] === 'done');
  if (first && second) return third ? 'all' : 'what runs';
  return first || second || third ? 'a part' : 'nothing';
}

export const probes = { timers, errors, loops, closing };

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [probe, pool, patience] = process.argv.slice(2);
  setInterval(() => {}, 1_000); // a pool that waits for ever is no reason to end before the probe
  process.stdout.write(await probes[probe](drivers[pool], Number(patience)), () => process.exit());
}
