// A full pool: who asks to wait is let in when there is room, in the order of the calls, and nobody
// waits for ever.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { blocker, poolFor, until, watched } from './support/behaviour.mjs';

const kWait = { whenFull: 'wait' };

/** A pool with one place and room for one more, both taken. */
async function fullPool(t, options) {
  const pool = poolFor(t, { maxThreads: 1, maxQueue: 1, ...options });
  const held = blocker(pool);
  await held.started;
  const queued = pool.run('queued');
  return { pool, held, queued };
}

test('a task that waits for room runs, in the order of the calls', watched, async (t) => {
  const { pool, held, queued } = await fullPool(t);
  const order = [];
  const waiting = Array.from({ length: 20 }, (_, n) =>
    pool.run(n, kWait).then((value) => order.push(value)),
  );
  await assert.rejects(pool.run('no'), { code: 'ERR_CENOTE_QUEUE_FULL' });
  assert.equal(pool.queueSize, 1);
  held.release();
  await Promise.all(waiting);
  assert.deepEqual(
    order,
    Array.from({ length: 20 }, (_, n) => n),
  );
  assert.equal(await queued, 'queued');
});

test('with room, it is accepted at once', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const result = pool.run(1, kWait);
  assert.equal(pool.queueSize, 1);
  assert.equal(await result, 1);
});

test('100,000 at once are all run', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 2, maxQueue: 100 });
  const items = Array.from({ length: 100_000 }, (_, n) => n);
  const results = await Promise.all(items.map((n) => pool.run(n, kWait)));
  assert.deepEqual(results, items);
});

test('an abort ends the wait of its own task alone', watched, async (t) => {
  const { pool, held } = await fullPool(t);
  const controller = new AbortController();
  const first = pool.run(1, { ...kWait, signal: controller.signal });
  const second = pool.run(2, kWait);
  controller.abort(new Error('enough'));
  await assert.rejects(first, (error) => error.name === 'AbortError' && /enough/.test(error.cause));
  held.release();
  assert.equal(await second, 2);
});

test('a signal keeps nothing of tasks that were refused', watched, async (t) => {
  const { pool, held, queued } = await fullPool(t);
  queued.catch(() => {});
  const { signal } = new AbortController();
  const waiting = [1, 2].map((n) => pool.run(n, { ...kWait, signal }));
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  const ended = pool.destroy();
  for (const one of waiting) await assert.rejects(one, { code: 'ERR_CENOTE_POOL_DESTROYED' });
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  held.release();
  await ended;
});

test('an abort after the wait aborts the task', watched, async (t) => {
  const { pool, held } = await fullPool(t);
  const controller = new AbortController();
  const words = new Int32Array(new SharedArrayBuffer(16));
  const task = pool.run({ words }, { ...kWait, name: 'spinForever', signal: controller.signal });
  held.release();
  await until('it runs', () => words[0] === 1);
  controller.abort();
  await assert.rejects(task, { name: 'AbortError' });
});

for (const [how, code] of [
  ['close', 'ERR_CENOTE_POOL_CLOSED'],
  ['destroy', 'ERR_CENOTE_POOL_DESTROYED'],
]) {
  test(`${how}() refuses those that wait`, watched, async (t) => {
    const { pool, held, queued } = await fullPool(t);
    const waiting = [pool.run(1, kWait), pool.capacity()];
    queued.catch(() => {});
    const ended = pool[how]();
    for (const one of waiting) await assert.rejects(one, { code });
    held.release();
    await ended;
    await assert.rejects(pool.run(1, kWait), { code: 'ERR_CENOTE_POOL_CLOSED' });
    await assert.rejects(pool.capacity(), { code: 'ERR_CENOTE_POOL_CLOSED' });
  });
}

test('capacity() resolves when there is room, after those that came before', watched, async (t) => {
  const { pool, held } = await fullPool(t);
  const order = [];
  const first = pool.run(1, kWait).then(() => order.push('task'));
  const room = pool.capacity().then(() => order.push('room'));
  await pool.stats();
  assert.deepEqual(order, []);
  held.release();
  await Promise.all([first, room]);
  assert.equal(order.length, 2);
  await pool.capacity();
});

test('each place lets one in, callers of capacity() too', watched, async (t) => {
  const { pool, held, queued } = await fullPool(t);
  const results = Array.from({ length: 10 }, async (_, n) => {
    await pool.capacity();
    return pool.run(n);
  });
  held.release();
  assert.deepEqual(
    await Promise.all(results),
    Array.from({ length: 10 }, (_, n) => n),
  );
  assert.equal(await queued, 'queued');
});

test('a caller of capacity() that does not come keeps nobody out', watched, async (t) => {
  const { pool, held } = await fullPool(t);
  const rooms = Array.from({ length: 10 }, () => pool.capacity());
  const last = pool.run('last', kWait);
  held.release();
  await Promise.all(rooms);
  assert.equal(await last, 'last');
});

test('nobody who does not wait is let in before those who do', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 2, maxQueue: 1 });
  let waiting = 0;
  let overtaken = 0;
  const patient = async (n) => {
    waiting++;
    const result = await pool.run(n, kWait);
    waiting--;
    return result;
  };
  let isOver = false;
  const pushy = async () => {
    while (!isOver) {
      const before = waiting;
      const isLetIn = pool.run('pushy').then(
        () => true,
        () => false,
      );
      await new Promise((resolve) => setImmediate(resolve));
      // More waited at the call than have a place.
      if ((await isLetIn) && before > 3) overtaken++;
    }
  };
  const strangers = [pushy(), pushy(), pushy()];
  const items = Array.from({ length: 300 }, (_, n) => n);
  assert.deepEqual(await Promise.all(items.map(patient)), items);
  isOver = true;
  await Promise.all(strangers);
  assert.equal(overtaken, 0);
});

test('full and drain: once each time', watched, async (t) => {
  const { pool, held, queued } = await fullPool(t, { maxQueue: 2 });
  const heard = [];
  pool.on('full', () => heard.push('full'));
  pool.on('drain', () => heard.push('drain'));
  const second = pool.run(2);
  await assert.rejects(pool.run(3), { code: 'ERR_CENOTE_QUEUE_FULL' });
  const waits = pool.run(4, kWait);
  assert.deepEqual(heard, ['full']);
  held.release();
  await Promise.all([queued, second, waits]);
  await Promise.resolve();
  assert.deepEqual(heard, ['full', 'drain']);
  await Promise.all(Array.from({ length: 3 }, (_, n) => pool.run(n)));
  await Promise.resolve();
  assert.deepEqual(heard, ['full', 'drain', 'full', 'drain']);
});

test('a value of whenFull that does not exist is refused', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  for (const whenFull of ['block', true, null])
    await assert.rejects(pool.run(1, { whenFull }), { code: 'ERR_OUT_OF_RANGE' });
});
