// Two copies of the package in one process: each with its own addon, loops and pools, and both at
// work at once.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fixture, sharedWords, until, watched } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);

test('several copies of the addon work side by side', watched, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-copies-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const dist = dirname(require.resolve('cenote'));
  const packages = [dist, join(folder, 'one'), join(folder, 'two')];
  for (const copy of packages.slice(1)) cpSync(dist, copy, { recursive: true });
  const pools = packages.map((path) => {
    const { Pool } = require(join(path, 'index.js'));
    return new Pool({
      filename: fixture('chaos/tasks.cjs'),
      name: 'echo',
      minThreads: 1,
      maxThreads: 2,
    });
  });
  t.after(() => Promise.all(pools.map((pool) => pool.destroy())));
  assert.equal(new Set(pools.map((pool) => pool.constructor)).size, 3, 'three packages');
  // At once, and one waiting for the other.
  const all = await Promise.all(
    pools.map(async (pool, p) => {
      for (let i = 0; i < 200; i++) assert.equal(await pool.run(i * p), i * p);
      return Promise.all(Array.from({ length: 200 }, (_, i) => pool.run(i)));
    }),
  );
  for (const values of all) assert.deepEqual(values, [...Array(200).keys()]);
  for (let i = 0; i < 100; i++) for (const pool of pools) assert.equal(await pool.run(i), i);
  const marks = pools.map(() => sharedWords());
  await Promise.all(
    pools.map((pool, p) => pool.run({ words: marks[p], ms: 20 }, { name: 'leaveTimer' })),
  );
  await until('a timer fires on each', () => marks.every((words) => Atomics.load(words, 0) === 1));
  await Promise.all(pools.map((pool) => pool.close()));
});
