// `queueTimeout`: a task that waits for longer never runs, and nobody else notices.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { CenoteError } from 'cenote';
import {
  blocker,
  fixture,
  poolFor,
  readyWorkers,
  sharedWords,
  until,
  watched,
} from './support/behaviour.mjs';

const filename = fixture('features/tasks.cjs');
const queueTimedOut = { name: 'CenoteError', code: 'ERR_CENOTE_QUEUE_TIMEOUT' };
const onePool = (t, options) => poolFor(t, { filename, minThreads: 1, maxThreads: 1, ...options });

test(
  'a task that waits for longer than queueTimeout is rejected and never runs; the others do',
  watched,
  async (t) => {
    const pool = onePool(t);
    const busy = blocker(pool);
    await busy.started;
    const words = sharedWords();
    const count = (at, options) => pool.run({ words, at }, { name: 'count', ...options });
    const patient = [0, 1].map((at) => count(at));
    const hasty = [2, 3].map((at) => count(at, { queueTimeout: 20 }));
    patient.push(count(4));
    const isTimeout = (error) => {
      assert.ok(error instanceof CenoteError);
      assert.equal(error.code, 'ERR_CENOTE_QUEUE_TIMEOUT');
      assert.match(error.message, /\b20\b/, 'it names the limit');
      return true;
    };
    // At once: either may be the first to expire.
    await Promise.all(hasty.map((run) => assert.rejects(run, isTimeout)));
    assert.equal(pool.queueSize, 3);
    busy.release();
    await Promise.all([busy.done, ...patient]);
    assert.deepEqual([...words.subarray(0, 5)], [1, 1, 0, 0, 1]);
    const { accepted, queueTimedOut, completed, aborted, failed, lost } = pool.stats().tasks;
    assert.deepEqual(
      { accepted, queueTimedOut, completed, aborted, failed, lost },
      {
        accepted: 6,
        queueTimedOut: 2,
        completed: 4,
        aborted: 0,
        failed: 0,
        lost: 0,
      },
    );
  },
);

test(
  "the pool's queueTimeout holds for every task, and a task's own comes before it",
  watched,
  async (t) => {
    const pool = onePool(t, { queueTimeout: 30 });
    await readyWorkers(pool, 1);
    const busy = blocker(pool, { queueTimeout: Infinity });
    await busy.started;
    const words = sharedWords();
    const count = (at, options) => pool.run({ words, at }, { name: 'count', ...options });
    const patient = [count(0, { queueTimeout: Infinity }), count(1, { queueTimeout: 600_000 })];
    const hasty = [count(2), count(3, {}), count(4, { queueTimeout: undefined })];
    await Promise.all(hasty.map((run) => assert.rejects(run, queueTimedOut)));
    busy.release();
    await Promise.all([busy.done, ...patient]);
    assert.deepEqual([...words.subarray(0, 5)], [1, 1, 0, 0, 0]);
    assert.equal(pool.stats().tasks.queueTimedOut, 3);
  },
);

test(
  'queueTimeout: the limits of tasks end in the order of time, not of acceptance',
  watched,
  async (t) => {
    const pool = onePool(t);
    const busy = blocker(pool);
    await busy.started;
    const ended = [];
    const runs = [600, 20, 300].map((queueTimeout) =>
      pool.run(0, { queueTimeout }).catch(({ code }) => ended.push([queueTimeout, code])),
    );
    await Promise.all(runs);
    assert.deepEqual(
      ended,
      [20, 300, 600].map((limit) => [limit, 'ERR_CENOTE_QUEUE_TIMEOUT']),
    );
    busy.release();
  },
);

test('a task that has started in time is left alone by queueTimeout', watched, async (t) => {
  const pool = onePool(t);
  await readyWorkers(pool, 1);
  const words = sharedWords();
  const run = pool.run({ words }, { name: 'hold', queueTimeout: 1_000 });
  await until('it runs', () => Atomics.load(words, 0) === 1);
  // Accepted later with the same limit: once this one is over, so is the other's.
  await assert.rejects(pool.run(0, { queueTimeout: 1_000 }), queueTimedOut);
  Atomics.store(words, 1, 1);
  assert.equal(await run, pool.threads[0].threadId);
  assert.equal(pool.stats().tasks.queueTimedOut, 1);
});

