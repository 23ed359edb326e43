// `ready()`: the threads that are kept have loaded the file, or why they could not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { fixture, poolFor, runProgram, sharedWords, until, watched } from './support/behaviour.mjs';

const withSetup = fixture('features/with-setup.cjs');
const neverLoads = fixture('features/never-loads.mjs');
const kSetupEnded = 1;
const readyCount = (pool) => pool.stats().workers.filter(({ state }) => state === 'ready').length;

test(
  'ready() resolves once minThreads threads have loaded the file and run its setup',
  watched,
  async (t) => {
    const words = sharedWords();
    const pool = poolFor(t, {
      filename: withSetup,
      workerData: { words },
      minThreads: 2,
      maxThreads: 3,
    });
    assert.equal(await pool.ready(), undefined);
    assert.equal(words[kSetupEnded], 2);
    assert.equal(readyCount(pool), 2);
    assert.equal(pool.threads.length, 2);
  },
);

test('ready() waits for a file that takes long to load', watched, async (t) => {
  const words = sharedWords(2);
  words[1] = 1;
  const pool = poolFor(t, {
    filename: fixture('features/blocks-loading.cjs'),
    workerData: { words },
    minThreads: 1,
    maxThreads: 1,
  });
  let ready = false;
  const waiting = pool.ready().then(() => (ready = true));
  await until('it loads', () => Atomics.load(words, 0) === 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(ready, false);
  Atomics.store(words, 1, 0);
  Atomics.notify(words, 1);
  await waiting;
});

test('ready() with minThreads 0 starts one thread', watched, async (t) => {
  const words = sharedWords();
  const pool = poolFor(t, {
    filename: withSetup,
    workerData: { words },
    minThreads: 0,
    maxThreads: 2,
  });
  assert.equal(pool.threads.length, 0);
  await pool.ready();
  assert.equal(pool.threads.length, 1);
  assert.equal(words[kSetupEnded], 1);
});

test('ready() without a filename waits for the threads alone', watched, async (t) => {
  const pool = new Pool({ minThreads: 2, maxThreads: 2 });
  t.after(() => pool.destroy());
  await pool.ready();
  assert.equal(readyCount(pool), 2);
});

test('ready() before any task, with tasks, after them, twice and again', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const both = [pool.ready(), pool.ready()];
  const runs = Array.from({ length: 20 }, (_, n) => pool.run(n));
  await Promise.all(both);
  assert.deepEqual(
    await Promise.all(runs),
    Array.from({ length: 20 }, (_, n) => n),
  );
  await pool.ready();
  await Promise.all([pool.ready(), pool.ready()]);
  assert.equal(pool.stats().tasks.accepted, 20);
});

test('ready() resolves while every thread computes', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  await pool.ready();
  const words = sharedWords();
  const run = pool.run({ words }, { name: 'block' });
  await until('it runs', () => Atomics.load(words, 0) === 1);
  await pool.ready();
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  await run;
});

test(
  'ready() rejects with what the file threw while it was loaded, each time',
  watched,
  async (t) => {
    const words = sharedWords();
    const pool = poolFor(t, {
      filename: fixture('features/fails-loading.cjs'),
      workerData: { words },
      minThreads: 1,
      maxThreads: 1,
    });
    const wrong = { name: 'RangeError', message: 'cannot be loaded', code: 'E_LOAD' };
    await assert.rejects(pool.ready(), wrong);
    await assert.rejects(pool.ready(), wrong);
    await assert.rejects(pool.run(0), wrong);
    // Three threads, and one more if the pause after them was over.
    assert.ok(words[0] === 3 || words[0] === 4, `evaluated ${words[0]} times`);
  },
);

test('ready() rejects with what setup threw, and so do the tasks', watched, async (t) => {
  const words = sharedWords();
  const pool = poolFor(t, {
    filename: withSetup,
    workerData: { words, fail: 'setup' },
    minThreads: 1,
    maxThreads: 1,
  });
  const wrong = { name: 'RangeError', message: 'no database', code: 'E_NO_DATABASE' };
  await assert.rejects(pool.ready(), wrong);
  await assert.rejects(pool.run(0), wrong);
});

