// Which worker gets a task: nobody waits behind a long task while another worker could serve.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  blocker,
  poolFor,
  readyWorkers,
  sharedWords,
  until,
  watched,
} from './support/behaviour.mjs';

/** Runs tasks of `count`, until the pool knows how short they are and posts them ahead. */
async function measure(pool) {
  const words = sharedWords();
  await Promise.all(Array.from({ length: 40 }, () => pool.run({ words }, { name: 'count' })));
}

const shorts = (pool, words, length) =>
  Array.from({ length }, () => pool.run({ words }, { name: 'count' }));

test(
  'short tasks posted behind a long one are taken over by an idle worker',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 2, maxThreads: 2, prefetchWindowUs: 1_000_000 });
    await readyWorkers(pool, 2);
    await measure(pool);
    for (let round = 0; round < 10; round++) {
      const words = sharedWords();
      const long = blocker(pool);
      await Promise.all(shorts(pool, words, 40));
      assert.equal(words[0], 40);
      long.release();
      await long.done;
    }
  },
);

test(
  'a task of a handler measured as short that turns out long holds up nobody',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
    await readyWorkers(pool, 2);
    for (let n = 0; n < 40; n++) await pool.run(0, { name: 'busy' });
    const ended = [];
    const track = (label, ms) => pool.run(ms, { name: 'busy' }).then(() => ended.push(label));
    await Promise.all([track('long', 300), ...Array.from({ length: 20 }, (_, n) => track(n, 0))]);
    assert.equal(ended.at(-1), 'long');
  },
);

test(
  'short tasks behind a long one that was sent with a transferList are taken over too',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
    await readyWorkers(pool, 2);
    await measure(pool);
    const words = sharedWords();
    const long = blocker(pool, { transferList: [new ArrayBuffer(8)] });
    await Promise.all(shorts(pool, words, 20));
    assert.equal(words[0], 20);
    long.release();
    await long.done;
  },
);

test(
  'while all workers are busy and more may be started, tasks do not wait for a long one',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 2 });
    await readyWorkers(pool, 1);
    for (let n = 0; n < 10; n++) await pool.run({ words: sharedWords() }, { name: 'count' });
    assert.equal(pool.threads.length, 1);
    const words = sharedWords();
    const long = blocker(pool);
    await Promise.all(shorts(pool, words, 5));
    assert.equal(words[0], 5);
    long.release();
    await long.done;
  },
);

test(
  'while the only worker of two that is ready is in a long task, tasks that come later do not wait',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 2 });
    await readyWorkers(pool, 1);
    for (let n = 0; n < 10; n++) await pool.run({ words: sharedWords() }, { name: 'count' });
    const long = blocker(pool);
    await long.started;
    assert.equal(pool.threads.length, 1);
    const words = sharedWords();
    for (let n = 0; n < 5; n++) await Promise.all(shorts(pool, words, 1));
    long.release();
    await long.done;
  },
);

test('a task that is taken back runs once', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2, prefetchWindowUs: 1_000_000 });
  await readyWorkers(pool, 2);
  await measure(pool);
  const words = sharedWords();
  const runs = [];
  for (let n = 0; n < 300; n++) {
    runs.push(pool.run({ words }, { name: 'count' }));
    // Every so often one that is far longer than was measured: it makes the pool take tasks back.
    if (n % 30 === 0) runs.push(pool.run(3, { name: 'busy' }));
    if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(runs);
  assert.equal(words[0], 300);
});

test('prefetchWindowUs: 0 holds back every task until a worker is free', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, prefetchWindowUs: 0 });
  await measure(pool);
  const busy = blocker(pool);
  await busy.started;
  const words = sharedWords();
  const runs = shorts(pool, words, 10);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(pool.queueSize, 10);
  busy.release();
  await Promise.all(runs);
});

test(
  'tasks that are measured as short are posted ahead; those with a transferList never',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1, prefetchWindowUs: 1_000_000 });
    await measure(pool);
    const busy = blocker(pool);
    await busy.started;
    const words = sharedWords();
    const ahead = shorts(pool, words, 5);
    await until('they are posted', () => pool.queueSize === 0);
    const buffer = new ArrayBuffer(8);
    const moved = pool.run({ words, buffer }, { name: 'count', transferList: [buffer] });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(pool.queueSize, 1);
    assert.equal(buffer.byteLength, 8);
    busy.release();
    assert.deepEqual(await Promise.all([...ahead, moved]), [0, 1, 2, 3, 4, 5]);
  },
);

test('a handler that was not measured yet gets nothing posted ahead', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, prefetchWindowUs: 1_000_000 });
  const busy = blocker(pool);
  await busy.started;
  const words = sharedWords();
  const runs = shorts(pool, words, 10);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(pool.queueSize, 10);
  busy.release();
  await Promise.all(runs);
});

test('idle workers are given tasks before any gets a second one', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2, prefetchWindowUs: 1_000_000 });
  await readyWorkers(pool, 2);
  await measure(pool);
  const words = sharedWords();
  // Each waits for the other: both run, or none ends.
  await Promise.all([0, 1].map((at) => pool.run({ words, at }, { name: 'meet' })));
});
