// What concerns all workers: a task for each, their number, their replacement; no task is lost.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Pool } from 'cenote';
import {
  blocker,
  fixture,
  poolFor,
  readyWorkers,
  sharedWords,
  until,
  untilSo,
  watched,
} from './support/behaviour.mjs';

const threadOf = (pool) => pool.run(null, { name: 'threadId' });
const upTo = (to) => Array.from({ length: to }, (_, n) => n);
const idsOf = (pool) => pool.threads.map(({ threadId }) => threadId);

// broadcast()

test('broadcast() runs a task on each worker, those that start included', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 3, maxThreads: 3 });
  const ids = await pool.broadcast(null, { name: 'threadId' });
  assert.deepEqual(ids, idsOf(pool));
  assert.equal(new Set(ids).size, 3);
  const words = sharedWords();
  await pool.broadcast({ words }, { name: 'count' });
  assert.equal(words[0], 3);
});

test(
  'broadcast() waits for busy workers, and for nothing where there is none',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
    await readyWorkers(pool, 2);
    const held = blocker(pool);
    await held.started;
    const all = pool.broadcast(1);
    const tasks = upTo(50).map((n) => pool.run(n));
    assert.deepEqual(await Promise.all(tasks), upTo(50));
    held.release();
    assert.deepEqual(await all, [1, 1]);
    const none = poolFor(t, { minThreads: 0, maxThreads: 2 });
    assert.deepEqual(await none.broadcast(1), []);
  },
);

test('broadcast() rejects with the first error, with its caller', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  async function theCaller() {
    await pool.broadcast('no', { name: 'throwError' });
  }
  const error = await theCaller().catch((reason) => reason);
  assert.match(error.stack, /at async theCaller/);
  await assert.rejects(pool.broadcast('exit', { name: 'exitIfTold' }), {
    code: 'ERR_CENOTE_WORKER_LOST',
  });
  assert.equal(await pool.run(1), 1);
});

test('broadcast() can be aborted, and is bounded by its limits', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  const words = sharedWords();
  const options = { name: 'spinForever', timeout: 50 };
  await assert.rejects(pool.broadcast({ words }, options), { code: 'ERR_CENOTE_TIMEOUT' });
  const signal = AbortSignal.timeout(50);
  const spin = pool.broadcast({ words }, { name: 'spinForever', signal });
  await assert.rejects(spin, { name: 'AbortError' });
  await assert.rejects(pool.broadcast(1, { key: 'k' }), { code: 'ERR_INVALID_ARG_TYPE' });
  await pool.close();
  await assert.rejects(pool.broadcast(1), { code: 'ERR_CENOTE_POOL_CLOSED' });
});

// resize()

test('resize() makes room for more at once', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, maxQueue: 0 });
  const held = [blocker(pool)];
  await held[0].started;
  await assert.rejects(pool.run(1), { code: 'ERR_CENOTE_QUEUE_FULL' });
  const waiting = pool.run('waiting', { whenFull: 'wait' });
  pool.resize({ maxThreads: 3 });
  assert.equal(await waiting, 'waiting');
  held.push(blocker(pool));
  await held[1].started;
  assert.equal(pool.options.maxThreads, 3);
  held.forEach(({ release }) => release());
});

test('resize() ends those that are too many, and no task is lost', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 4, maxThreads: 4 });
  await readyWorkers(pool, 4);
  const tasks = upTo(400).map((n) => pool.run(n));
  pool.resize({ minThreads: 1, maxThreads: 1 });
  assert.deepEqual(await Promise.all(tasks), upTo(400));
  await until('one is left', () => pool.threads.length === 1);
  const id = await threadOf(pool);
  assert.equal(await threadOf(pool), id);
  pool.resize({ minThreads: 2, maxThreads: 2 });
  await readyWorkers(pool, 2);
});

test('resize() refuses wrong sizes', watched, (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 2 });
  const wrong = [
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [{ minThreads: 3 }, 'ERR_OUT_OF_RANGE'],
    [{ maxThreads: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ maxThreads: '4' }, 'ERR_INVALID_ARG_TYPE'],
    [{ maxQueue: 4 }, 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [sizes, code] of wrong) assert.throws(() => pool.resize(sizes), { code });
  assert.equal(pool.options.maxThreads, 2);
});

// recycle, isolate

test('a worker runs as many tasks as it may, and is replaced', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, recycle: { tasks: 10 } });
  const ids = await Promise.all(upTo(95).map(() => threadOf(pool)));
  const counts = new Map();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  assert.deepEqual([...counts.values()], [...Array(9).fill(10), 5]);
});