test('the order of those that wait is kept where others among them expire', watched, async (t) => {
  const pool = onePool(t);
  const busy = blocker(pool);
  await busy.started;
  const words = sharedWords(32);
  const runs = Array.from({ length: 20 }, (_, at) =>
    pool.run({ words, at }, { name: 'log', ...(at % 3 === 1 ? { queueTimeout: 10 + at } : {}) }),
  );
  const settled = Promise.allSettled(runs);
  await until('they expired', () => pool.stats().tasks.queueTimedOut === 7);
  busy.release();
  (await settled).forEach(({ status }, at) =>
    assert.equal(status, at % 3 === 1 ? 'rejected' : 'fulfilled'),
  );
  const places = Array.from(words.subarray(1, 21));
  assert.deepEqual(
    places.filter((place) => place > 0),
    Array.from({ length: 13 }, (_, n) => n + 1),
  );
});

test(
  'a task with a queueTimeout that was posted ahead and not begun expires too, and never runs',
  watched,
  async (t) => {
    const pool = onePool(t, { prefetchWindowUs: 1_000_000 });
    const words = sharedWords();
    // Measured, so that tasks are posted ahead.
    for (let n = 0; n < 5; n++) await pool.run({ words, at: 7 }, { name: 'count' });
    const [worker] = pool.threads;
    const busy = blocker(pool);
    const run = (at, options) => pool.run({ words, at }, { name: 'count', ...options });
    const patient = [run(0), run(1)];
    const hasty = run(2, { queueTimeout: 100 });
    patient.push(run(3), run(4));
    await busy.started;
    await assert.rejects(hasty, queueTimedOut);
    busy.release();
    await Promise.all([busy.done, ...patient]);
    assert.deepEqual([...words.subarray(0, 5)], [1, 1, 0, 1, 1]);
    assert.deepEqual(pool.threads, [worker], 'nothing ran that had to be terminated');
  },
);

test(
  'queueTimeout: the start of a thread, and the loading of its file, are part of the wait',
  watched,
  async (t) => {
    const words = sharedWords(2);
    words[1] = 1;
    const pool = poolFor(t, {
      filename: fixture('features/never-loads.mjs'),
      workerData: { words },
      minThreads: 0,
      maxThreads: 1,
    });
    await assert.rejects(pool.run(0, { queueTimeout: 100 }), queueTimedOut);
  },
);

test('a task that expired in the queue has left its place', watched, async (t) => {
  const pool = onePool(t, { maxQueue: 1 });
  const busy = blocker(pool);
  await busy.started;
  const hasty = pool.run('first', { queueTimeout: 20 });
  await assert.rejects(pool.run('second'), { code: 'ERR_CENOTE_QUEUE_FULL' });
  await assert.rejects(hasty, queueTimedOut);
  const third = pool.run('third');
  busy.release();
  assert.equal(await third, 'third');
});

test(
  'a task that is aborted, or expired, is so once; its signal keeps no listener',
  watched,
  async (t) => {
    const pool = onePool(t);
    const busy = blocker(pool);
    await busy.started;
    const controller = new AbortController();
    const { signal } = controller;
    const expired = pool.run(0, { signal, queueTimeout: 20 });
    await assert.rejects(expired, queueTimedOut);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    const aborted = pool.run(0, { signal, queueTimeout: 100 });
    controller.abort();
    await assert.rejects(aborted, { name: 'AbortError' });
    await assert.rejects(pool.run(0, { queueTimeout: 150 }), queueTimedOut);
    const { tasks } = pool.stats();
    assert.deepEqual([tasks.queueTimedOut, tasks.aborted], [2, 1]);
    busy.release();
  },
);

test('close() waits no longer than the limits of what is queued', watched, async (t) => {
  const pool = onePool(t);
  const busy = blocker(pool);
  await busy.started;
  const hasty = assert.rejects(pool.run(0, { queueTimeout: 50 }), queueTimedOut);
  const closing = pool.close();
  await hasty;
  busy.release();
  await closing;
  assert.deepEqual(pool.threads, []);
});
