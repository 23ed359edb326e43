// `signal`: a task that waits never runs, one that runs costs its worker, and nobody else notices.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import {
  blocker,
  poolFor,
  readyWorkers,
  sharedWords,
  until,
  watched,
} from './support/behaviour.mjs';

const listeners = (signal) => getEventListeners(signal, 'abort').length;

function assertAbortError(error, reason) {
  assert.ok(error instanceof Error);
  assert.equal(error.name, 'AbortError');
  assert.equal(error.code, 'ABORT_ERR');
  assert.equal(error.cause, reason);
  return true;
}

test('a signal that is aborted already rejects the task, which never runs', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const words = sharedWords();
  const reason = new Error('too late');
  const run = pool.run({ words }, { name: 'count', signal: AbortSignal.abort(reason) });
  await assert.rejects(run, (error) => assertAbortError(error, reason));
  await pool.run(0);
  assert.equal(words[0], 0);
  assert.equal(pool.stats().tasks.accepted, 1);
});

test('a task that is aborted in the tick of its run() never runs', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const words = sharedWords();
  const controller = new AbortController();
  const run = pool.run({ words }, { name: 'count', signal: controller.signal });
  controller.abort();
  await assert.rejects(run, (error) => assertAbortError(error, controller.signal.reason));
  await pool.run(0);
  assert.equal(words[0], 0);
});

test(
  'a task that is aborted while it is queued never runs, and those around it do',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const busy = blocker(pool);
    await busy.started;
    const words = sharedWords();
    const controllers = Array.from({ length: 9 }, () => new AbortController());
    const runs = controllers.map(({ signal }, at) =>
      pool.run({ words, at: at % 8 }, { name: 'count', signal }),
    );
    const settled = Promise.allSettled(runs);
    const dropped = [0, 4, 8, 3];
    for (const at of dropped) controllers[at].abort();
    assert.equal(pool.queueSize, 5);
    busy.release();
    (await settled).forEach(({ status, reason }, at) => {
      assert.equal(status, dropped.includes(at) ? 'rejected' : 'fulfilled');
      if (dropped.includes(at)) assertAbortError(reason, controllers[at].signal.reason);
    });
    assert.deepEqual([...words], [0, 1, 1, 0, 0, 1, 1, 1]);
    assert.equal(pool.stats().tasks.aborted, 4);
  },
);

test(
  'a task that may be aborted is posted behind no other; aborted it never runs, and the others do',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1, prefetchWindowUs: 1_000_000 });
    const words = sharedWords();
    // Measured, so that tasks are posted ahead.
    for (let n = 0; n < 5; n++) await pool.run({ words, at: 7 }, { name: 'count' });
    const [worker] = pool.threads;
    const busy = blocker(pool);
    const controller = new AbortController();
    const before = [0, 1].map((at) => pool.run({ words, at }, { name: 'count' }));
    const aborted = pool.run({ words, at: 2 }, { name: 'count', signal: controller.signal });
    const after = [3, 4].map((at) => pool.run({ words, at }, { name: 'count' }));
    await busy.started;
    await until('those before it are posted', () => pool.stats().tasks.inFlight === 3);
    assert.equal(pool.queueSize, 3, 'it waits, and those after it with it');
    controller.abort();
    await assert.rejects(aborted, { name: 'AbortError' });
    busy.release();
    await Promise.all([...before, ...after, busy.done]);
    assert.deepEqual([...words.subarray(0, 5)], [1, 1, 0, 1, 1]);
    assert.deepEqual(pool.threads, [worker], 'nothing ran that had to be terminated');
  },
);

test(
  'a task that is aborted while it computes is interrupted; its worker is replaced',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
    await readyWorkers(pool, 2);
    const words = sharedWords();
    const controller = new AbortController();
    const loop = pool.run({ words }, { name: 'spinForever', signal: controller.signal });
    await until('it computes', () => words[0] === 1);
    const other = blocker(pool);
    await other.started;
    const waiting = Array.from({ length: 5 }, (_, n) => pool.run(n));
    controller.abort('enough');
    await assert.rejects(loop, (error) => assertAbortError(error, 'enough'));
    assert.deepEqual(await Promise.all(waiting), [0, 1, 2, 3, 4]);
    other.release();
    await other.done;
    await readyWorkers(pool, 2);
    const { tasks } = pool.stats();
    assert.deepEqual([tasks.aborted, tasks.lost, tasks.completed], [1, 0, 6]);
  },
);

test('aborting a running task is no lost worker', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  let lost = 0;
  pool.on('workerLost', () => lost++);
  const words = sharedWords();
  const controller = new AbortController();
  const loop = pool.run({ words }, { name: 'spinForever', signal: controller.signal });
  await until('it computes', () => words[0] === 1);
  controller.abort();
  await assert.rejects(loop, { name: 'AbortError' });
  assert.equal(await pool.run('next'), 'next');
  assert.equal(lost, 0);
});

