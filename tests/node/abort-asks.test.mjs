// An abort asks first: the handler learns of it by its context, and has `abortGrace` to end before
// its worker does.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { Pool } from 'cenote';
import {
  blocker,
  fixture,
  poolFor,
  readyWorkers,
  sharedWords,
  until,
  watched,
} from './support/behaviour.mjs';

const filename = fixture('features/tasks.cjs');
const aborted = { name: 'AbortError', code: 'ABORT_ERR' };
const onePool = (t, options) =>
  poolFor(t, { filename, minThreads: 1, maxThreads: 1, abortGrace: 600_000, ...options });
const threadOf = (pool) => pool.run(0, { name: 'threadId' });

/** A started task of the handler `name`, and what aborts it. */
async function started(pool, name, { words = sharedWords(), task = {}, ...options } = {}) {
  const controller = new AbortController();
  const run = pool.run({ ...task, words }, { name, signal: controller.signal, ...options });
  run.catch(() => {});
  await until(`${name} runs`, () => Atomics.load(words, 0) === 1);
  return { run, words, controller, release: () => Atomics.store(words, 1, 1) };
}

test(
  'abortGrace: what is no whole number of milliseconds, or Infinity, is refused',
  watched,
  (t) => {
    const message = /\babortGrace\b/;
    for (const abortGrace of ['1', null, true, {}, 1n]) {
      assert.throws(() => new Pool({ filename, abortGrace }), {
        code: 'ERR_INVALID_ARG_TYPE',
        message,
      });
    }
    for (const abortGrace of [-1, 0.5, NaN, -Infinity, 2 ** 31]) {
      assert.throws(() => new Pool({ filename, abortGrace }), {
        code: 'ERR_OUT_OF_RANGE',
        message,
      });
    }
    for (const abortGrace of [0, 1, 2 ** 31 - 1, Infinity]) {
      assert.equal(onePool(t, { minThreads: 0, abortGrace }).options.abortGrace, abortGrace);
    }
    assert.equal(poolFor(t, { minThreads: 0 }).options.abortGrace, 0);
  },
);

test('a handler that ends when its signal says so keeps its worker', watched, async (t) => {
  const pool = onePool(t);
  const before = await threadOf(pool);
  const { run, words, controller } = await started(pool, 'obey');
  const reason = new Error('changed my mind');
  controller.abort(reason);
  await assert.rejects(
    run,
    (error) => error.name === 'AbortError' && error.code === 'ABORT_ERR' && error.cause === reason,
  );
  await until('it ended', () => Atomics.load(words, 3) === 1);
  assert.equal(words[2], 1, 'one event');
  assert.equal(await threadOf(pool), before);
  const { tasks } = pool.stats();
  assert.deepEqual([tasks.aborted, tasks.completed, tasks.failed, tasks.lost], [1, 2, 0, 0]);
});

test(
  "the signal's reason is an AbortError, or the CenoteError of the timeout",
  watched,
  async (t) => {
    const pool = onePool(t);
    const { run, controller } = await started(pool, 'obey');
    controller.abort();
    await assert.rejects(run, aborted);
    const first = await pool.run(0, { name: 'lastReason' });
    assert.deepEqual([first.name, first.code, first.isError], ['AbortError', 'ABORT_ERR', true]);
    await assert.rejects(pool.run({ words: sharedWords() }, { name: 'obey', timeout: 50 }), {
      code: 'ERR_CENOTE_TIMEOUT',
    });
    const second = await pool.run(0, { name: 'lastReason' });
    assert.deepEqual(
      [second.name, second.code, second.isError],
      ['CenoteError', 'ERR_CENOTE_TIMEOUT', true],
    );
  },
);

test('context.aborted is seen in a loop that never yields', watched, async (t) => {
  const pool = onePool(t);
  const before = await threadOf(pool);
  const { run, words, controller } = await started(pool, 'obeyInLoop');
  controller.abort();
  await assert.rejects(run, aborted);
  await until('the loop ended', () => Atomics.load(words, 3) === 1);
  assert.equal(await threadOf(pool), before);
  const { name } = await pool.run(0, { name: 'lastReason' });
  assert.equal(name, 'AbortError');
});

