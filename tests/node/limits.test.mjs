// `maxQueue`: a full pool says so at once, the refused task never runs, and there is room again
// afterwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocker, poolFor, sharedWords, watched } from './support/behaviour.mjs';

const full = { name: 'CenoteError', code: 'ERR_CENOTE_QUEUE_FULL', message: /maxQueue/ };

test('a full queue refuses at once, and the refused task never runs', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, maxQueue: 3 });
  const busy = blocker(pool);
  await busy.started;
  const words = sharedWords();
  const accepted = Array.from({ length: 3 }, () => pool.run({ words }, { name: 'count' }));
  for (let n = 0; n < 5; n++)
    await assert.rejects(pool.run({ words, at: 1 }, { name: 'count' }), full);
  assert.equal(pool.queueSize, 3);
  busy.release();
  await Promise.all(accepted);
  await pool.run(0);
  assert.deepEqual([...words.subarray(0, 2)], [3, 0]);
  const { tasks } = pool.stats();
  assert.deepEqual([tasks.accepted, tasks.refused, tasks.completed], [5, 5, 5]);
});

test(
  'the limit counts what is accepted in one tick too, before any thread is there',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 0, maxThreads: 2, maxQueue: 4 });
    const settled = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => pool.run(n)));
    assert.deepEqual(
      settled.map(({ value, reason }) => value ?? reason.code),
      [0, 1, 2, 3, 4, 5, ...Array(4).fill('ERR_CENOTE_QUEUE_FULL')],
    );
  },
);

test('maxQueue: 0 accepts as many as can run, and again afterwards', watched, async (t) => {
  for (const concurrentTasksPerWorker of [1, 3]) {
    const pool = poolFor(t, {
      minThreads: 1,
      maxThreads: 1,
      maxQueue: 0,
      concurrentTasksPerWorker,
    });
    for (let round = 0; round < 3; round++) {
      const words = sharedWords();
      const accepted = Array.from({ length: concurrentTasksPerWorker }, () =>
        pool.run({ words }, { name: 'hold' }),
      );
      await assert.rejects(pool.run(0), full);
      Atomics.store(words, 1, 1);
      await Promise.all(accepted);
    }
  }
});

test('an aborted task makes room', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, maxQueue: 1 });
  const busy = blocker(pool);
  await busy.started;
  const controller = new AbortController();
  const aborted = assert.rejects(pool.run(0, { signal: controller.signal }), {
    name: 'AbortError',
  });
  await assert.rejects(pool.run(1), full);
  controller.abort();
  const run = pool.run(2);
  busy.release();
  assert.equal(await run, 2);
  await aborted;
});

test('tasks that fail make room', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, maxQueue: 0 });
  for (let round = 0; round < 5; round++) {
    await assert.rejects(pool.run('x', { name: 'throwError' }), { message: 'x' });
    await assert.rejects(pool.run({ bad() {} }), { name: 'DataCloneError' });
    await assert.rejects(pool.run(0, { name: 'returnFunction' }), { name: 'DataCloneError' });
    await assert.rejects(pool.run(0, { name: 'missing' }), {
      code: 'ERR_CENOTE_HANDLER_NOT_FOUND',
    });
  }
  assert.equal(await pool.run('room'), 'room');
});