test('ready() rejects where the file or the export is not there', watched, async (t) => {
  const none = poolFor(t, { name: 'missing', minThreads: 1, maxThreads: 1 });
  await assert.rejects(none.ready(), {
    name: 'CenoteError',
    code: 'ERR_CENOTE_HANDLER_NOT_FOUND',
    message: /"missing"/,
  });
  const noFile = poolFor(t, {
    filename: fixture('features/missing.cjs'),
    minThreads: 1,
    maxThreads: 1,
  });
  await assert.rejects(noFile.ready(), { code: 'ERR_CENOTE_FILE_NOT_FOUND' });
});

for (const minThreads of [0, 1]) {
  test(
    `ready() rejects if no thread can be started, each time: minThreads ${minThreads}`,
    watched,
    async (t) => {
      const pool = poolFor(t, {
        filename: fixture('chaos/exits-at-load.cjs'),
        workerData: {},
        minThreads,
        maxThreads: 1,
      });
      const wrong = { name: 'CenoteError', code: 'ERR_CENOTE_WORKER_BOOT' };
      await assert.rejects(pool.ready(), wrong);
      await assert.rejects(pool.ready(), wrong);
      await Promise.all([assert.rejects(pool.ready(), wrong), assert.rejects(pool.run(1), wrong)]);
    },
  );
}

test('ready() of a pool that is closed or destroyed rejects', watched, async (t) => {
  const closed = poolFor(t, { minThreads: 1, maxThreads: 1 });
  await closed.close();
  await assert.rejects(closed.ready(), { name: 'CenoteError', code: 'ERR_CENOTE_POOL_CLOSED' });
  const destroyed = poolFor(t, { minThreads: 1, maxThreads: 1 });
  await destroyed.destroy();
  await assert.rejects(destroyed.ready(), (error) =>
    /^ERR_CENOTE_POOL_(DESTROYED|CLOSED)$/.test(error.code),
  );
});

test('close() and destroy() settle a ready() that waits', watched, async (t) => {
  for (const [how, code] of [
    ['close', 'ERR_CENOTE_POOL_CLOSED'],
    ['destroy', 'ERR_CENOTE_POOL_DESTROYED'],
  ]) {
    const words = sharedWords(2);
    words[1] = 1;
    const pool = poolFor(t, {
      filename: neverLoads,
      workerData: { words },
      minThreads: 1,
      maxThreads: 1,
    });
    const rejected = assert.rejects(pool.ready(), { name: 'CenoteError', code });
    await until('it loads', () => Atomics.load(words, 0) === 1);
    await Promise.all([pool[how](), rejected]);
    assert.deepEqual(pool.threads, []);
  }
});

test('a program that waits for ready() does not end before, and ends after', watched, async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { Pool } from 'cenote';
    const pool = new Pool({ filename: process.env.TASKS, minThreads: 0 });
    globalThis.pool = pool;
    await pool.ready();
    console.log(pool.stats().workers.map(({ state }) => state).join());
  `,
    { env: { NODE_NO_WARNINGS: '1' } },
  );
  assert.deepEqual([code, stdout.trim(), stderr], [0, 'ready', '']);
});

test('a file that cannot be loaded is told to nobody who did not ask', watched, async (t) => {
  const seen = [];
  const listener = (error) => seen.push(error.message);
  process.on('unhandledRejection', listener);
  t.after(() => process.off('unhandledRejection', listener));
  const pool = poolFor(t, {
    filename: fixture('features/fails-loading.cjs'),
    minThreads: 1,
    maxThreads: 1,
  });
  await until('no thread is tried any more', () => pool.threads.length === 0);
  await assert.rejects(pool.run(0), { message: 'cannot be loaded' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(seen, []);
});
