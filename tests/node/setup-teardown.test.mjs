// `setup` and `teardown` of a worker file: when each runs, how often, and what its failure means.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { fixture, poolFor, sharedWords, until, watched } from './support/behaviour.mjs';

const filename = fixture('features/with-setup.cjs');
const module = fixture('features/with-setup.mjs');
const kSetupBegun = 0;
const kSetupEnded = 1;
const kTeardownBegun = 2;
const kTeardownEnded = 3;
const kTasks = 4;
const kTooEarly = 5;
const kWork = 6;
const kTooSoon = 7;

/** A pool over a file with both, and what happened there. */
function setUp(t, { workerData = {}, ...options } = {}) {
  const words = sharedWords();
  const other = sharedWords();
  const pool = poolFor(t, {
    filename,
    workerData: { words, other, ...workerData },
    minThreads: 1,
    maxThreads: 1,
    ...options,
  });
  return { pool, words, other };
}

test('setup is awaited once in each worker, before its first task', watched, async (t) => {
  const { pool, words } = setUp(t, { minThreads: 2, maxThreads: 2 });
  const results = await Promise.all(Array.from({ length: 100 }, (_, n) => pool.run(n)));
  assert.deepEqual(
    results,
    Array.from({ length: 100 }, (_, n) => n),
  );
  await pool.ready();
  for (let n = 0; n < 20; n++) await pool.run(n);
  assert.equal(words[kSetupBegun], 2);
  assert.equal(words[kSetupEnded], 2);
  assert.deepEqual([words[kTasks], words[kTooEarly]], [120, 0]);
  assert.equal(words[kTeardownBegun], 0);
});

test('setup is run once for a file, whatever its handlers', watched, async (t) => {
  const { pool, words } = setUp(t, { concurrentTasksPerWorker: 4 });
  await Promise.all([
    pool.run(1),
    pool.run(0, { name: 'threadId' }),
    pool.run(2),
    pool.run(0, { name: 'threadId' }),
  ]);
  await assert.rejects(pool.run(0, { name: 'missing' }), { code: 'ERR_CENOTE_HANDLER_NOT_FOUND' });
  assert.deepEqual([words[kSetupBegun], words[kTooEarly]], [1, 0]);
});

test('each file of a worker has its own setup and teardown', watched, async (t) => {
  const { pool, words, other } = setUp(t);
  await pool.run(1);
  assert.equal(other[0], 0);
  assert.equal(await pool.run('two', { filename: module }), 'two');
  assert.equal(await pool.run('three', { filename: module }), 'three');
  assert.equal(await pool.run('four', { filename: fixture('tasks.cjs') }), 'four');
  assert.deepEqual([...other.subarray(0, 3)], [1, 0, 0]);
  await pool.close();
  assert.deepEqual([words[kTeardownEnded], other[1]], [1, 1]);
});

test(
  'a worker that never loaded a file runs neither its setup nor its teardown',
  watched,
  async (t) => {
    const words = sharedWords();
    const other = sharedWords();
    const pool = new Pool({ workerData: { words, other }, minThreads: 1, maxThreads: 1 });
    t.after(() => pool.destroy());
    await pool.run(1, { filename: module });
    await pool.close();
    assert.deepEqual([words[kSetupBegun], words[kTeardownBegun]], [0, 0]);
    assert.deepEqual([...other.subarray(0, 3)], [1, 1, 0]);
  },
);

test('an ES module: setup and teardown', watched, async (t) => {
  const { pool, other } = setUp(t, { filename: module, minThreads: 2, maxThreads: 2 });
  await Promise.all(Array.from({ length: 40 }, (_, n) => pool.run(n)));
  await pool.ready();
  await pool.close();
  assert.deepEqual([...other.subarray(0, 3)], [2, 2, 0]);
});

test(
  'a setup that fails in every thread rejects the tasks with that error, whole',
  watched,
  async (t) => {
    const { pool, words } = setUp(t, { workerData: { fail: 'setup' } });
    for (let round = 0; round < 2; round++) {
      for (const { reason } of await Promise.allSettled([
        pool.run(1),
        pool.run(2),
        pool.run(0, { name: 'threadId' }),
      ])) {
        assert.ok(reason instanceof RangeError);
        assert.deepEqual([reason.message, reason.code], ['no database', 'E_NO_DATABASE']);
      }
    }
    // Three threads, and one more if the pause after them was over.
    assert.ok(words[kSetupBegun] === 3 || words[kSetupBegun] === 4, `${words[kSetupBegun]} setups`);
    assert.equal(words[kTasks], 0);
    assert.equal(pool.stats().tasks.failed, 6);
    await until('no thread stays', () => pool.threads.length === 0);
  },
);

test(
  'where the setup of the pool fails, tasks of other files do not run either',
  watched,
  async (t) => {
    const { pool } = setUp(t, { workerData: { fail: 'setup' } });
    await assert.rejects(pool.run(1), { message: 'no database' });
    await assert.rejects(pool.run('two', { filename: module }), { message: 'no database' });
  },
);

