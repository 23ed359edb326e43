// What handlers do to their thread's streams and promises harms no other task, and keeps no pool
// from its end.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { fixture, poolFor, sharedWords, until, watched } from './support/behaviour.mjs';

const filename = fixture('hostile/tasks.cjs');
const onePool = (t, options) => poolFor(t, { filename, minThreads: 1, maxThreads: 1, ...options });

for (const name of ['breakStreams', 'breakState']) {
  test(`streams whose state cannot be read: ${name}`, watched, async (t) => {
    const pool = onePool(t);
    await pool.run(0, { name });
    assert.deepEqual(await Promise.all([pool.run(1), pool.run(2)]), [1, 2]);
    await pool.close();
    assert.equal(pool.stats().tasks.lost, 0);
  });
}

test('background work is followed without the `then` of promises', watched, async (t) => {
  const pool = onePool(t);
  const words = sharedWords();
  await pool.run(words, { name: 'breakThen' });
  await pool.close();
  assert.equal(Atomics.load(words, 0), 1);
});

test('a thenable settles once as background work, whatever it does', watched, async (t) => {
  const pool = onePool(t);
  const errors = [];
  pool.on('backgroundError', (error) => errors.push(error.message));
  await pool.run(0, { name: 'thenable' });
  await until('one has failed', () => errors.length > 0);
  await until('both are settled', () => pool.stats().background.active === 0);
  assert.deepEqual(errors, ['once']);
});