test('many tasks with one signal all abort, whatever their state', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  await readyWorkers(pool, 2);
  const words = sharedWords();
  const controller = new AbortController();
  const { signal } = controller;
  const runs = [0, 1].map(() => pool.run({ words }, { name: 'spinForever', signal }));
  const queued = Array.from({ length: 30 }, () =>
    pool.run({ words, at: 1 }, { name: 'count', signal }),
  );
  const free = pool.run('free');
  const settled = Promise.allSettled([...runs, ...queued]);
  await until('both compute', () => words[0] === 2);
  assert.equal(listeners(signal), 1, 'one for all of them: Node warns from the eleventh on');
  controller.abort();
  for (const { reason } of await settled) assert.equal(reason?.name, 'AbortError');
  assert.equal(await free, 'free');
  assert.equal(words[1], 0);
  assert.equal(pool.stats().tasks.aborted, 32);
});

test(
  'an abort after the end changes nothing, and the signal holds no listener',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const controller = new AbortController();
    const { signal } = controller;
    const threadId = await pool.run(0, { name: 'threadId', signal });
    assert.equal(listeners(signal), 0);
    await assert.rejects(pool.run('x', { name: 'throwError', signal }));
    await assert.rejects(pool.run({ bad() {} }, { signal }));
    await assert.rejects(pool.run(0, { name: 'missing', signal }));
    assert.equal(listeners(signal), 0);
    controller.abort();
    assert.equal(await pool.run(0, { name: 'threadId' }), threadId);
  },
);

test(
  'the signal holds no listener after an abort, a refusal or a destroyed pool',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1, maxQueue: 0 });
    const controller = new AbortController();
    const other = new AbortController();
    const words = sharedWords();
    const first = pool.run({ words }, { name: 'hold', signal: controller.signal });
    assert.equal(listeners(controller.signal), 1);
    await assert.rejects(pool.run(0, { signal: other.signal }), { code: 'ERR_CENOTE_QUEUE_FULL' });
    assert.equal(listeners(other.signal), 0);
    controller.abort();
    await assert.rejects(first, { name: 'AbortError' });
    assert.equal(listeners(controller.signal), 0);
    const second = assert.rejects(pool.run({ words }, { name: 'hold', signal: other.signal }), {
      code: 'ERR_CENOTE_POOL_DESTROYED',
    });
    assert.equal(listeners(other.signal), 1);
    await Promise.all([second, pool.destroy()]);
    assert.equal(listeners(other.signal), 0);
  },
);

test(
  'AbortSignal.timeout aborts a task, with its TimeoutError as the cause',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const run = pool.run(
      { words: sharedWords() },
      { name: 'spinForever', signal: AbortSignal.timeout(50) },
    );
    await assert.rejects(
      run,
      (error) => error.name === 'AbortError' && error.cause.name === 'TimeoutError',
    );
  },
);

test('with several tasks at once on a worker, an abort costs no other task', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 4 });
  const words = sharedWords();
  const controller = new AbortController();
  const held = Array.from({ length: 3 }, () => pool.run({ words }, { name: 'hold' }));
  const aborted = pool.run({ words: sharedWords() }, { name: 'hold', signal: controller.signal });
  const after = Array.from({ length: 3 }, (_, n) => pool.run(n));
  await until('three run', () => words[0] === 3);
  controller.abort();
  await assert.rejects(aborted, { name: 'AbortError' });
  Atomics.store(words, 1, 1);
  await Promise.all(held);
  assert.deepEqual(await Promise.all(after), [0, 1, 2]);
  assert.equal(pool.stats().tasks.lost, 0);
});

test(
  'with several tasks at once on a worker, aborting one that runs costs no other task',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 4 });
    const words = sharedWords();
    const controller = new AbortController();
    const aborted = pool.run({ words }, { name: 'hold', signal: controller.signal });
    const others = Array.from({ length: 6 }, (_, n) => pool.run(n));
    await until('it runs', () => words[0] === 1);
    controller.abort();
    await assert.rejects(aborted, { name: 'AbortError' });
    assert.deepEqual(await Promise.all(others), [0, 1, 2, 3, 4, 5]);
    assert.equal(pool.stats().tasks.lost, 0);
  },
);

test(
  'an aborted task with a transferList does not run, and its worker goes on',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const busy = blocker(pool);
    await busy.started;
    const words = sharedWords();
    const controller = new AbortController();
    const buffer = new ArrayBuffer(8);
    const run = pool.run(
      { words, buffer },
      { name: 'count', transferList: [buffer], signal: controller.signal },
    );
    controller.abort();
    await assert.rejects(run, { name: 'AbortError' });
    assert.equal(buffer.byteLength, 8, 'it was never posted');
    busy.release();
    await busy.done;
    assert.equal(await pool.run('next'), 'next');
    assert.equal(words[0], 0);
  },
);
