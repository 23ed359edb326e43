// Tasks meet threads in every state of ending for idleness.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poolFor, watched } from '../support/behaviour.mjs';

test('tasks that come while threads end for idleness all settle', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 0, maxThreads: 2, idleTimeout: 1 });
  for (let n = 0; n < 60; n++) {
    assert.equal(await pool.run(n), n);
    // From none to several milliseconds, so that tasks meet threads in every state of ending.
    await new Promise((resolve) => setTimeout(resolve, n % 7));
  }
  assert.equal(pool.completed, 60);
});