test(
  'context.aborted is seen in a loop that never yields when the timeout is over',
  watched,
  async (t) => {
    const pool = onePool(t);
    const before = await threadOf(pool);
    const words = sharedWords();
    await assert.rejects(pool.run({ words }, { name: 'obeyInLoop', timeout: 50 }), {
      code: 'ERR_CENOTE_TIMEOUT',
    });
    await until('the loop ended', () => Atomics.load(words, 3) === 1);
    assert.equal(await threadOf(pool), before);
    const { code } = await pool.run(0, { name: 'lastReason' });
    assert.equal(code, 'ERR_CENOTE_TIMEOUT');
  },
);

for (const handler of ['linger', 'spin']) {
  test(
    `a handler that does not listen is terminated after the grace: ${handler}`,
    watched,
    async (t) => {
      const pool = onePool(t, { abortGrace: 50 });
      let lost = 0;
      pool.on('workerLost', () => lost++);
      const before = await threadOf(pool);
      const { run, words, controller, release } = await started(pool, handler);
      controller.abort();
      await assert.rejects(run, aborted);
      assert.notEqual(await threadOf(pool), before);
      release();
      assert.deepEqual([words[3], lost], [0, 0]);
    },
  );

  test(`abortGrace 0 terminates at once: ${handler}`, watched, async (t) => {
    const pool = onePool(t, { abortGrace: 0 });
    const before = await threadOf(pool);
    const { run, words, controller, release } = await started(pool, handler);
    controller.abort();
    await assert.rejects(run, aborted);
    assert.notEqual(await threadOf(pool), before);
    release();
    assert.equal(words[3], 0);
  });

  test(`abortGrace Infinity never terminates: ${handler}`, watched, async (t) => {
    const pool = onePool(t, { abortGrace: Infinity });
    const before = await threadOf(pool);
    const { run, words, controller, release } = await started(pool, handler);
    controller.abort();
    await assert.rejects(run, aborted);
    const next = threadOf(pool);
    release();
    assert.equal(await next, before);
    assert.equal(words[3], 1);
  });
}

test(
  'the promise rejects at once; the task keeps its place until its handler has ended',
  watched,
  async (t) => {
    const pool = onePool(t);
    await readyWorkers(pool, 1);
    const { run, words, controller, release } = await started(pool, 'linger');
    controller.abort();
    await assert.rejects(run, aborted);
    assert.equal(words[3], 0, 'it still runs');
    const next = pool.run({ words, at: 3 }, { name: 'see' });
    await until('it is asked', () => Atomics.load(words, 2) === 1);
    assert.equal(pool.stats().tasks.inFlight + pool.queueSize, 2);
    release();
    assert.equal(await next, 1, 'the next one ran after it');
  },
);

for (const handler of ['linger', 'lingerAndFail']) {
  test(`close() waits for a handler that was asked: ${handler}`, watched, async (t) => {
    const pool = onePool(t);
    const { run, words, controller, release } = await started(pool, handler);
    controller.abort();
    await assert.rejects(run, aborted);
    let over = false;
    const closing = pool.close().then(() => (over = true));
    await until('it is asked', () => Atomics.load(words, 2) === 1);
    assert.equal(over, false);
    release();
    await closing;
    assert.equal(words[3], 1);
    assert.deepEqual(pool.threads, []);
    const { tasks } = pool.stats();
    assert.deepEqual([tasks.aborted, tasks.completed, tasks.failed], [1, 0, 0]);
  });
}

test('close() waits for the termination of a handler that does not listen', watched, async (t) => {
  const pool = onePool(t, { abortGrace: 100 });
  const { run, words, controller } = await started(pool, 'spin');
  controller.abort();
  const rejected = assert.rejects(run, aborted);
  await pool.close();
  await rejected;
  assert.equal(words[3], 0);
  assert.deepEqual(pool.threads, []);
});

test('destroy() ends the grace', watched, async (t) => {
  const pool = onePool(t, { abortGrace: Infinity });
  const { run, words, controller } = await started(pool, 'spin');
  controller.abort();
  await assert.rejects(run, aborted);
  await pool.destroy();
  assert.equal(words[3], 0);
  assert.deepEqual(pool.threads, []);
  const { tasks } = pool.stats();
  assert.deepEqual([tasks.aborted, tasks.cancelled], [1, 0]);
});

