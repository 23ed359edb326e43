// P1, idle: what a task left running on its worker goes on while the worker waits for the next
// task.

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { fixture, sharedWords, until, watched } from './support/behaviour.mjs';

/** A timer of 20 ms that fires within this was not held up by the wait, only by a busy machine. */
const kLateMs = 500;

function poolOf(t, options = {}) {
  const pool = new Pool({
    filename: fixture('chaos/tasks.cjs'),
    minThreads: 1,
    maxThreads: 1,
    ...options,
  });
  t.after(() => pool.destroy());
  return pool;
}

/** An HTTP server on loopback that answers after a while, and its port. */
async function slowServer(t, ms) {
  const server = http.createServer((request, response) =>
    setTimeout(() => response.end('done'), ms),
  );
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return server.address().port;
}

test('a timer left behind fires while the worker is idle', watched, async (t) => {
  const pool = poolOf(t);
  // Twice: the second time the worker has already waited once.
  for (let round = 0; round < 2; round++) {
    const words = sharedWords();
    await pool.run({ words, ms: 20 }, { name: 'leaveTimer' });
    await until('the timer fires', () => Atomics.load(words, 0) === 1);
    assert.ok(words[1] < kLateMs, `fired after ${words[1]} ms`);
  }
});

test('a loopback HTTP call left behind completes while the worker is idle', watched, async (t) => {
  const port = await slowServer(t, 50);
  const pool = poolOf(t);
  const words = sharedWords();
  await pool.run({ words, port }, { name: 'leaveRequest' });
  await until('the answer arrives', () => Atomics.load(words, 0) === 200);
});

test('immediates and intervals left behind go on while the worker is idle', watched, async (t) => {
  const pool = poolOf(t);
  const immediates = sharedWords();
  const intervals = sharedWords();
  await pool.run({ words: immediates, count: 1_000 }, { name: 'leaveImmediates' });
  await pool.run({ words: intervals, ms: 5, count: 20 }, { name: 'leaveInterval' });
  await until('1,000 immediates ran', () => Atomics.load(immediates, 0) === 1_000);
  await until('the interval fired 20 times', () => Atomics.load(intervals, 0) === 20);
});

test(
  'a task is still taken at once by a worker whose background work never ends',
  watched,
  async (t) => {
    const pool = poolOf(t);
    const words = sharedWords();
    await pool.run({ words, ms: 1, count: Infinity }, { name: 'leaveInterval' });
    for (let i = 0; i < 200; i++) assert.equal(await pool.run(i, { name: 'echo' }), i);
    const fired = Atomics.load(words, 0);
    await until('the interval goes on', () => Atomics.load(words, 0) > fired);
  },
);

test(
  'unregistered background work outlives the retirement of its idle worker',
  watched,
  async (t) => {
    const pool = poolOf(t, { minThreads: 0, idleTimeout: 20 });
    const words = sharedWords();
    await pool.run({ words, ms: 600 }, { name: 'leaveTimer' });
    await until('the worker is asked to end', () =>
      pool.stats().workers.every(({ state }) => state === 'leaving'),
    );
    assert.equal(Atomics.load(words, 0), 0, 'the timer is still to come');
    await until('the timer fires', () => Atomics.load(words, 0) === 1);
    await until('the thread ends', () => pool.threads.length === 0);
    // The pool goes on with a new thread.
    assert.equal(await pool.run('again', { name: 'echo' }), 'again');
  },
);
