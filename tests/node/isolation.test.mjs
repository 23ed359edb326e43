// Tasks and results are copies of their own: however they travel, none shares an object with
// another.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const { Pool } = createRequire(import.meta.url)('../../');
const filename = fileURLToPath(new URL('./fixtures/sharing.cjs', import.meta.url));
const kTasks = 200;

/** A pool of one worker that has measured its handler, so that it is given many tasks in one go. */
async function prefetchingPool(name) {
  const pool = new Pool({ filename, name, minThreads: 1, maxThreads: 1 });
  for (let i = 0; i < 20; i++) await pool.run({ count: 0 });
  return pool;
}

const cases = {
  'the same object': () => {
    const task = { count: 0 };
    return () => task;
  },
  'an object that tasks have in common': () => {
    const options = { count: 0 };
    return () => ({ options });
  },
  'an object deep inside': () => {
    const leaf = { count: 0 };
    return () => [[{ leaf }]];
  },
  'an object behind many properties': () => {
    const options = { count: 0 };
    const filler = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`p${i}`, i]));
    return () => ({ ...filler, options });
  },
  'a Map in common': () => {
    const map = new Map([['count', 0]]);
    return () => ({ map });
  },
};

for (const [name, make] of Object.entries(cases)) {
  test(
    `a handler that changes its task changes no other: ${name}`,
    { timeout: 60_000 },
    async () => {
      const pool = await prefetchingPool('increment');
      const next = make();
      const results = await Promise.all(Array.from({ length: kTasks }, () => pool.run(next())));
      assert.deepEqual(new Set(results), new Set([1]));
      await pool.close();
    },
  );
}

test('results that the worker keeps in common arrive as copies', { timeout: 60_000 }, async () => {
  const pool = await prefetchingPool('cached');
  const results = await Promise.all(Array.from({ length: kTasks }, () => pool.run({})));
  for (const result of results) result.inner.count++;
  assert.deepEqual(new Set(results.map(({ inner }) => inner.count)), new Set([1]));
  await pool.close();
});

test('a getter that throws fails its own task only', { timeout: 60_000 }, async () => {
  const pool = await prefetchingPool('increment');
  const bad = {
    get count() {
      throw new RangeError('not today');
    },
  };
  const tasks = [{ count: 0 }, bad, { count: 0 }].map((task) => pool.run(task));
  const [first, second, third] = await Promise.allSettled(tasks);
  assert.equal(first.value, 1);
  assert.match(String(second.reason), /not today/);
  assert.equal(third.value, 1);
  await pool.close();
});
