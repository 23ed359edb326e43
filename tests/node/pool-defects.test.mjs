// What other pools get wrong and `Pool` must not: what of it no other test of `Pool` is about. The
// same list for `cenote/piscina` is in piscina-defects-*.test.mjs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { blocker, fixture, poolFor, sharedWords, until, watched } from './support/behaviour.mjs';

const signal = () => new AbortController().signal;
const numbers = (count) => Array.from({ length: count }, (_, i) => i);

test('maxQueue binds tasks with a signal as it binds the others', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, maxQueue: 3 });
  const busy = blocker(pool);
  await busy.started;
  const words = sharedWords();
  const all = Promise.allSettled(
    numbers(10).map((i) =>
      pool.run({ words }, { name: 'count', signal: i % 2 === 0 ? signal() : undefined }),
    ),
  );
  busy.release();
  assert.deepEqual(
    (await all).map(({ value, reason }) => value ?? reason.code),
    [0, 1, 2, ...new Array(7).fill('ERR_CENOTE_QUEUE_FULL')],
  );
  await pool.close();
  assert.equal(words[0], 3);
});

test('maxQueue: 0 refuses tasks with a signal too, and they never run', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 0, maxThreads: 1, maxQueue: 0 });
  const busy = blocker(pool, { signal: signal() });
  await busy.started;
  const words = sharedWords();
  for (const each of [undefined, signal()]) {
    await assert.rejects(pool.run({ words }, { name: 'count', signal: each }), {
      code: 'ERR_CENOTE_QUEUE_FULL',
    });
  }
  busy.release();
  await busy.done;
  await pool.close();
  assert.equal(words[0], 0);
});

for (const minThreads of [0, 1]) {
  test(
    `tasks with and without a signal are first in, first out: minThreads ${minThreads}`,
    watched,
    async (t) => {
      const pool = poolFor(t, {
        minThreads,
        maxThreads: 1,
        filename: fixture('piscina/tasks.cjs'),
      });
      const words = sharedWords(40);
      const tasks = numbers(32).map((id) =>
        pool.run({ words, id }, { name: 'record', signal: id % 3 === 1 ? signal() : undefined }),
      );
      await Promise.all(tasks);
      assert.deepEqual([...words.subarray(1, 33)], numbers(32));
    },
  );

  test(
    `an abort loses no task that waits behind it: minThreads ${minThreads}`,
    watched,
    async (t) => {
      const pool = poolFor(t, { minThreads, maxThreads: 1 });
      const words = sharedWords();
      const controller = new AbortController();
      const aborted = pool.run({ words }, { name: 'spinForever', signal: controller.signal });
      const behind = numbers(6).map((i) =>
        pool.run(i, { signal: i % 2 === 0 ? signal() : undefined }),
      );
      await until('the task runs', () => Atomics.load(words, 0) === 1);
      controller.abort();
      await assert.rejects(aborted, { name: 'AbortError' });
      assert.deepEqual(await Promise.all(behind), numbers(6));
    },
  );

  test(
    `a pool that cannot start rejects tasks with a signal too: minThreads ${minThreads}`,
    watched,
    async (t) => {
      const pool = new Pool({ filename: fixture('piscina/exits.cjs'), minThreads, maxThreads: 1 });
      t.after(() => pool.destroy());
      for (let round = 0; round < 2; round++) {
        const outcomes = await Promise.allSettled(
          numbers(5).map((i) => pool.run(i, { signal: signal() })),
        );
        assert.deepEqual(
          outcomes.map(({ reason }) => reason?.code),
          new Array(5).fill('ERR_CENOTE_WORKER_BOOT'),
        );
      }
    },
  );
}

test(
  'close() waits for each of several busy workers, in whatever order they end',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 3, maxThreads: 3, concurrentTasksPerWorker: 2 });
    const tasks = numbers(6).map(() => {
      const words = sharedWords();
      return { words, done: pool.run({ words }, { name: 'hold' }) };
    });
    for (const { words } of tasks) await until('a task runs', () => Atomics.load(words, 0) === 1);
    let closed = false;
    const closing = pool.close().then(() => (closed = true));
    for (const { words, done } of tasks.reverse()) {
      assert.equal(closed, false);
      Atomics.store(words, 1, 1);
      assert.equal(typeof (await done), 'number');
    }
    await closing;
  },
);

for (const message of ['x', undefined, null, { filename: 'x', port: 1 }, [], 7]) {
  test(
    `pool.threads[0].postMessage(${JSON.stringify(message)}) does not end the worker`,
    watched,
    async (t) => {
      const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
      const losses = [];
      pool.on('workerLost', (...event) => losses.push(event));
      pool.threads[0].postMessage(message);
      const first = await pool.run(undefined, { name: 'threadId' });
      for (let round = 0; round < 3; round++) {
        pool.threads[0].postMessage(message);
        assert.equal(await pool.run(undefined, { name: 'threadId' }), first);
      }
      assert.deepEqual(losses, []);
    },
  );
}

test("pool.threads[0].postMessage() reaches the worker's own parentPort", watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, filename: fixture('piscina/tasks.cjs') });
  const words = sharedWords();
  await pool.run({ words }, { name: 'listen' });
  for (const message of ['count', { not: 'counted' }, 'count'])
    pool.threads[0].postMessage(message);
  await until('the messages arrived', () => Atomics.load(words, 0) === 2);
  assert.equal(await pool.run('lives'), 'lives');
});
