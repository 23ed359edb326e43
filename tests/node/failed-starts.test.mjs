// A worker that cannot serve does not stay in the pool: failed starts are repeated, and tasks
// are rejected with the cause only where no worker can start.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Pool } from 'cenote';
import Piscina from 'cenote/piscina';
import { fixture, sharedWords, until, untilSo, watched } from './support/behaviour.mjs';

const filename = fixture('features/fails-starts.cjs');
const noDatabase = { name: 'RangeError', message: 'no database', code: 'E_NO_DATABASE' };
const kStarts = 0;
const kFailsFrom = 1;
const kFailsBefore = 2;
const kNever = 2 ** 31 - 1;

/** Words that make the starts from one number on and before another fail. */
function failing(from, before) {
  const words = sharedWords(3);
  words[kFailsFrom] = from;
  words[kFailsBefore] = before;
  return words;
}

const entries = [
  ['cenote, at load', Pool, 'load'],
  ['cenote, in setup', Pool, 'setup'],
  ['cenote/piscina, at load', Piscina, 'load'],
];

function poolOf(t, Class, how, words, options = {}) {
  const pool = new Class({
    filename,
    workerData: { words, how },
    minThreads: 1,
    maxThreads: 1,
    ...options,
  });
  t.after(() => pool.destroy());
  return pool;
}

for (const [what, Class, how] of entries) {
  test(`one worker that fails to start costs no task: ${what}`, watched, async (t) => {
    const words = failing(1, 2);
    const pool = poolOf(t, Class, how, words, { minThreads: 2, maxThreads: 2 });
    await until('another was started in its place', () => words[kStarts] === 3);
    const callers = Array.from({ length: 8 }, async (_, caller) => {
      for (let n = 0; n < 25; n++) assert.equal(await pool.run(caller * 25 + n), caller * 25 + n);
    });
    await Promise.all(callers);
    await until('two threads', () => pool.threads.length === 2);
    assert.equal(words[kStarts], 3);
  });

  test(
    `tasks that wait for a worker outlive its failed start, in order: ${what}`,
    watched,
    async (t) => {
      const words = failing(0, 2);
      const pool = poolOf(t, Class, how, words);
      const order = [];
      const runs = Array.from({ length: 20 }, (_, n) => pool.run(n).then((m) => order.push(m)));
      await Promise.all(runs);
      assert.deepEqual(
        order,
        Array.from({ length: 20 }, (_, n) => n),
      );
      assert.equal(words[kStarts], 3);
    },
  );

  test(`where no worker starts the tasks get what it threw: ${what}`, watched, async (t) => {
    const words = failing(0, kNever);
    const pool = poolOf(t, Class, how, words);
    const runs = await Promise.allSettled(Array.from({ length: 5 }, (_, n) => pool.run(n)));
    for (const { reason } of runs) {
      assert.deepEqual([reason?.name, reason?.message, reason?.code], Object.values(noDatabase));
    }
    assert.equal(new Set(runs.map(({ reason }) => reason)).size, 5, 'an error of its own for each');
    assert.equal(words[kStarts], 3);
    await until('no thread stays', () => pool.threads.length === 0);
  });

  test(`calls in a row start threads at the rate of the pauses: ${what}`, watched, async (t) => {
    const words = failing(0, kNever);
    const pool = poolOf(t, Class, how, words);
    await assert.rejects(pool.run(0), noDatabase);
    const from = performance.now();
    while (performance.now() - from < 500) await assert.rejects(pool.run(0), noDatabase);
    // After 150 to 200 ms, and after twice as much each time again.
    const most = 3 + Math.ceil(Math.log2(1 + (performance.now() - from) / 150));
    assert.ok(words[kStarts] <= most, `${words[kStarts]} starts, at most ${most}`);
    await until('no thread stays', () => pool.threads.length === 0);
  });

  test(`a pool recovers when the cause is gone: ${what}`, watched, async (t) => {
    const words = failing(0, kNever);
    const pool = poolOf(t, Class, how, words, { minThreads: 2, maxThreads: 2 });
    await assert.rejects(pool.run(0), noDatabase);
    words[kFailsBefore] = 0;
    await untilSo('a thread starts', () => pool.run(1).then(Boolean, () => false));
    await until('and the other', () => pool.threads.length === 2);
    assert.deepEqual(await Promise.all([pool.run(1), pool.run(2)]), [1, 2]);
  });

  test(
    `a worker that serves is not held up by one that never starts: ${what}`,
    watched,
    async (t) => {
      const words = failing(1, kNever);
      const pool = poolOf(t, Class, how, words, { minThreads: 2, maxThreads: 2 });
      await until('the second was tried three times', () => words[kStarts] >= 4);
      const threads = new Set();
      for (let n = 0; n < 50; n++) threads.add(await pool.run(n, { name: 'thread' }));
      assert.equal(threads.size, 1);
      words[kFailsBefore] = 0;
      await until('the second starts in the end, unasked', () => {
        const { length } = pool.threads;
        const { [kStarts]: starts } = words;
        return length === 2 && starts >= 5;
      });
    },
  );
}

test('ready() rejects if one of the threads that it waits for never starts', watched, async (t) => {
  const words = failing(1, kNever);
  const pool = poolOf(t, Pool, 'setup', words, { minThreads: 2, maxThreads: 2 });
  await assert.rejects(pool.ready(), noDatabase);
  assert.equal(await pool.run('served'), 'served');
});

test('ready() resolves if the threads start at the second try', watched, async (t) => {
  const words = failing(0, 2);
  const pool = poolOf(t, Pool, 'load', words, { minThreads: 2, maxThreads: 2 });
  await pool.ready();
  assert.deepEqual(pool.stats().workers.filter(({ state }) => state === 'ready').length, 2);
});

test('a file without the export of the pool keeps its thread', watched, async (t) => {
  const words = failing(0, 0);
  const pool = poolOf(t, Pool, 'load', words, { name: 'missing' });
  const missing = { code: 'ERR_CENOTE_HANDLER_NOT_FOUND' };
  await assert.rejects(pool.run(0), missing);
  await assert.rejects(pool.ready(), missing);
  const thread = await pool.run(0, { name: 'thread' });
  await assert.rejects(pool.run(0), missing);
  assert.equal(await pool.run(0, { name: 'thread' }), thread);
  assert.equal(words[kStarts], 1);
});

test('each failed start is a workerLost event with its cause', watched, async (t) => {
  const words = failing(0, 2);
  const pool = poolOf(t, Pool, 'setup', words);
  const seen = [];
  pool.on('workerLost', (error) => seen.push(error.message));
  assert.equal(await pool.run(1), 1);
  await until('they were told', () => seen.length === 2);
  assert.deepEqual(seen, ['no database', 'no database']);
});

test('the drop-in emits a failed load as `error` to whoever listens', watched, async (t) => {
  const words = failing(0, 1);
  const pool = poolOf(t, Piscina, 'load', words);
  const seen = [];
  pool.on('error', (error) => seen.push(error.message));
  await until('it was told', () => seen.length === 1);
  assert.deepEqual(seen, ['no database']);
  assert.equal(await pool.run(1), 1);
});

for (const how of ['close', 'destroy']) {
  test(`${how}() between two starts ends the pool`, watched, async (t) => {
    const words = failing(1, kNever);
    const pool = poolOf(t, Pool, 'load', words, { minThreads: 2, maxThreads: 2 });
    await until('one start has failed', () => words[kStarts] >= 3);
    await pool[how]();
    const starts = words[kStarts];
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(words[kStarts], starts);
    assert.deepEqual(pool.threads, []);
  });
}
