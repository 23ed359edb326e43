// `pool.tasks`: a function for each handler. Its types are compiled by the packaging tests.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poolFor, watched } from './support/behaviour.mjs';

test('tasks has a function for each handler', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const { echo, throwError, missing } = pool.tasks;
  assert.equal(echo, pool.tasks.echo);
  assert.equal(await echo(5), 5);
  assert.equal(await echo(5, { timeout: 5_000, priority: 1 }), 5);
  async function theCaller() {
    await throwError('no');
  }
  const error = await theCaller().catch((reason) => reason);
  assert.match(error.stack, /at async theCaller/);
  await assert.rejects(missing(1), { code: 'ERR_CENOTE_HANDLER_NOT_FOUND' });
  await assert.rejects(echo(1, { tiemout: 5 }), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('tasks can be awaited and shown, and not assigned', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  assert.equal(await pool.tasks, pool.tasks);
  assert.equal(pool.tasks[Symbol.iterator], undefined);
  assert.throws(() => {
    pool.tasks = {};
  }, /read-only/);
});