test('destroy() while close() waits for a handler that was asked', watched, async (t) => {
  const pool = onePool(t, { abortGrace: Infinity });
  const { run, controller } = await started(pool, 'linger');
  controller.abort();
  await assert.rejects(run, aborted);
  const closing = pool.close();
  await Promise.all([pool.destroy(), closing]);
  assert.deepEqual(pool.threads, []);
});

test(
  'without a signal of the caller, the signal of the context is there and never aborted',
  watched,
  async (t) => {
    const pool = onePool(t, { concurrentTasksPerWorker: 2 });
    const look = await pool.run(0, { name: 'look' });
    assert.deepEqual(
      { ...look, threadId: undefined },
      {
        aborted: false,
        signalAborted: false,
        reason: undefined,
        isSignal: true,
        same: true,
        threadId: undefined,
      },
    );
    const leaving = new AbortController();
    await pool.run(0, { name: 'leave' });
    await pool.run(0, { name: 'leave', signal: leaving.signal });
    leaving.abort('after its end');
    const { run, words, controller } = await started(pool, 'obey');
    controller.abort();
    await assert.rejects(run, aborted);
    await until('it ended', () => Atomics.load(words, 3) === 1);
    for (const context of await pool.run(0, { name: 'left' })) {
      assert.deepEqual(context, { aborted: false, signalAborted: false });
    }
  },
);

test('a task does not inherit the abort of the one before it on its worker', watched, async (t) => {
  const pool = onePool(t);
  for (let round = 0; round < 5; round++) {
    const { run, words, controller } = await started(pool, round % 2 === 0 ? 'obey' : 'obeyInLoop');
    controller.abort();
    await assert.rejects(run, aborted);
    await until('it ended', () => Atomics.load(words, 3) === 1);
    const signal = new AbortController().signal;
    for (const options of [{}, { signal }, { timeout: 600_000 }]) {
      const look = await pool.run(0, { name: 'look', ...options });
      assert.deepEqual([look.aborted, look.signalAborted, look.reason], [false, false, undefined]);
    }
  }
});

test('with several tasks at once, only the signal of the aborted one fires', watched, async (t) => {
  const pool = onePool(t, { concurrentTasksPerWorker: 4 });
  const before = await threadOf(pool);
  const { run, words: asked, controller } = await started(pool, 'obey');
  const words = sharedWords();
  const others = [
    pool.run({ words }, { name: 'wasAsked' }),
    pool.run({ words }, { name: 'wasAsked', timeout: 600_000 }),
    ...Array.from({ length: 3 }, () =>
      pool.run({ words }, { name: 'wasAsked', signal: new AbortController().signal }),
    ),
  ];
  // Whether they share a worker with a task that may be aborted is the pool's business: if so, they
  // run by now.
  await new Promise((resolve) => setTimeout(resolve, 50));
  controller.abort();
  await assert.rejects(run, aborted);
  await until('it ended', () => Atomics.load(asked, 3) === 1);
  await until('others run', () => Atomics.load(words, 0) > 0);
  Atomics.store(words, 1, 1);
  for (const look of await Promise.all(others))
    assert.deepEqual(look, { events: 0, aborted: false, signal: false });
  assert.equal(await threadOf(pool), before);
  assert.equal(pool.stats().tasks.lost, 0);
});

test('a termination after the grace costs no task that had not started', watched, async (t) => {
  const pool = onePool(t, { abortGrace: 50, prefetchWindowUs: 1_000_000 });
  const words = sharedWords(16);
  // Measured, so that tasks are posted ahead.
  for (let n = 0; n < 5; n++) await pool.run({ words, at: 15 }, { name: 'count' });
  const { run, controller } = await started(pool, 'spin');
  const others = Array.from({ length: 10 }, (_, at) => pool.run({ words, at }, { name: 'count' }));
  controller.abort();
  await assert.rejects(run, aborted);
  await Promise.all(others);
  assert.deepEqual([...words.subarray(0, 10)], new Array(10).fill(1));
});

test(
  "a handler that ended within the grace is not terminated because its caller's thread was busy",
  watched,
  async (t) => {
    const pool = onePool(t, { abortGrace: 300 });
    const before = await threadOf(pool);
    for (const name of ['obey', 'obeyInLoop']) {
      const { run, words, controller } = await started(pool, name);
      controller.abort();
      const until = performance.now() + 500;
      while (performance.now() < until);
      assert.equal(Atomics.load(words, 3), 1, 'it ended meanwhile');
      await assert.rejects(run, aborted);
      assert.equal(await threadOf(pool), before);
    }
  },
);

