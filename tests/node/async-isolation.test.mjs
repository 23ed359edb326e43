// Async contexts of handlers: what one task leaves in its own is seen by what it started, and by no
// other task.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { fixture, poolFor, watched } from './support/behaviour.mjs';
import Piscina from 'cenote/piscina';

const filename = fixture('isolation/tasks.cjs');
const onePool = (t, options) => poolFor(t, { filename, minThreads: 1, maxThreads: 1, ...options });
const times = (n, make) => Array.from({ length: n }, (_, i) => make(i));

test('a store that a task enters is not seen by later ones', watched, async (t) => {
  const pool = onePool(t);
  for (let n = 0; n < 50; n++) assert.equal(await pool.run(n, { name: 'enter' }), null);
  assert.equal(await pool.run(0), null);
});

test('nor by those in the same batch', watched, async (t) => {
  const pool = onePool(t, { prefetchWindowUs: 1_000_000 });
  await pool.run(0, { name: 'enter' });
  const seen = await Promise.all(times(300, (n) => pool.run(n, { name: 'enter' })));
  assert.deepEqual(
    seen,
    times(300, () => null),
  );
});

test('nor if the task throws, whose error arrives as it was', watched, async (t) => {
  const pool = onePool(t);
  for (let n = 0; n < 10; n++) {
    await assert.rejects(pool.run(n, { name: 'enterAndThrow' }), {
      name: 'RangeError',
      message: 'thrown',
      before: null,
    });
    assert.equal(await pool.run(0), null);
  }
});

test('tasks that wait keep their own stores, side by side, and leak none', watched, async (t) => {
  const pool = onePool(t, { concurrentTasksPerWorker: 8 });
  const results = await Promise.all(
    times(64, (n) => pool.run({ value: n, turns: n % 5 }, { name: 'enterAndWait' })),
  );
  results.forEach(({ before, during, after }, n) => {
    assert.equal(before, null);
    assert.deepEqual(
      during,
      times(n % 5, () => n),
    );
    assert.equal(after, true);
  });
  assert.equal(await pool.run(0), null);
});

for (const name of ['enterInThen', 'enterInGetter']) {
  test(`code of a result leaks no store: ${name}`, watched, async (t) => {
    const pool = onePool(t);
    for (let n = 0; n < 10; n++) {
      const result = await pool.run(n, { name });
      assert.equal(name === 'enterInThen' ? result : result.before, null);
      assert.equal(await pool.run(0), null);
    }
  });
}

test('a listener of the signal leaks no store', watched, async (t) => {
  const pool = onePool(t, { abortGrace: 10_000 });
  await pool.run(0);
  const controller = new AbortController();
  const run = pool.run('listener', { name: 'enterInAbort', signal: controller.signal });
  const rejected = assert.rejects(run, { name: 'AbortError' });
  while (pool.stats().workers[0].inFlight === 0) await new Promise((r) => setTimeout(r, 2));
  controller.abort();
  await rejected;
  for (let n = 0; n < 5; n++) assert.equal(await pool.run(0), null);
});

test('background work keeps the store of its task', watched, async (t) => {
  const pool = onePool(t);
  for (const value of ['a', 'b', 'c']) await pool.run(value, { name: 'enterAndLeave' });
  let seen = [];
  while (seen.length < 3) {
    seen = await pool.run(0, { name: 'background' });
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.deepEqual(seen.sort(), ['a', 'b', 'c']);
  assert.equal(await pool.run(0), null);
});

test('setup keeps its store to itself', watched, async (t) => {
  const pool = onePool(t);
  assert.deepEqual(await pool.run(0, { name: 'setUp' }), ['setup', null]);
});

test(
  'what a task hangs on the execution resource is not seen by later ones',
  watched,
  async (t) => {
    const pool = onePool(t);
    for (let n = 0; n < 10; n++) assert.equal(await pool.run(0, { name: 'mark' }), null);
  },
);

test('each task has an execution id of its own', watched, async (t) => {
  const pool = onePool(t);
  const ids = await Promise.all(times(20, () => pool.run(0, { name: 'id' })));
  assert.equal(new Set(ids).size, 20);
  assert.ok(ids.every((id) => id > 0));
  for (const id of await pool.run(0, { name: 'ids' })) assert.ok(id >= 0);
});

test('async hooks of a handler see every beginning end', watched, async (t) => {
  const pool = onePool(t);
  await pool.run(0, { name: 'hook' });
  await Promise.all(times(20, (n) => pool.run({ value: n, turns: 2 }, { name: 'enterAndWait' })));
  await assert.rejects(pool.run(0, { name: 'enterAndThrow' }), RangeError);
  const { begun, ended } = await pool.run(0, { name: 'unhook' });
  assert.ok(begun > 20, `${begun} begun`);
  // What had begun when the hook was set, and what has not ended when it is asked, differ by
  // little.
  assert.ok(Math.abs(begun - ended) <= 2, `${begun} begun, ${ended} ended`);
});

test('the drop-in keeps contexts apart as well', watched, async (t) => {
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1 });
  t.after(() => pool.destroy());
  for (let n = 0; n < 20; n++) {
    assert.equal(await pool.run(n, { name: 'enter' }), null);
    const { before } = await pool.run({ value: n, turns: 3 }, { name: 'enterAndWait' });
    assert.equal(before, null);
  }
});
