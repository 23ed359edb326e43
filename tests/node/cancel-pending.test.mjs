// `cancelPending()`: what has not begun is rejected, wherever it waits; what runs goes on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocker, poolFor, sharedWords, watched } from './support/behaviour.mjs';

/** How many of these calls were cancelled, and why. */
async function cancelled(calls) {
  const ends = await Promise.allSettled(calls);
  return ends.filter(({ reason }) => reason?.name === 'AbortError' && reason.cause === 'enough');
}

test('tasks that wait in the pool are rejected, the one that runs goes on', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const held = blocker(pool);
  await held.started;
  const words = sharedWords();
  const waiting = Array.from({ length: 10 }, () => pool.run({ words }, { name: 'count' }));
  const ends = cancelled(waiting);
  assert.equal(pool.cancelPending('enough'), 10);
  assert.equal((await ends).length, 10);
  held.release();
  await held.done;
  assert.equal(await pool.run('after'), 'after');
  assert.equal(words[0], 0);
  assert.equal(pool.stats().tasks.cancelled, 10);
});

test('so are those that a worker was given beyond what it runs', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1, prefetchWindowUs: 1_000_000 });
  // Known to be short, so that a worker gets many of them ahead.
  for (let n = 0; n < 200; n++) await pool.run({ words: sharedWords() }, { name: 'count' });
  const held = blocker(pool);
  await held.started;
  const words = sharedWords();
  const waiting = Array.from({ length: 20 }, () => pool.run({ words }, { name: 'count' }));
  await new Promise((resolve) => setImmediate(resolve));
  const ends = cancelled(waiting);
  assert.equal(pool.cancelPending('enough'), 20);
  assert.equal((await ends).length, 20);
  held.release();
  await held.done;
  await pool.run(1);
  assert.equal(words[0], 0);
});

test('so are those that wait for room and in lanes; capacity() is not', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1, maxQueue: 1 });
  const held = blocker(pool);
  await held.started;
  const lane = pool.lane('one', { maxRunning: 1 });
  const calls = [lane.run(1), lane.run(2), lane.run(3)];
  const room = pool.capacity();
  calls.push(pool.run(4, { whenFull: 'wait' }));
  const ends = cancelled(calls);
  assert.equal(pool.cancelPending('enough'), 4);
  assert.equal((await ends).length, 4);
  await room;
  const { queued, running, cancelled: sentAway, refused } = lane.stats();
  assert.deepEqual([queued, running, sentAway, refused], [0, 0, 3, 0]);
  held.release();
  await held.done;
  assert.equal(await lane.run(5), 5);
});

test('with nothing that waits, nothing is done', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  assert.equal(pool.cancelPending(), 0);
  await pool.close();
  assert.equal(pool.cancelPending(), 0);
});
