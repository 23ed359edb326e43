// What the threads are started with: workerData, env, argv, execArgv, resourceLimits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SHARE_ENV } from 'node:worker_threads';
import { Pool } from 'cenote';
import { fixture, poolFor, runProgram, sharedWords, watched } from './support/behaviour.mjs';

const surroundings = (pool) => pool.run(0, { name: 'surroundings' });

test('workerData arrives in each worker, cloned', watched, async (t) => {
  const workerData = { text: 'a', list: [1, new Map([[1, 2]])] };
  const pool = poolFor(t, { workerData, maxThreads: 1 });
  assert.deepEqual((await surroundings(pool)).workerData, workerData);
  for (const value of [null, 0, '', false]) {
    const other = poolFor(t, { workerData: value, maxThreads: 1 });
    assert.equal((await surroundings(other)).workerData, value);
    assert.equal(other.options.sources.workerData, 'option');
  }
});

test('workerData shares what is shared memory', watched, async (t) => {
  const words = sharedWords();
  const pool = poolFor(t, { workerData: words, maxThreads: 1 });
  const seen = (await surroundings(pool)).workerData;
  Atomics.store(words, 0, 5);
  assert.equal(seen[0], 5);
});

test('env, argv and execArgv arrive in the workers', watched, async (t) => {
  const pool = poolFor(t, {
    env: { ONLY: 'this' },
    argv: ['one', 2],
    execArgv: ['--no-warnings'],
    maxThreads: 1,
  });
  const { env, argv, execArgv } = await surroundings(pool);
  assert.deepEqual(env, { ONLY: 'this' });
  assert.deepEqual(argv, ['one', '2']);
  assert.deepEqual(execArgv, ['--no-warnings']);
});

test('SHARE_ENV shares the environment of the process', watched, async (t) => {
  const pool = poolFor(t, { env: SHARE_ENV, maxThreads: 1 });
  await pool.run(0);
  process.env.CENOTE_TEST_SHARED = 'shared';
  t.after(() => delete process.env.CENOTE_TEST_SHARED);
  assert.equal((await surroundings(pool)).env.CENOTE_TEST_SHARED, 'shared');
});

test('resourceLimits are in force in the workers', watched, async (t) => {
  const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 };
  const pool = poolFor(t, { resourceLimits, maxThreads: 1 });
  const seen = (await surroundings(pool)).resourceLimits;
  assert.equal(seen.maxOldGenerationSizeMb, 64);
  assert.equal(seen.maxYoungGenerationSizeMb, 16);
});

test('workerData that cannot be cloned throws where the pool is made', watched, () => {
  const make = () =>
    new Pool({
      filename: fixture('tasks.cjs'),
      workerData: { callback() {} },
      minThreads: 2,
      maxThreads: 2,
    });
  assert.throws(make, (error) => error instanceof DOMException && error.name === 'DataCloneError');
});

test('what new Worker refuses throws where the pool is made', watched, () => {
  const make = (options) => () =>
    new Pool({ filename: fixture('tasks.cjs'), minThreads: 1, ...options });
  assert.throws(make({ execArgv: ['--no-such-option'] }), { code: 'ERR_WORKER_INVALID_EXEC_ARGV' });
  assert.throws(make({ env: Symbol('not SHARE_ENV') }), { code: 'ERR_INVALID_ARG_TYPE' });
});

test(
  'a pool that could not be made leaves nothing behind: the process ends by itself',
  watched,
  async () => {
    const { code, stdout, stderr } = await runProgram(`
    import { Pool } from 'cenote';
    for (const wrong of [{ workerData: () => {} }, { execArgv: ['--no-such-option'] }, { maxThreads: -1 }]) {
      try {
        new Pool({ filename: process.env.TASKS, minThreads: 2, maxThreads: 2, ...wrong });
      } catch (error) {
        console.log(error.name);
      }
    }
    const pool = new Pool({ filename: process.env.TASKS, maxThreads: 1 });
    console.log(await pool.run('works'));
  `);
    assert.equal(code, 0, stderr);
    assert.deepEqual(stdout.trim().split('\n').slice(-1), ['works']);
    assert.equal(stdout.trim().split('\n').length, 4, stdout);
  },
);

test('with minThreads: 0 what new Worker refuses rejects the tasks', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 0, maxThreads: 1, workerData: { callback() {} } });
  for (let n = 0; n < 2; n++) {
    await assert.rejects(pool.run(0), (error) => {
      assert.equal(error.code, 'ERR_CENOTE_WORKER_BOOT');
      assert.equal(error.cause.name, 'DataCloneError');
      return true;
    });
  }
});
