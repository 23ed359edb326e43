// A file that makes a pool of itself where it is loaded is refused, so that nobody starts threads
// without end.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'cenote';
import Piscina from 'cenote/piscina';
import { fixture, sharedWords, until, watched } from './support/behaviour.mjs';

/** Few threads are started before one of them is refused: the circles have two files at most. */
const kHandful = 6;
/** Where the fixtures stop by themselves. */
const kBrake = 12;
const kEntries = { cenote: Pool, piscina: Piscina };

function poolOf(t, entry, name, env = {}) {
  const words = sharedWords();
  const pool = new kEntries[entry]({
    filename: fixture(`recursive/${name}`),
    minThreads: 1,
    maxThreads: 1,
    workerData: words,
    env: { ...process.env, ENTRY: entry, ...env },
  });
  pool.on('error', () => {});
  t.after(() => pool.destroy());
  return { pool, loads: () => Atomics.load(words, 0), refusals: () => Atomics.load(words, 1) };
}

async function isRefused({ pool, loads }) {
  const error = await pool.run(1).then(
    () => assert.fail('it ran'),
    (failure) => failure,
  );
  const refusal = error.code === 'ERR_CENOTE_RECURSIVE_POOL' ? error : error.cause;
  assert.equal(refusal?.code, 'ERR_CENOTE_RECURSIVE_POOL', error.stack);
  assert.match(refusal.message, /handlers into a file of their own|isMainThread/);
  assert.ok(loads() <= kHandful, `${loads()} threads`);
}

for (const entry of Object.keys(kEntries)) {
  for (const as of ['path', ...(entry === 'cenote' ? ['url', 'query'] : ['url'])]) {
    test(`${entry}: CommonJS that makes a pool of itself, by its ${as}`, watched, async (t) => {
      await isRefused(poolOf(t, entry, 'self.cjs', { AS: as }));
    });
  }

  test(`${entry}: CommonJS that makes a pool of a link to itself`, watched, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const link = join(folder, 'link.cjs');
    symlinkSync(fixture('recursive/self.cjs'), link);
    await isRefused(poolOf(t, entry, 'self.cjs', { AS: 'link', LINK: link }));
  });

  test(`${entry}: an ES module that makes a pool of itself`, watched, async (t) => {
    await isRefused(poolOf(t, entry, 'self.mjs'));
  });

  test(`${entry}: a module that it imports makes the pool`, watched, async (t) => {
    await isRefused(poolOf(t, entry, 'through.cjs'));
  });

  test(`${entry}: two files that make pools of each other come to an end`, watched, async (t) => {
    const { pool, loads, refusals } = poolOf(t, entry, 'ping.cjs');
    assert.equal(await pool.run(1), 1);
    // A pool tries again when a thread of its failed to start. The second file is what is refused,
    // however often: none of its threads gets as far as starting one of the first.
    await until('it was refused again', () => refusals() > 2 || loads() >= kBrake);
    assert.equal(loads() - refusals(), 1, `${loads()} threads, ${refusals()} of them refused`);
  });

  test(
    `${entry}: a call that names the file that is being loaded is refused`,
    watched,
    async (t) => {
      const { pool, loads } = poolOf(t, entry, 'self.cjs', { AS: 'call' });
      assert.equal(await pool.run('refused'), 'ERR_CENOTE_RECURSIVE_POOL');
      assert.ok(loads() <= kHandful, `${loads()} threads`);
    },
  );

  test(
    `${entry}: pools of other files, and pools made by handlers, stay allowed`,
    watched,
    async (t) => {
      const { pool } = poolOf(t, entry, 'nested.cjs');
      assert.equal(await pool.run(1), 'nested 1');
      assert.equal(await pool.run(2, { name: 'other' }), 'plain 2');
      assert.equal(await pool.run(3, { name: 'self' }), 'nested 3');
      assert.equal(await pool.run(4, { name: 'byName' }), 'nested 4');
    },
  );
}

test('a setup that makes a pool of its file', watched, async (t) => {
  await isRefused(poolOf(t, 'cenote', 'in-setup.cjs'));
});