test('with isolate, each task has a worker of its own', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2, isolate: true });
  const ids = await Promise.all(upTo(12).map(() => threadOf(pool)));
  assert.equal(new Set(ids).size, 12);
  assert.equal(pool.stats().tasks.lost, 0);
  assert.deepEqual(pool.options.recycle.tasks, 1);
});

test('with isolate, an error and an exit cost their own task alone', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1, isolate: true });
  const ends = await Promise.allSettled([
    pool.run('no', { name: 'throwError' }),
    pool.run('exit', { name: 'exitIfTold' }),
    pool.run(3),
  ]);
  assert.deepEqual(
    ends.map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled'],
  );
});

test('a worker that is old enough is replaced after a task', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, recycle: { ageMs: 1 } });
  const ids = [];
  for (let n = 0; n < 4; n++) ids.push(await threadOf(pool));
  assert.equal(new Set(ids).size, 4);
});

test('a worker whose heap is too large is replaced', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, recycle: { heapMb: 40 } });
  const filename = fixture('heap.cjs');
  const first = await pool.run(0, { filename });
  assert.equal(await pool.run(0, { filename }), first);
  await untilSo('another one runs', async () => (await pool.run(4, { filename })) !== first);
});

test('what a worker left running ends before it does', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, recycle: { tasks: 1 } });
  const words = sharedWords();
  await pool.run({ words, ms: 50 }, { name: 'countLater' });
  await pool.run(1);
  await until('it was done', () => words[0] === 1);
});

// restart()

test('restart() replaces all workers, and no task is lost', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 3, maxThreads: 3 });
  await readyWorkers(pool, 3);
  const before = idsOf(pool);
  let isOver = false;
  let ran = 0;
  const client = async () => {
    while (!isOver) {
      const n = ran++;
      assert.equal(await pool.run(n), n);
    }
  };
  const clients = [client(), client(), client(), client()];
  await pool.restart();
  isOver = true;
  await Promise.all(clients);
  assert.ok(ran > 0);
  await until('the old ones have ended', () => idsOf(pool).every((id) => !before.includes(id)));
  assert.equal(pool.stats().tasks.lost + pool.stats().tasks.failed, 0);
});

test('restart() lets a task that runs end on its worker', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  await readyWorkers(pool, 1);
  const [before] = idsOf(pool);
  const held = blocker(pool);
  await held.started;
  await pool.restart();
  assert.notEqual(await threadOf(pool), before);
  held.release();
  assert.equal(await held.done, before);
});

test('restart() of a pool that is closed, or cannot start, rejects', watched, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-restart-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'worker.mjs');
  writeFileSync(file, 'export default () => 1;');
  const pool = new Pool({ filename: file, minThreads: 1, maxThreads: 1 });
  t.after(() => pool.destroy());
  assert.equal(await pool.run(), 1);
  writeFileSync(file, 'throw new Error("of the new file");');
  await assert.rejects(pool.restart(), /of the new file/);
  writeFileSync(file, 'export default () => 2;');
  await untilSo('the new file serves', async () => (await pool.run().catch(() => 0)) === 2);
  await pool.close();
  await assert.rejects(pool.restart(), { code: 'ERR_CENOTE_POOL_CLOSED' });
});

// watch

test('with watch, workers are replaced when a file of theirs changes', watched, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-watch-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'lib'));
  const write = (n) =>
    writeFileSync(join(folder, 'lib', 'value.mjs'), `export const value = ${n};`);
  write(1);
  const file = join(folder, 'worker.mjs');
  writeFileSync(file, "import { value } from './lib/value.mjs';\nexport default () => value;\n");
  const pool = new Pool({ filename: file, minThreads: 1, maxThreads: 1, watch: true });
  t.after(() => pool.destroy());
  assert.equal(await pool.run(), 1);
  write(2);
  await untilSo('it has the new value', async () => (await pool.run()) === 2);
  write('nonsense +');
  await untilSo('it says what is wrong', () =>
    pool.run().then(
      () => false,
      (error) => error instanceof SyntaxError,
    ),
  );
  write(3);
  await untilSo('it is well again', async () => (await pool.run().catch(() => 0)) === 3);
});

test('wrong options are refused', watched, () => {
  const wrong = [
    [{ recycle: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ recycle: { task: 5 } }, 'ERR_INVALID_ARG_TYPE'],
    [{ recycle: { tasks: 0 } }, 'ERR_OUT_OF_RANGE'],
    [{ recycle: { heapMb: '64' } }, 'ERR_INVALID_ARG_TYPE'],
    [{ isolate: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ watch: './src' }, 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [options, code] of wrong) assert.throws(() => new Pool(options), { code });
});
