// `bootTimeout`: a thread that does not get ready is ended, and told of like one that cannot start.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CenoteError, Pool } from 'cenote';
import { fixture, poolFor, sharedWords, until, untilSo, watched } from './support/behaviour.mjs';

const neverLoads = fixture('features/never-loads.mjs');
const blocksLoading = fixture('features/blocks-loading.cjs');
const kStarts = 0;
const kHangs = 1;

/** A pool whose threads do not get ready as long as `words[kHangs]` says so. */
function hangingPool(t, options = {}) {
  const words = sharedWords();
  words[kHangs] = 1;
  const pool = poolFor(t, {
    filename: neverLoads,
    workerData: { words },
    minThreads: 0,
    maxThreads: 1,
    bootTimeout: 400,
    ...options,
  });
  return { pool, words };
}

function isBootTimeout(error) {
  assert.ok(error instanceof CenoteError);
  assert.equal(error.code, 'ERR_CENOTE_WORKER_BOOT');
  assert.ok(error.cause instanceof CenoteError, String(error.cause));
  assert.equal(error.cause.code, 'ERR_CENOTE_BOOT_TIMEOUT');
  return true;
}

test('bootTimeout: refused values, the limits, and the default', watched, (t) => {
  const message = /\bbootTimeout\b/;
  for (const bootTimeout of ['1', null, true, {}, 1n]) {
    assert.throws(() => new Pool({ filename: neverLoads, bootTimeout }), {
      code: 'ERR_INVALID_ARG_TYPE',
      message,
    });
  }
  for (const bootTimeout of [0, -1, 0.5, NaN, -Infinity, 2 ** 31]) {
    assert.throws(() => new Pool({ filename: neverLoads, bootTimeout }), {
      code: 'ERR_OUT_OF_RANGE',
      message,
    });
  }
  for (const bootTimeout of [1, 2 ** 31 - 1, Infinity]) {
    assert.equal(poolFor(t, { minThreads: 0, bootTimeout }).options.bootTimeout, bootTimeout);
  }
  assert.equal(poolFor(t, { minThreads: 0 }).options.bootTimeout, 60_000);
});

for (const [what, options] of [
  ['never finishes loading', { filename: neverLoads }],
  ['blocks its thread while it is loaded', { filename: blocksLoading }],
]) {
  test(`a file that ${what}: its tasks reject, after three threads`, watched, async (t) => {
    const { pool, words } = hangingPool(t, options);
    const runs = await Promise.allSettled(Array.from({ length: 5 }, (_, n) => pool.run(n)));
    for (const { reason } of runs) assert.ok(isBootTimeout(reason));
    assert.ok(words[kStarts] <= 3, `${words[kStarts]} starts`);
    await until('the threads have ended', () => pool.threads.length === 0);
    assert.equal(pool.stats().tasks.lost, 5);
  });

  test(`a file that ${what}: ready() rejects`, watched, async (t) => {
    const { pool } = hangingPool(t, { ...options, minThreads: 1 });
    await assert.rejects(pool.ready(), isBootTimeout);
  });
}

test('a setup that never ends is ended too', watched, async (t) => {
  const words = sharedWords();
  const pool = poolFor(t, {
    filename: fixture('features/with-setup.cjs'),
    workerData: { words, hang: 'setup' },
    minThreads: 1,
    maxThreads: 1,
    bootTimeout: 400,
  });
  await assert.rejects(pool.run(1), isBootTimeout);
  assert.equal(words[4], 0, 'no task ran');
});

test(
  'a file that waits for nothing at all settles its tasks too, whichever is noticed first',
  watched,
  async (t) => {
    const { pool, words } = hangingPool(t);
    Atomics.store(words, kHangs, 2);
    await assert.rejects(pool.run(1), { name: 'CenoteError', code: 'ERR_CENOTE_WORKER_BOOT' });
    Atomics.store(words, kHangs, 0);
    // It may have failed so fast that the next try has to wait.
    const isBack = () =>
      pool.run('again').then(
        (value) => value === 'again',
        () => false,
      );
    await untilSo('a thread starts', isBack);
  },
);

test('a pool recovers from a file that did not load', watched, async (t) => {
  const { pool, words } = hangingPool(t, { bootTimeout: 1_500, minThreads: 1 });
  await assert.rejects(pool.run(1), isBootTimeout);
  Atomics.store(words, kHangs, 0);
  assert.equal(await pool.run('again'), 'again');
  await pool.close();
});

test('a thread that does not get ready costs those that are nothing', watched, async (t) => {
  const { pool, words } = hangingPool(t, { minThreads: 1, maxThreads: 2, bootTimeout: 1_500 });
  Atomics.store(words, kHangs, 0);
  await pool.ready();
  const [worker] = pool.threads;
  Atomics.store(words, kHangs, 1);
  const task = sharedWords();
  const busy = pool.run({ words: task }, { name: 'block' });
  await until('it is busy', () => Atomics.load(task, 0) === 1);
  const waiting = Array.from({ length: 5 }, (_, n) => pool.run(n));
  await until('a second thread was started', () => Atomics.load(words, kStarts) > 1);
  const [, second] = pool.threads;
  await until('it was ended', () => !pool.threads.includes(second));
  Atomics.store(task, 1, 1);
  Atomics.notify(task, 1);
  await busy;
  assert.deepEqual(await Promise.all(waiting), [0, 1, 2, 3, 4]);
  assert.equal(pool.threads[0], worker);
});

test('a file that loads in time is left alone when its time would be over', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, bootTimeout: 3_000 });
  await pool.ready();
  const [worker] = pool.threads;
  const from = performance.now();
  await until('its time is over', () => performance.now() - from > 3_200);
  assert.deepEqual(pool.threads, [worker]);
  assert.equal(await pool.run('still there'), 'still there');
});

test('close() and destroy() of a pool whose threads do not get ready', watched, async (t) => {
  for (const how of ['close', 'destroy']) {
    const { pool, words } = hangingPool(t, { minThreads: 1, bootTimeout: 60_000 });
    await until('it loads', () => Atomics.load(words, kStarts) === 1);
    await pool[how]();
    assert.deepEqual(pool.threads, []);
  }
});
