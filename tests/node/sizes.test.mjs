// How many threads a pool has: the minimum at once, the maximum under load, the minimum again when
// idle.

import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import {
  blocker,
  poolFor,
  readyWorkers,
  sharedWords,
  until,
  watched,
} from './support/behaviour.mjs';

test('minThreads are started at once, and no more for nothing', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 4 });
  assert.equal(pool.threads.length, 2);
  await readyWorkers(pool, 2);
  for (let n = 0; n < 20; n++) await pool.run(n);
  assert.equal(pool.threads.length, 2);
});

test(
  'by default maxThreads is what the machine runs in parallel, and half of it starts',
  watched,
  (t) => {
    const { CENOTE_MAX_THREADS: set } = process.env;
    delete process.env.CENOTE_MAX_THREADS;
    t.after(() => {
      if (set !== undefined) process.env.CENOTE_MAX_THREADS = set;
    });
    const pool = poolFor(t);
    assert.equal(pool.options.maxThreads, availableParallelism());
    assert.equal(pool.options.minThreads, Math.max(1, Math.floor(availableParallelism() / 2)));
    assert.equal(pool.threads.length, pool.options.minThreads);
  },
);

test('a pool grows to maxThreads under load, and no further', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 3 });
  const busy = Array.from({ length: 6 }, () => blocker(pool));
  await Promise.all(busy.slice(0, 3).map(({ started }) => started));
  assert.equal(pool.threads.length, 3);
  for (const { release } of busy) release();
  const ids = await Promise.all(busy.map(({ done }) => done));
  assert.equal(pool.threads.length, 3);
  assert.ok(new Set(ids).size <= 3);
});

test('a pool with minThreads: 0 starts a thread for its first task', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 0, maxThreads: 2 });
  assert.equal(pool.threads.length, 0);
  assert.equal(await pool.run('first'), 'first');
  assert.equal(pool.threads.length, 1);
});

test('concurrentTasksPerWorker is used before more threads are started', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 4, concurrentTasksPerWorker: 4 });
  await readyWorkers(pool, 1);
  const words = sharedWords();
  const runs = Array.from({ length: 4 }, () => pool.run({ words }, { name: 'hold' }));
  await until('all four run', () => words[0] === 4);
  assert.equal(pool.threads.length, 1);
  Atomics.store(words, 1, 1);
  await Promise.all(runs);
});

for (const minThreads of [0, 1]) {
  test(
    `idle threads end, down to minThreads: ${minThreads}; then the pool works and grows again`,
    watched,
    async (t) => {
      const pool = poolFor(t, { minThreads, maxThreads: 3, idleTimeout: 50 });
      let lost = 0;
      pool.on('workerLost', () => lost++);
      let served;
      for (let round = 0; round < 2; round++) {
        const busy = Array.from({ length: 3 }, () => blocker(pool));
        await Promise.all(busy.map(({ started }) => started));
        served = pool.threads;
        assert.equal(served.length, 3);
        for (const { release } of busy) release();
        await Promise.all(busy.map(({ done }) => done));
        await until(`${minThreads} threads`, () => pool.threads.length === minThreads);
      }
      // Not below the minimum: the one that is left stays, though more than another timeout passes.
      const kept = pool.threads;
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.deepEqual(pool.threads, kept);
      assert.ok(
        kept.every((thread) => served.includes(thread)),
        'it is one of those that worked',
      );
      assert.equal(await pool.run('works'), 'works');
      assert.equal(lost, 0);
      assert.equal(pool.completed, 6 + 1);
    },
  );
}

test('a thread that works does not end for idleness', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 0, maxThreads: 1, idleTimeout: 10 });
  const words = sharedWords();
  const held = pool.run({ words }, { name: 'hold' });
  await until('it runs', () => words[0] === 1);
  const [thread] = pool.threads;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(pool.threads, [thread]);
  Atomics.store(words, 1, 1);
  assert.equal(await held, thread.threadId);
});

test('idleTimeout: Infinity keeps every thread', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 0, maxThreads: 2, idleTimeout: Infinity });
  const busy = [blocker(pool), blocker(pool)];
  await Promise.all(busy.map(({ started }) => started));
  for (const { release } of busy) release();
  await Promise.all(busy.map(({ done }) => done));
  const threads = pool.threads;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(pool.threads, threads);
});
