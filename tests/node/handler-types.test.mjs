// The public types, compiled by the oldest and the newest TypeScript that they are for, and what
// `pool.tasks` is at run time.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { poolFor, watched } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const folder = fileURLToPath(new URL('./types', import.meta.url));
const run = promisify(execFile);

for (const compiler of ['typescript', 'typescript-oldest']) {
  const { version } = require(`${compiler}/package.json`);
  test(`the types compile with TypeScript ${version}`, { timeout: 120_000 }, async () => {
    assert.ok(readdirSync(folder).includes('handlers.mts'));
    const tsc = join(require.resolve(`${compiler}/package.json`), '..', 'bin', 'tsc');
    const { stdout } = await run(process.execPath, [tsc, '-p', folder]).catch((error) => error);
    assert.equal(stdout, '');
  });
}

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