test('a setup that failed has nothing to tear down; close() resolves', watched, async (t) => {
  const { pool, words } = setUp(t, { workerData: { fail: 'setup' } });
  await assert.rejects(pool.run(1), { message: 'no database' });
  await pool.close();
  assert.deepEqual(pool.threads, []);
  assert.equal(words[kTeardownBegun], 0);
});

test('teardown is awaited once in each worker when the pool closes', watched, async (t) => {
  const { pool, words } = setUp(t, { minThreads: 2, maxThreads: 2 });
  await pool.ready();
  const runs = Array.from({ length: 50 }, (_, n) => pool.run(n));
  await pool.close();
  await Promise.all(runs);
  assert.deepEqual([words[kTasks], words[kTeardownBegun], words[kTeardownEnded]], [50, 2, 2]);
});

test('teardown runs after the background work that was registered', watched, async (t) => {
  const { pool, words } = setUp(t);
  const gate = sharedWords(1);
  await pool.run({ gate }, { name: 'leaveWork' });
  const closing = pool.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(words[kTeardownBegun], 0);
  Atomics.store(gate, 0, 1);
  await closing;
  assert.deepEqual([words[kWork], words[kTeardownEnded], words[kTooSoon]], [1, 1, 0]);
});

test(
  'teardown is awaited when an idle thread retires, after its background work',
  watched,
  async (t) => {
    const { pool, words } = setUp(t, { minThreads: 0, idleTimeout: 20 });
    const gate = sharedWords(1);
    await pool.run({ gate }, { name: 'leaveWork' });
    await until('it retires', () => pool.stats().workers.every(({ state }) => state !== 'ready'));
    assert.equal(words[kTeardownBegun], 0);
    Atomics.store(gate, 0, 1);
    await until('the thread has ended', () => pool.threads.length === 0);
    assert.deepEqual([words[kTeardownBegun], words[kTeardownEnded], words[kTooSoon]], [1, 1, 0]);
    assert.equal(await pool.run('again'), 'again');
    assert.equal(words[kSetupEnded], 2);
  },
);

test('close() while an idle thread retires: one teardown', watched, async (t) => {
  const { pool, words } = setUp(t, { minThreads: 0, idleTimeout: 20 });
  const gate = sharedWords(1);
  await pool.run({ gate }, { name: 'leaveWork' });
  await until('it retires', () => pool.stats().workers.every(({ state }) => state !== 'ready'));
  const closing = pool.close();
  Atomics.store(gate, 0, 1);
  await closing;
  assert.deepEqual([words[kTeardownBegun], words[kTeardownEnded]], [1, 1]);
});

test('a teardown that fails does not keep close() from resolving', watched, async (t) => {
  const { pool, words } = setUp(t, {
    workerData: { fail: 'teardown' },
    minThreads: 2,
    maxThreads: 2,
  });
  await pool.ready();
  assert.equal(await pool.run(1), 1);
  await pool.close();
  assert.equal(words[kTeardownBegun], 2);
  assert.deepEqual(pool.threads, []);
});

test('teardown is not run by destroy(), by a crash, or by a termination', watched, async (t) => {
  const destroyed = setUp(t);
  await destroyed.pool.run(1);
  await destroyed.pool.destroy();
  assert.equal(destroyed.words[kTeardownBegun], 0);

  const crashed = setUp(t);
  await assert.rejects(crashed.pool.run(0, { name: 'crash' }), { code: 'ERR_CENOTE_WORKER_LOST' });
  assert.equal(await crashed.pool.run(1), 1);
  assert.deepEqual([crashed.words[kSetupEnded], crashed.words[kTeardownBegun]], [2, 0]);

  const late = setUp(t);
  await assert.rejects(late.pool.run({ words: sharedWords() }, { name: 'spin', timeout: 50 }), {
    code: 'ERR_CENOTE_TIMEOUT',
  });
  assert.equal(await late.pool.run(1), 1);
  assert.deepEqual([late.words[kSetupEnded], late.words[kTeardownBegun]], [2, 0]);
});

test(
  'setup and teardown are no handlers: the constructor and run() refuse the names',
  watched,
  async (t) => {
    const { pool, words } = setUp(t);
    for (const name of ['setup', 'teardown']) {
      const wrong = (error) =>
        /^ERR_(OUT_OF_RANGE|INVALID_ARG_VALUE)$/.test(error.code) && error.message.includes(name);
      assert.throws(() => new Pool({ filename, name }), wrong);
      await assert.rejects(pool.run(0, { name }), wrong);
    }
    assert.equal(pool.stats().tasks.accepted, 0);
    await pool.ready();
    assert.equal(words[kSetupBegun], 1);
  },
);

test('destroy() while setup waits resolves, and its tasks reject', watched, async (t) => {
  const { pool, words } = setUp(t, { workerData: { hang: 'setup' } });
  const run = assert.rejects(pool.run(1), { code: 'ERR_CENOTE_POOL_DESTROYED' });
  await until('setup runs', () => Atomics.load(words, kSetupBegun) === 1);
  await Promise.all([pool.destroy(), run]);
  assert.deepEqual([words[kTasks], words[kTeardownBegun]], [0, 0]);
});
