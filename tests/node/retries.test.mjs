// Tasks that are tried again: only those that their callers say may be, no more often than that,
// and they settle whatever happens between two tries.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture, poolFor, runProgram, sharedWords, until, watched } from './support/behaviour.mjs';

const failing = (t, options) =>
  poolFor(t, { filename: fixture('failing.cjs'), maxThreads: 1, ...options });
const fast = { backoff: 1 };
const again = { retry: fast, idempotent: true };

test('a task whose worker is lost is tried again, if it is idempotent', watched, async (t) => {
  const pool = failing(t);
  const words = sharedWords();
  assert.equal(await pool.run({ words, times: 2 }, { name: 'exit', ...again }), 2);
  assert.equal(words[0], 3);
  assert.equal(pool.stats().tasks.completed, 1);
  assert.equal(pool.stats().tasks.lost, 0);
});

test('one that has begun and is not idempotent is not', watched, async (t) => {
  const pool = failing(t);
  for (const options of [{}, { retry: fast }, { idempotent: true }]) {
    const words = sharedWords();
    await assert.rejects(pool.run({ words, times: 1 }, { name: 'exit', ...options }), {
      code: 'ERR_CENOTE_WORKER_LOST',
    });
    assert.equal(words[0], 1);
  }
});

test('an error that the caller names is worth another try, others are not', watched, async (t) => {
  const pool = failing(t);
  const words = sharedWords();
  const when = ({ code }) => code === 'EAGAIN';
  const retry = { ...fast, attempts: 5, when };
  const task = { words, times: 3, code: 'EAGAIN' };
  assert.equal(await pool.run(task, { name: 'fail', retry, idempotent: true }), 3);
  const other = sharedWords();
  async function theCaller() {
    await pool.run(
      { words: other, times: 3, code: 'EPERM' },
      { name: 'fail', retry, idempotent: true },
    );
  }
  const error = await theCaller().catch((reason) => reason);
  assert.equal(error.code, 'EPERM');
  assert.match(error.stack, /at async theCaller/);
  assert.equal(other[0], 1);
});

test('after the last try, the last error is that of the task', watched, async (t) => {
  const pool = failing(t);
  const words = sharedWords();
  const retry = { ...fast, attempts: 4, when: () => true };
  const task = { words, times: 100, code: 'EAGAIN' };
  await assert.rejects(pool.run(task, { name: 'fail', retry, idempotent: true }), {
    message: 'run 4',
  });
  assert.equal(words[0], 4);
});

test('the pool’s rules hold where the call says nothing else', watched, async (t) => {
  const pool = failing(t, { retry: { ...fast, attempts: 2 } });
  const words = sharedWords();
  assert.equal(await pool.run({ words, times: 1 }, { name: 'exit', idempotent: true }), 1);
  const lane = pool.lane('one', { maxRunning: 1 });
  const others = sharedWords();
  assert.equal(await lane.run({ words: others, times: 1 }, { name: 'exit', idempotent: true }), 1);
  assert.equal(pool.options.retry.attempts, 2);
});

test('a task that ends three workers is quarantined, and named', watched, async (t) => {
  const pool = failing(t);
  const words = sharedWords();
  const retry = { ...fast, attempts: 100, budget: 100 };
  const error = await pool
    .run({ words, times: 100 }, { name: 'exit', retry, idempotent: true })
    .catch((reason) => reason);
  assert.equal(error.code, 'ERR_CENOTE_QUARANTINED');
  assert.match(error.message, /"exit" of file:.*failing\.cjs ran on 3 workers/);
  assert.equal(error.cause.code, 'ERR_CENOTE_WORKER_LOST');
  assert.equal(words[0], 3);
});

test('retries are no more than the budget', watched, async (t) => {
  const pool = failing(t, { maxThreads: 2 });
  const words = sharedWords();
  const retry = { backoff: 0, attempts: 10, budget: 0.1, when: () => true };
  const task = { words, times: 1e9, code: 'EAGAIN' };
  const calls = Array.from({ length: 200 }, () =>
    pool.run(task, { name: 'fail', retry, idempotent: true }),
  );
  await Promise.allSettled(calls);
  assert.equal(words[0], 200 + 10 + 20);
});

for (const [how, end, refusal] of [
  ['an abort', ({ controller }) => controller.abort(), { name: 'AbortError' }],
  ['cancelPending()', ({ pool }) => pool.cancelPending(), { name: 'AbortError' }],
  ['destroy()', ({ pool }) => pool.destroy(), { code: 'ERR_CENOTE_POOL_DESTROYED' }],
]) {
  test(`${how} settles a task between two tries`, watched, async (t) => {
    const pool = failing(t);
    const words = sharedWords();
    const controller = new AbortController();
    const retry = { backoff: 600_000, when: () => true };
    const { signal } = controller;
    const task = { words, times: 9, code: 'EAGAIN' };
    const called = pool.run(task, { name: 'fail', retry, idempotent: true, signal });
    const refused = assert.rejects(called, refusal);
    await until('it has failed once', () => words[0] === 1);
    await pool.run(1);
    assert.equal(pool.stats().tasks.inFlight, 1);
    end({ pool, controller });
    await refused;
    assert.equal(words[0], 1);
  });
}

test('a pool that was destroyed between two tries does not hold the process', watched, async () => {
  const { code, stdout } = await runProgram(
    `
    import { Pool } from 'cenote';
    const pool = new Pool({ filename: ${JSON.stringify(fixture('failing.cjs'))}, maxThreads: 1 });
    const words = new Int32Array(new SharedArrayBuffer(8));
    const retry = { backoff: 600_000, jitter: 0, when: () => true };
    const options = { name: 'fail', retry, idempotent: true };
    pool.run({ words, times: 9, code: 'EAGAIN' }, options).catch(({ code }) => console.log(code));
    while (words[0] === 0) await pool.run(1);
    await pool.run(1);
    await pool.destroy();
    `,
    { limitMs: 15_000 },
  );
  assert.equal(code, 0);
  assert.equal(stdout, 'ERR_CENOTE_POOL_DESTROYED\n');
});

test('close() waits for the tries', watched, async (t) => {
  const pool = failing(t);
  const words = sharedWords();
  const called = pool.run({ words, times: 2 }, { name: 'exit', ...again });
  await until('it has begun', () => words[0] > 0);
  await pool.close();
  assert.equal(await called, 2);
});

test('wrong options are refused', watched, async (t) => {
  const pool = failing(t);
  const wrong = [
    [{ retry: 3 }, 'ERR_INVALID_ARG_TYPE'],
    [{ retry: { attempts: 0 } }, 'ERR_OUT_OF_RANGE'],
    [{ retry: { attempts: '3' } }, 'ERR_INVALID_ARG_TYPE'],
    [{ retry: { jitter: 2 } }, 'ERR_OUT_OF_RANGE'],
    [{ retry: { when: true } }, 'ERR_INVALID_ARG_TYPE'],
    [{ retry: { retries: 3 } }, 'ERR_INVALID_ARG_TYPE'],
    [{ idempotent: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [options, code] of wrong) await assert.rejects(pool.run(1, options), { code });
});
