// P2, workers that cannot start: every task settles in bounded time, threads are not tried for
// ever, and the pool recovers once the cause is gone.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { fixture, sharedWords, until, watched } from './support/behaviour.mjs';

/** A folder that is gone after the test, and a flag in it that is up while its file is there. */
function flagFile(t) {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'flag');
  return {
    folder,
    path,
    up: () => writeFileSync(path, ''),
    down: () => rmSync(path, { force: true }),
  };
}

function brokenPool(t, workerData, options = {}) {
  const pool = new Pool({
    filename: fixture('chaos/exits-at-load.cjs'),
    workerData,
    minThreads: 0,
    maxThreads: 1,
    ...options,
  });
  t.after(() => pool.destroy());
  return pool;
}

const codes = (outcomes) => outcomes.map(({ reason, value }) => reason?.code ?? value);
const isBootError = (error) =>
  error.code === 'ERR_CENOTE_WORKER_BOOT' && /exited with code 7/.test(error.message);

for (const [minThreads, maxThreads] of [
  [0, 1],
  [1, 1],
  [2, 4],
]) {
  test(
    `a module that exits settles all tasks: ${minThreads} to ${maxThreads} threads`,
    watched,
    async (t) => {
      const boots = sharedWords(1);
      const pool = brokenPool(t, { boots }, { minThreads, maxThreads });
      for (let round = 0; round < 2; round++) {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 20 }, (_, i) => pool.run(i)),
        );
        assert.deepEqual(codes(outcomes), new Array(20).fill('ERR_CENOTE_WORKER_BOOT'));
        assert.ok(isBootError(outcomes[0].reason), outcomes[0].reason.message);
      }
      assert.equal(pool.stats().tasks.lost, 40);
    },
  );

  test(
    `a pool that cannot start is left alone when it is idle: ${minThreads} to ${maxThreads} threads`,
    watched,
    async (t) => {
      const boots = sharedWords(1);
      const pool = brokenPool(t, { boots }, { minThreads, maxThreads });
      await assert.rejects(pool.run(1), isBootError);
      await until('the threads have ended', () => pool.threads.length === 0);
      const tried = Atomics.load(boots, 0);
      // A new thread would be there by the next turn: it is started when one ends.
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(pool.threads.length, 0);
      assert.equal(Atomics.load(boots, 0), tried);
    },
  );

  test(
    `a pool recovers when the cause is gone: ${minThreads} to ${maxThreads} threads`,
    watched,
    async (t) => {
      const flag = flagFile(t);
      flag.up();
      const pool = brokenPool(t, { flag: flag.path }, { minThreads, maxThreads });
      await assert.rejects(pool.run(1), isBootError);
      flag.down();
      // A thread that had begun to load before may still fail.
      let value;
      while (value !== 2) value = await pool.run(2).catch(() => {});
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => pool.run(i)));
      assert.deepEqual(
        codes(outcomes),
        Array.from({ length: 20 }, (_, i) => i),
      );
    },
  );
}

test('a module that fails slowly settles its tasks too', watched, async (t) => {
  // Longer than a thread has to live to be counted as one that works.
  const boots = sharedWords(1);
  const pool = brokenPool(t, { boots, loadMs: 1_200 });
  await assert.rejects(pool.run(1), isBootError);
  assert.ok(Atomics.load(boots, 0) <= 4, `${boots[0]} starts`);
});

test('tasks settle when the last thread dies while others cannot start', watched, async (t) => {
  const flag = flagFile(t);
  const boots = sharedWords(1);
  const pool = brokenPool(t, { flag: flag.path, boots }, { maxThreads: 2 });
  assert.equal(await pool.run(1), 1);
  const words = sharedWords();
  const busy = pool.run({ words }, { name: 'block' });
  await until('the thread is busy', () => Atomics.load(words, 0) === 1);
  flag.up();
  const before = Atomics.load(boots, 0);
  const waiting = Promise.allSettled(Array.from({ length: 5 }, (_, i) => pool.run(i)));
  await until(
    'the second thread was tried three times',
    () => Atomics.load(boots, 0) >= before + 3 && pool.threads.length === 1,
  );
  flag.down();
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  await assert.rejects(busy, { code: 'ERR_CENOTE_WORKER_LOST' });
  assert.deepEqual(codes(await waiting), [0, 1, 2, 3, 4]);
});

test('a module with a syntax error rejects its tasks with that error', watched, async (t) => {
  const { folder } = flagFile(t);
  const filename = join(folder, 'syntax-error.cjs');
  writeFileSync(filename, 'module.exports = (value => value;\n');
  const pool = new Pool({ filename, maxThreads: 1 });
  t.after(() => pool.destroy());
  for (const outcome of await Promise.allSettled([pool.run(1), pool.run(2), pool.run(3)])) {
    assert.equal(outcome.reason?.name, 'SyntaxError');
  }
  await until('no thread stays', () => pool.threads.length === 0);
});

test(
  'options that a worker refuses: the constructor throws, or the task rejects',
  watched,
  async () => {
    const filename = fixture('chaos/tasks.cjs');
    const execArgv = ['--no-such-option'];
    assert.throws(() => new Pool({ filename, execArgv, minThreads: 1 }), {
      code: 'ERR_WORKER_INVALID_EXEC_ARGV',
    });
    const pool = new Pool({ filename, execArgv, minThreads: 0 });
    const outcomes = await Promise.allSettled([
      pool.run(1, { name: 'echo' }),
      pool.run(2, { name: 'echo' }),
    ]);
    assert.deepEqual(codes(outcomes), ['ERR_CENOTE_WORKER_BOOT', 'ERR_CENOTE_WORKER_BOOT']);
    assert.equal(outcomes[0].reason.cause.code, 'ERR_WORKER_INVALID_EXEC_ARGV');
    await pool.close();
  },
);

test('a preload that ends every thread settles all tasks', watched, async (t) => {
  const { folder } = flagFile(t);
  const preload = join(folder, 'preload.cjs');
  writeFileSync(preload, 'process.exit(7);\n');
  const pool = new Pool({
    filename: fixture('chaos/tasks.cjs'),
    execArgv: ['--require', preload],
    minThreads: 1,
    maxThreads: 2,
  });
  t.after(() => pool.destroy());
  await assert.rejects(pool.run(1, { name: 'echo' }), isBootError);
});

for (const how of ['close', 'destroy']) {
  test(`${how}() while workers fail to start`, watched, async (t) => {
    const pool = brokenPool(t, {}, { minThreads: 1, maxThreads: 2 });
    const tasks = Array.from({ length: 4 }, (_, i) => pool.run(i));
    const settled = Promise.allSettled(tasks);
    await pool[how]();
    const code = how === 'close' ? 'ERR_CENOTE_WORKER_BOOT' : 'ERR_CENOTE_POOL_DESTROYED';
    assert.deepEqual(codes(await settled), new Array(4).fill(code));
    assert.equal(pool.threads.length, 0);
  });
}