test("the signal may be handed to Node's own APIs", watched, async (t) => {
  const pool = onePool(t);
  const before = await threadOf(pool);
  const { run, words, controller } = await started(pool, 'wait');
  controller.abort();
  await assert.rejects(run, aborted);
  await until('it ended', () => Atomics.load(words, 3) === 1);
  const { name, code, cause } = await pool.run(0, { name: 'lastReason' });
  assert.deepEqual([name, code, cause], ['AbortError', 'ABORT_ERR', true]);
  assert.equal(await threadOf(pool), before);
});

test('the signal may be handed to fetch: the request is given up', watched, async (t) => {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const pool = onePool(t);
  const before = await threadOf(pool);
  const requested = once(server, 'request');
  const url = `http://127.0.0.1:${server.address().port}/`;
  const { run, words, controller } = await started(pool, 'fetch', { task: { url } });
  const [request] = await requested;
  const gone = once(request.socket, 'close');
  controller.abort();
  await assert.rejects(run, aborted);
  await Promise.all([gone, until('it ended', () => Atomics.load(words, 3) === 1)]);
  const { name, same } = await pool.run(0, { name: 'lastReason' });
  assert.deepEqual([name, same], ['AbortError', true]);
  assert.equal(await threadOf(pool), before);
});

test('an abort that comes twice, or with the timeout, is asked once', watched, async (t) => {
  const pool = onePool(t);
  const first = await started(pool, 'linger');
  first.controller.abort('once');
  first.controller.abort('twice');
  await assert.rejects(first.run, (error) => error.cause === 'once');
  await until('it is asked', () => Atomics.load(first.words, 2) > 0);
  first.release();
  await until('it ended', () => Atomics.load(first.words, 3) === 1);
  const second = await started(pool, 'linger', { timeout: 300 });
  second.controller.abort('before the timeout');
  await assert.rejects(second.run, { ...aborted, cause: 'before the timeout' });
  // On the same worker, behind it, with the same limit: after it the other's is over too.
  await assert.rejects(pool.run(0, { queueTimeout: 600 }), { code: 'ERR_CENOTE_QUEUE_TIMEOUT' });
  second.release();
  await until('it has left', () => pool.stats().tasks.inFlight === 0);
  assert.deepEqual([first.words[2], second.words[2]], [1, 1]);
  const { tasks } = pool.stats();
  assert.deepEqual([tasks.aborted, tasks.queueTimedOut], [2, 1]);
});

test(
  'a task that is aborted while it is queued is asked nothing: it never runs',
  watched,
  async (t) => {
    const pool = onePool(t);
    const busy = blocker(pool);
    await busy.started;
    const words = sharedWords();
    const controller = new AbortController();
    const run = pool.run({ words }, { name: 'obey', signal: controller.signal });
    controller.abort();
    await assert.rejects(run, aborted);
    assert.equal(pool.queueSize, 0);
    const [worker] = pool.threads;
    busy.release();
    await busy.done;
    assert.equal(await pool.run('next'), 'next');
    assert.equal(words[0], 0);
    assert.deepEqual(pool.threads, [worker]);
  },
);

test(
  'background work of a task that was asked goes on, and close() waits for it',
  watched,
  async (t) => {
    const pool = onePool(t);
    const { run, words, controller, release } = await started(pool, 'leaveWork');
    controller.abort();
    await assert.rejects(run, aborted);
    assert.equal(await pool.run('next'), 'next');
    let over = false;
    const closing = pool.close().then(() => (over = true));
    assert.equal(words[3], 0);
    assert.equal(over, false);
    release();
    await closing;
    assert.equal(words[3], 1);
  },
);

test(
  'a worker that crashes within the grace is replaced, and the task is settled once',
  watched,
  async (t) => {
    const pool = onePool(t);
    const { run, controller } = await started(pool, 'linger');
    const [worker] = pool.threads;
    controller.abort();
    await assert.rejects(run, aborted);
    const exited = once(worker, 'exit');
    await worker.terminate();
    await exited;
    assert.equal(await pool.run('next'), 'next');
    const { tasks } = pool.stats();
    assert.deepEqual([tasks.aborted, tasks.lost, tasks.inFlight], [1, 0, 0]);
  },
);
