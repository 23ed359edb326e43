// Code of the user's that `cenote/piscina` calls in the middle of things: queues, balancers and
// listeners that abort, throw, hold back or lose. No task runs that was rejected, none is lost, and
// nothing stays behind.

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { fixture, sharedWords, until, watched } from './support/behaviour.mjs';
import { file, Piscina, piscinaFor } from './fixtures/piscina/implementation.mjs';

const { FixedQueue } = Piscina;

/** Lets the task that waits in `hold` go on. */
const release = (words) => Atomics.store(words, 1, 1);

const aborted = { name: 'AbortError', message: 'The task has been aborted', cause: 'why' };

/** A task that says in shared memory that it ran. */
function witness() {
  const words = sharedWords();
  return { task: { words, id: 1 }, ran: () => Atomics.load(words, 0) };
}

test('a task that its queue aborts while it is pushed never runs', watched, async (t) => {
  const controller = new AbortController();
  class Aborting extends FixedQueue {
    push(task) {
      super.push(task);
      if (task.isAbortable) controller.abort('why');
    }
  }
  const pool = piscinaFor(t, { maxThreads: 1, taskQueue: new Aborting() });
  const { task, ran } = witness();
  await assert.rejects(pool.run(task, { name: 'record', signal: controller.signal }), aborted);
  await pool.run(1);
  assert.equal(ran(), 0);
  assert.equal(pool.queueSize, 0);
  assert.equal(pool.completed, 1);
});

test('a task that its load balancer aborts never runs', watched, async (t) => {
  const controller = new AbortController();
  const loadBalancer = (task, [worker]) => {
    if (task.isAbortable) controller.abort('why');
    return worker;
  };
  const pool = piscinaFor(t, { maxThreads: 1, loadBalancer });
  const { task, ran } = witness();
  await assert.rejects(pool.run(task, { name: 'record', signal: controller.signal }), aborted);
  await pool.run(1);
  assert.equal(ran(), 0);
  assert.equal(pool.queueSize, 0);
  assert.equal(pool.needsDrain, false);
});

test(
  'a refused task leaves no listener on its signal, and does not count as completed',
  watched,
  async (t) => {
    const signal = new EventEmitter();
    const pool = piscinaFor(t, { maxThreads: 1, maxQueue: 0 });
    const words = sharedWords();
    const first = pool.run({ words }, { name: 'hold' });
    await assert.rejects(pool.run(1, { signal }), {
      message: 'No task queue available and all Workers are busy',
    });
    assert.equal(signal.listenerCount('abort'), 0);
    assert.equal(pool.completed, 0);
    release(words);
    await first;
    assert.equal(pool.completed, 1);
  },
);

test('a queue that throws, or says that it is empty, loses no task', watched, async (t) => {
  const broken = {
    get size() {
      throw new Error('size');
    },
    push() {},
    shift() {
      throw new Error('shift');
    },
    remove() {
      throw new Error('remove');
    },
  };
  const forgetful = { size: 0, push() {}, shift: () => null, remove() {} };
  for (const taskQueue of [broken, forgetful]) {
    const pool = piscinaFor(t, { maxThreads: 1, taskQueue });
    assert.deepEqual(await Promise.all([1, 2, 3].map((n) => pool.run(n))), [1, 2, 3]);
    await pool.close({ force: true });
  }
});

test('what a queue holds back waits, and is rejected with the pool', watched, async (t) => {
  const holding = { size: 1, push() {}, shift: () => null, remove() {} };
  const pool = piscinaFor(t, { maxThreads: 1, taskQueue: holding });
  const { task, ran } = witness();
  const waiting = assert.rejects(pool.run(task, { name: 'record' }), {
    message: 'Terminating worker thread',
  });
  await until('the thread is ready', () => pool.idleThreads === 1);
  assert.equal(pool.queueSize, 1);
  await pool.destroy();
  await waiting;
  assert.equal(ran(), 0);
});

test(
  'broadcastTask gives one result for each thread, also while one is busy',
  watched,
  async (t) => {
    const pool = piscinaFor(t, { minThreads: 3, maxThreads: 3 });
    const threads = async () => new Set(await pool.broadcastTask(null, { name: 'threadId' }));
    assert.equal((await threads()).size, 3);
    const words = sharedWords();
    const busy = pool.run({ words }, { name: 'hold' });
    const all = threads();
    release(words);
    assert.equal((await all).size, 3);
    await busy;
    await pool.close();
    await assert.rejects(pool.broadcastTask(null), {
      name: 'AbortError',
      cause: 'queue is being terminated',
    });
  },
);

test(
  'a close that times out rejects if nobody listens to error, and the threads are gone',
  watched,
  async (t) => {
    const pool = new Piscina({ filename: file('tasks.cjs'), maxThreads: 1, closeTimeout: 1 });
    t.after(() => pool.destroy());
    const lost = assert.rejects(pool.run({ words: sharedWords() }, { name: 'hold' }), {
      message: 'Terminating worker thread',
    });
    let closed = 0;
    pool.on('close', () => closed++);
    await assert.rejects(pool.close(), { message: 'Close operation timed out' });
    await lost;
    assert.equal(closed, 1);
    assert.equal(pool.threads.length, 0);
  },
);

test('a filename may leave out what require() finds', watched, async (t) => {
  const pool = piscinaFor(t, { filename: fixture('shape'), maxThreads: 1 });
  assert.equal(await pool.run(7), 7);
  assert.equal(await pool.run(8, { filename: fixture('shape/index') }), 8);
});
