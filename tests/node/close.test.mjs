// `close()` and `destroy()`: what becomes of the tasks, of the threads, and of the process.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  blocker,
  poolFor,
  readyWorkers,
  runProgram,
  sharedWords,
  until,
  watched,
} from './support/behaviour.mjs';

const closed = { name: 'CenoteError', code: 'ERR_CENOTE_POOL_CLOSED' };
const destroyed = { name: 'CenoteError', code: 'ERR_CENOTE_POOL_DESTROYED' };

test('close() waits for what runs and what is queued, on several workers', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  await readyWorkers(pool, 2);
  const busy = [blocker(pool), blocker(pool)];
  await Promise.all(busy.map(({ started }) => started));
  const queued = Array.from({ length: 50 }, (_, n) => pool.run(n));
  let over = false;
  const closing = pool.close().then(() => (over = true));
  busy[0].release();
  await busy[0].done;
  assert.equal(over, false);
  busy[1].release();
  assert.deepEqual(
    await Promise.all(queued),
    Array.from({ length: 50 }, (_, n) => n),
  );
  await closing;
  assert.deepEqual(pool.threads, []);
  assert.equal(pool.completed, 52);
});

test('close() waits for asynchronous tasks', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 8 });
  const runs = Array.from({ length: 20 }, (_, n) =>
    pool.run({ ms: 5, value: n }, { name: 'pause' }),
  );
  await pool.close();
  assert.equal(pool.completed, 20);
  assert.deepEqual(
    await Promise.all(runs),
    Array.from({ length: 20 }, (_, n) => n),
  );
});

test('close() of a pool whose threads are still starting resolves', watched, async (t) => {
  const unused = poolFor(t, { minThreads: 2, maxThreads: 2 });
  await unused.close();
  assert.deepEqual(unused.threads, []);
  const used = poolFor(t, { minThreads: 2, maxThreads: 2 });
  const run = used.run('first');
  await used.close();
  assert.equal(await run, 'first');
  const none = poolFor(t, { minThreads: 0 });
  await none.close();
});

test('after close() and after destroy() every run() rejects', watched, async (t) => {
  for (const end of ['close', 'destroy']) {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    await pool.run(0);
    const ending = pool[end]();
    await assert.rejects(pool.run(1), closed);
    await ending;
    await assert.rejects(pool.run(2), closed);
    assert.deepEqual(pool.threads, []);
    assert.equal(pool.completed, 1);
    assert.equal(pool.stats().tasks.accepted, 1);
  }
});

test(
  'destroy() rejects what is queued and what runs, and ends a thread that computes',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const words = sharedWords();
    const loop = pool.run({ words }, { name: 'spinForever' });
    await until('it computes', () => words[0] === 1);
    const queued = Array.from({ length: 10 }, () => pool.run({ words, at: 1 }, { name: 'count' }));
    const settled = Promise.allSettled([loop, ...queued]);
    await pool.destroy();
    for (const { reason } of await settled) {
      assert.equal(reason?.code, destroyed.code);
      assert.equal(reason.name, destroyed.name);
    }
    assert.equal(words[1], 0);
    assert.deepEqual(pool.threads, []);
    assert.equal(pool.stats().tasks.cancelled, 11);
  },
);

test(
  'destroy() rejects tasks that were posted ahead and not begun; they never run',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1, prefetchWindowUs: 1_000_000 });
    const words = sharedWords();
    for (let n = 0; n < 5; n++) await pool.run({ words, at: 7 }, { name: 'count' });
    const busy = blocker(pool);
    const posted = Array.from({ length: 5 }, () => pool.run({ words }, { name: 'count' }));
    const settled = Promise.allSettled(posted);
    await busy.started;
    assert.equal(pool.queueSize, 0);
    const ending = pool.destroy();
    busy.release();
    for (const { reason } of await settled) assert.equal(reason?.code, destroyed.code);
    await ending;
    assert.equal(words[0], 0);
  },
);

test('destroy() in the tick of run() settles every task', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  const settled = Promise.allSettled(Array.from({ length: 100 }, (_, n) => pool.run(n)));
  await pool.destroy();
  for (const { reason } of await settled) assert.equal(reason?.code, destroyed.code);
});

test('close() and destroy() can be called again, and together', watched, async (t) => {
  const orders = [
    ['close', 'close'],
    ['destroy', 'destroy'],
    ['close', 'destroy'],
    ['destroy', 'close'],
    ['close', 'destroy', 'close', 'destroy'],
  ];
  for (const order of orders) {
    const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
    const settled = Promise.allSettled(Array.from({ length: 20 }, (_, n) => pool.run(n)));
    await Promise.all(order.map((end) => pool[end]()));
    assert.deepEqual(pool.threads, [], order.join());
    assert.equal((await settled).length, 20);
    for (const end of order) await pool[end]();
    const { accepted, completed, cancelled } = pool.stats().tasks;
    assert.equal(completed + cancelled, accepted);
  }
});

test('destroy() during close() ends the waiting', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const words = sharedWords();
  const loop = pool.run({ words }, { name: 'spinForever' });
  const rejected = assert.rejects(loop, destroyed);
  await until('it computes', () => words[0] === 1);
  const closing = pool.close();
  await pool.destroy();
  await Promise.all([closing, rejected]);
  assert.deepEqual(pool.threads, []);
});

test('close() may be called where a result is handled', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  const others = Array.from({ length: 20 }, (_, n) => pool.run(n));
  await pool.run('first').then(() => pool.close());
  assert.deepEqual(
    await Promise.all(others),
    Array.from({ length: 20 }, (_, n) => n),
  );
  assert.deepEqual(pool.threads, []);
});

test(
  'a task can be aborted while the pool closes, and those behind it still run',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const words = sharedWords();
    const controller = new AbortController();
    const loop = pool.run({ words }, { name: 'spinForever', signal: controller.signal });
    const rejected = assert.rejects(loop, { name: 'AbortError' });
    const behind = pool.run('behind');
    await until('it computes', () => words[0] === 1);
    const closing = pool.close();
    controller.abort();
    assert.equal(await behind, 'behind');
    await Promise.all([closing, rejected]);
  },
);

test('Symbol.asyncDispose closes', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const run = pool.run('kept');
  await pool[Symbol.asyncDispose]();
  assert.equal(await run, 'kept');
  assert.deepEqual(pool.threads, []);
});

test('an idle pool that nobody closed does not keep the process alive', watched, async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { Pool } from 'cenote';
    const pool = new Pool({ filename: process.env.TASKS, minThreads: 2, maxThreads: 2 });
    console.log(await pool.run('used'));
    new Pool({ filename: process.env.TASKS });
  `);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'used\n');
});

test('a process goes on until its outstanding tasks have settled', watched, async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { Pool } from 'cenote';
    const pool = new Pool({ filename: process.env.TASKS, minThreads: 1, maxThreads: 1 });
    pool.run({ ms: 300, value: 'first' }, { name: 'pause' }).then(console.log);
    pool.run({ ms: 100, value: 'second' }, { name: 'pause' }).then(console.log);
  `);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'first\nsecond\n');
});

test('a process goes on until close() and destroy() have resolved', watched, async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { Pool } from 'cenote';
    const closed = new Pool({ filename: process.env.TASKS, minThreads: 2, maxThreads: 2 });
    const destroyed = new Pool({ filename: process.env.TASKS, minThreads: 2, maxThreads: 2 });
    await Promise.all([closed.run(0), destroyed.run(0)]);
    closed.close().then(() => console.log('closed'));
    await closed.close();
    destroyed.destroy().then(() => console.log('destroyed'));
  `);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'closed\ndestroyed\n');
});
