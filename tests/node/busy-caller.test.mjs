// Threads that get ready while their caller's thread is busy, and callers that wait for them more
// than once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture, poolFor, runProgram, sharedWords, until, watched } from './support/behaviour.mjs';

const env = { TASKS: fixture('tasks.cjs'), NODE_NO_WARNINGS: '1' };

test(
  'bootTimeout is not over because the caller was busy while the thread got ready',
  watched,
  async (t) => {
    const lost = [];
    for (const maxThreads of [1, 3]) {
      const words = sharedWords();
      // Let at once.
      words[1] = 1;
      const filename = fixture('races/loads-when-let.cjs');
      const bootTimeout = 2_000;
      const pool = poolFor(t, {
        filename,
        workerData: { words },
        minThreads: maxThreads,
        maxThreads,
        bootTimeout,
      });
      pool.on('workerLost', (error) => lost.push(error));
      const { threads } = pool;
      const over = performance.now() + bootTimeout;
      const sleep = (ms) => Atomics.wait(sharedWords(1), 0, 0, ms);
      while (words[0] < maxThreads || performance.now() < over) sleep(10);
      sleep(300);
      assert.deepEqual(await Promise.all([1, 2, 3].map((task) => pool.run(task))), [1, 2, 3]);
      await pool.ready();
      assert.ok(pool.threads.every((thread, i) => thread === threads[i]));
    }
    assert.deepEqual(lost, []);
  },
);

test('ready() starts no thread where enough are ready', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 4 });
  for (let i = 0; i < 5; i++) await pool.ready();
  assert.equal(pool.threads.length, 1);
});

test(
  'many that wait for ready() at once start no more threads than one does',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 2, maxThreads: 4 });
    const waiting = Array.from({ length: 10 }, () => pool.ready());
    await Promise.all(waiting);
    assert.equal(pool.threads.length, 2);
  },
);

test('ready() of a pool that nothing else refers to resolves', watched, async () => {
  const { code, stdout, stderr } = await runProgram(
    `import { Pool } from 'cenote';
    const words = new Int32Array(new SharedArrayBuffer(8));
    const ready = (() => new Pool({
      filename: process.env.LOADS, minThreads: 1, workerData: { words },
    }).ready())();
    while (Atomics.load(words, 0) === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    Atomics.store(words, 1, 1);
    Atomics.notify(words, 1);
    console.log(await ready.then(() => 'ready', (error) => error.code));
    process.exit(0);`,
    { env: { ...env, LOADS: fixture('races/loads-when-let.cjs') }, args: ['--expose-gc'] },
  );
  assert.deepEqual([code, stdout.trim(), stderr], [0, 'ready', '']);
});

test('a thread that was ready too late takes no task along', watched, async (t) => {
  const words = sharedWords();
  const pool = poolFor(t, {
    filename: fixture('races/loads-when-let.cjs'),
    minThreads: 1,
    maxThreads: 1,
    bootTimeout: 500,
    workerData: { words },
  });
  const runs = Array.from({ length: 20 }, (_, i) => pool.run(i));
  await until('the file is being loaded', () => words[0] === 1);
  setTimeout(() => {
    Atomics.store(words, 1, 1);
    Atomics.notify(words, 1);
  }, 495);
  assert.deepEqual(
    await Promise.all(runs),
    runs.map((_, i) => i),
  );
});
