// Tasks that are taken back from a worker, and those that cannot be: none runs after its caller was
// told that it never will, none is lost to what happened to another, and what is left of them in
// the worker holds up nobody.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocker, fixture, poolFor, sharedWords, until, watched } from './support/behaviour.mjs';

const neverLoads = fixture('features/never-loads.mjs');
const turn = () => new Promise((resolve) => setImmediate(resolve));
const codeOf = (error) => error.code ?? error.name;

/** A pool of one thread that may begin several tasks, and is blocked in one. */
async function blockedPool(t, options = {}) {
  const pool = poolFor(t, {
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: 8,
    ...options,
  });
  const blocking = blocker(pool);
  await blocking.started;
  return { pool, ...blocking };
}

/** What moves a buffer with the task. */
const moving = () => {
  const buffer = new ArrayBuffer(8);
  return [{ buffer }, { name: 'echo', transferList: [buffer] }];
};

test(
  'a task whose payload was moved is not harmed by the queueTimeout of one beside it',
  watched,
  async (t) => {
    const { pool, release } = await blockedPool(t);
    const [task, options] = moving();
    const [other, otherOptions] = moving();
    const expired = pool.run(task, { ...options, queueTimeout: 50 });
    const fine = pool.run(other, otherOptions);
    fine.catch(() => {});
    await assert.rejects(expired, { code: 'ERR_CENOTE_QUEUE_TIMEOUT' });
    release();
    assert.equal((await fine).buffer.byteLength, 8);
  },
);

test('a task that expired behind one that cannot be taken back never runs', watched, async (t) => {
  const { pool, release } = await blockedPool(t);
  const words = sharedWords();
  const expired = pool.run({ words, at: 0, value: 1 }, { name: 'write', queueTimeout: 50 });
  const [task, options] = moving();
  const fine = pool.run(task, options);
  await assert.rejects(expired, { code: 'ERR_CENOTE_QUEUE_TIMEOUT' });
  // This takes back whatever is with the first.
  const [late, lateOptions] = moving();
  await assert.rejects(pool.run(late, { ...lateOptions, queueTimeout: 50 }), {
    code: 'ERR_CENOTE_QUEUE_TIMEOUT',
  });
  release();
  assert.equal((await fine).buffer.byteLength, 8);
  await pool.run({ words, at: 1, value: 1 }, { name: 'write' });
  assert.deepEqual([words[0], words[1]], [0, 1]);
  assert.equal(pool.stats().tasks.queueTimedOut, 2);
});

for (const [what, options, code] of [
  ['expired', () => ({ queueTimeout: 400 }), 'ERR_CENOTE_QUEUE_TIMEOUT'],
  ['was aborted', () => ({ signal: AbortSignal.timeout(400) }), 'ABORT_ERR'],
]) {
  test(`a task that ${what} while its file was loading holds up no other`, watched, async (t) => {
    const words = sharedWords();
    words[1] = 1;
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1, workerData: { words } });
    await pool.ready();
    const loading = pool.run(1, { filename: neverLoads, name: 'default', ...options() });
    await assert.rejects(loading, { code });
    assert.equal(await pool.run(2, { name: 'echo' }), 2);
  });
}

test(
  'a payload whose getter aborts tasks: they do not run, and the others all do',
  watched,
  async (t) => {
    const { pool, release, done } = await blockedPool(t);
    const words = sharedWords();
    const controller = new AbortController();
    const { signal } = controller;
    const wrote = [];
    const write = (at, options) =>
      pool.run({ words, at, value: 1 }, { name: 'write', ...options }).then(() => wrote.push(at));
    const running = [write(0), write(1)];
    await turn();
    const aborting = {
      words,
      at: 2,
      value: 1,
      get abort() {
        controller.abort();
        return 0;
      },
    };
    running.push(pool.run(aborting, { name: 'write' }));
    running.push(write(3));
    const refused = write(4, { signal });
    refused.catch(() => {});
    await turn();
    release();
    await done;
    await assert.rejects(refused, { name: 'AbortError' });
    await Promise.all(running);
    // Nothing of it is left that would be taken for a task that has not begun.
    await Promise.all(Array.from({ length: 100 }, () => write(5)));
    assert.deepEqual([...words].slice(0, 6), [1, 1, 1, 1, 0, 1]);
    assert.deepEqual([pool.stats().tasks.aborted, pool.stats().workers[0].tasks.inFlight], [1, 0]);
  },
);

test('a payload whose getter aborts its own task: it does not run', watched, async (t) => {
  const { pool, release, done } = await blockedPool(t);
  const words = sharedWords();
  const runs = [0, 1, 2, 3].map((at) => {
    const controller = new AbortController();
    const task = { words, at, value: 1 };
    if (at % 2 === 0)
      Object.defineProperty(task, 'abort', {
        enumerable: true,
        get: () => controller.abort(),
      });
    // A task with a signal gets a worker of its own: the getter has it aborted while it is posted.
    return pool.run(task, { name: 'write', signal: controller.signal }).then(
      () => 'done',
      ({ code }) => code,
    );
  });
  await turn();
  release();
  await done;
  assert.deepEqual(await Promise.all(runs), ['ABORT_ERR', 'done', 'ABORT_ERR', 'done']);
  await pool.run({ words, at: 4, value: 1 }, { name: 'write' });
  assert.deepEqual([...words].slice(0, 5), [0, 1, 0, 1, 1]);
  assert.equal(pool.stats().workers[0].tasks.inFlight, 0);
});

test('a payload whose getter ends a worker keeps no task from the others', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 3, maxThreads: 3 });
  await pool.ready();
  const controller = new AbortController();
  const blocking = blocker(pool, { signal: controller.signal });
  await blocking.started;
  const ending = {
    get end() {
      controller.abort();
      return 1;
    },
  };
  assert.deepEqual(await Promise.all([ending, 2].map((task) => pool.run(task, { name: 'echo' }))), [
    { end: 1 },
    2,
  ]);
  await assert.rejects(blocking.done, { code: 'ABORT_ERR' });
});

test('a payload whose getter destroys the pool: every task settles', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 8 });
  await pool.ready();
  let destroyed;
  const destroying = {
    get destroy() {
      destroyed = pool.destroy();
      return 0;
    },
  };
  const runs = [1, destroying, 2, destroying, 3].map((task) =>
    pool.run(task, { name: 'echo' }).catch(codeOf),
  );
  const codes = await Promise.all(runs);
  await destroyed;
  assert.deepEqual(codes, Array(5).fill('ERR_CENOTE_POOL_DESTROYED'));
});

test(
  'many tasks are aborted while those behind them are taken back and dealt again',
  watched,
  async (t) => {
    const { pool, release } = await blockedPool(t);
    const words = sharedWords(64);
    const ended = [];
    for (let at = 0; at < 40; at++) {
      const controller = new AbortController();
      const options =
        at % 3 === 0 ? { signal: controller.signal } : at % 3 === 1 ? { queueTimeout: 40 } : {};
      ended.push(
        pool.run({ words, at, value: 1 }, { name: 'write', ...options }).then(
          () => 1,
          () => 0,
        ),
      );
      if (at % 3 === 0) setTimeout(() => controller.abort(), at);
    }
    await until(
      'their time is over',
      () => pool.stats().tasks.aborted === 14 && pool.stats().tasks.queueTimedOut === 13,
    );
    release();
    assert.deepEqual(await Promise.all(ended), [...words].slice(0, 40));
  },
);
