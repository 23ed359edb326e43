// What lies unread for a worker: large values hold up no task that the worker has a place for, no
// more of them lie there than may, and none is kept once its task has settled.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { blocker, poolFor, portable, sharedWords, until, watched } from './support/behaviour.mjs';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

const large = () => new Uint8Array(5_000_000);

test('large tasks run at once where a worker has places for them', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1, concurrentTasksPerWorker: 4 });
  const words = sharedWords();
  Atomics.store(words, 1, 1);
  // From now on it is known that they are large.
  for (let i = 0; i < 12; i++) await pool.run({ words, large: large() }, { name: 'hold' });
  Atomics.store(words, 0, 0);
  Atomics.store(words, 1, 0);
  const all = [];
  for (let i = 0; i < 4; i++) all.push(pool.run({ words, large: large() }, { name: 'hold' }));
  await until('all four run', () => Atomics.load(words, 0) === 4);
  Atomics.store(words, 1, 1);
  await Promise.all(all);
});

for (const concurrentTasksPerWorker of [1, 32]) {
  test(
    `tasks that turn out to be large wait in the queue, with ${concurrentTasksPerWorker} places a worker`,
    watched,
    async (t) => {
      const pool = poolFor(t, { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker });
      for (let i = 0; i < 100; i++) await pool.run(i);
      const { started, release } = blocker(pool);
      await started;
      const all = [];
      for (let i = 0; i < 12; i++) all.push(pool.run({ i, large: large() }));
      // Once all that may be posted is.
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(pool.queueSize >= 10, `only ${pool.queueSize} of 12 wait`);
      release();
      const results = await Promise.all(all);
      assert.deepEqual(
        results.map(({ i }) => i),
        all.map((_, i) => i),
      );
    },
  );
}

for (const [what, hidden] of [
  ['a map', () => new Map([['file', large()]])],
  ['a list, as its last item', () => [0, 1, 2, 3, 4, 5, 6, 7, 8, large()]],
]) {
  test(`what is large in ${what} counts as large`, watched, async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 32 });
    await pool.run(0);
    const { started, release } = blocker(pool);
    await started;
    const all = [];
    for (let i = 0; i < 12; i++) all.push(pool.run(hidden()));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(pool.queueSize >= 10, `only ${pool.queueSize} of 12 wait`);
    release();
    await Promise.all(all);
  });
}

test('the payload of a task that has settled is not kept', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 16 });
  const payloads = [];
  async function run() {
    const all = [];
    for (let i = 0; i < 64; i++) {
      const payload = { map: new Map() };
      payloads.push(new WeakRef(payload));
      all.push(pool.run(payload));
    }
    await Promise.all(all);
  }
  for (let i = 0; i < 4; i++) await run();
  await until('they are collected', () => {
    gc();
    return payloads.every((payload) => payload.deref() === undefined);
  });
});

test('an array with as many names as holes arrives with both', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const holed = [1, , 3];
  holed.name = 4;
  for (const value of [holed, { holed }, [holed]]) assert.deepEqual(await pool.run(value), value);
});

// Where values come as events, a task is begun only once it is read.
const unlessPortable = { ...watched, skip: portable };

test('a task whose time is over before it is read is not called', unlessPortable, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, abortGrace: 10_000 });
  await pool.run(0);
  const words = sharedWords();
  const list = [];
  for (let i = 0; i < 400_000; i++) list.push({ i });
  const task = pool.run({ words, list }, { name: 'count', timeout: 1 });
  await assert.rejects(task, { code: 'ERR_CENOTE_TIMEOUT' });
  await pool.run(0);
  assert.equal(Atomics.load(words, 0), 0);
});

test('a large value is not taken for that of another task', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  await pool.run(0);
  const first = {
    get map() {
      return new Map([[1, 1]]);
    },
  };
  Object.defineProperty(Object.prototype, 'value', {
    configurable: true,
    get() {
      throw new Error('not to be asked');
    },
  });
  const all = [pool.run(first), pool.run(new Map([[2, 2]]))];
  // Once they are posted.
  await Promise.resolve();
  await Promise.resolve();
  delete Object.prototype.value;
  await all[0].catch(() => {});
  await all[1];
  assert.deepEqual(await pool.run(new Map([[3, 3]])), new Map([[3, 3]]));
});
