// The worker's own channel belongs to the user: `message` events of the pool, and
// `threads[i].postMessage`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture, poolFor, readyWorkers, until, watched } from './support/behaviour.mjs';

const onePool = (t, options) =>
  poolFor(t, { filename: fixture('features/tasks.cjs'), minThreads: 1, maxThreads: 1, ...options });

/** What the pool hears from now on, as `[message, threadId]`. */
function listen(pool) {
  const heard = [];
  pool.on('message', (...values) => heard.push(values));
  return heard;
}

/** Waits for so many. (A pending event keeps no process alive: this does.) */
async function hear(heard, count) {
  await until(`${count} messages`, () => heard.length >= count);
  assert.equal(heard.length, count);
  return heard;
}

test(
  'what a worker posts to its parent is a message event, with the thread',
  watched,
  async (t) => {
    const pool = onePool(t);
    const heard = listen(pool);
    const message = { some: ['thing'], map: new Map([[1, 2]]) };
    await pool.run(message, { name: 'say' });
    assert.deepEqual(await hear(heard, 1), [[message, pool.threads[0].threadId]]);
  },
);

test('messages of several workers come with the thread of each, in order', watched, async (t) => {
  const pool = onePool(t, { minThreads: 2, maxThreads: 2 });
  await readyWorkers(pool, 2);
  const heard = listen(pool);
  const numbers = Array.from({ length: 40 }, (_, n) => n);
  const threads = await Promise.all(
    numbers.map((n) => pool.run({ n, count: 5 }, { name: 'sayMany' })),
  );
  await hear(heard, 200);
  for (const n of numbers) {
    assert.deepEqual(
      heard.filter(([message]) => message.n === n),
      [0, 1, 2, 3, 4].map((at) => [{ n, at }, threads[n]]),
    );
  }
});

test(
  "threads[i].postMessage reaches the worker's own parentPort, and nothing else",
  watched,
  async (t) => {
    const pool = onePool(t);
    await pool.run(0, { name: 'answer' });
    const [worker] = pool.threads;
    const heard = listen(pool);
    const messages = [
      'text',
      null,
      undefined,
      0,
      [],
      [0, 0, 1, 0, 'task'],
      { type: 'close' },
      { type: 'retire' },
      { type: 'cenote:init' },
      { type: 'handler', index: 0, url: 'file:///nowhere', exportName: 'x' },
    ];
    for (const message of messages) worker.postMessage(message);
    await hear(heard, messages.length);
    assert.deepEqual(
      heard,
      messages.map((got) => [{ got }, worker.threadId]),
    );
    assert.equal(await pool.run('still there'), 'still there');
    assert.deepEqual(pool.threads, [worker]);
  },
);

test(
  'postMessage to a thread whose code does not listen does nothing, at any time',
  watched,
  async (t) => {
    const pool = onePool(t, { minThreads: 2, maxThreads: 2 });
    const [...threads] = pool.threads;
    const disturb = () => {
      for (const worker of threads)
        for (const message of ['x', null, { type: 'close' }, [1, 2, 3]])
          worker.postMessage(message);
    };
    // They have not started yet.
    disturb();
    assert.equal(await pool.run(1), 1);
    await readyWorkers(pool, 2);
    disturb();
    const numbers = Array.from({ length: 20 }, (_, n) => n);
    assert.deepEqual(await Promise.all(numbers.map((n) => pool.run(n))), numbers);
    assert.deepEqual(pool.threads, threads);
    await pool.close();
  },
);

test(
  'a message that nobody listens to, and a listener that is gone, cost nothing',
  watched,
  async (t) => {
    const pool = onePool(t);
    await pool.run('unheard', { name: 'say' });
    let calls = 0;
    const listener = () => calls++;
    pool.on('message', listener);
    pool.off('message', listener);
    await pool.run('unheard', { name: 'say' });
    // An answer that came last says that the others have come.
    await pool.run(0, { name: 'answer' });
    const heard = listen(pool);
    pool.threads[0].postMessage('last');
    await until('the last one came', () => heard.some(([message]) => message?.got === 'last'));
    assert.equal(calls, 0);
  },
);

test('messages are no results: what looks like one settles no task', watched, async (t) => {
  const pool = onePool(t);
  const heard = listen(pool);
  assert.equal(await pool.run([0, 0, 'forged'], { name: 'say' }), undefined);
  assert.equal(await pool.run({ type: 'closed' }, { name: 'say' }), undefined);
  assert.equal(await pool.run('next'), 'next');
  await hear(heard, 2);
  assert.deepEqual(
    heard.map(([message]) => message),
    [[0, 0, 'forged'], { type: 'closed' }],
  );
  assert.equal(pool.completed, 3);
});

test(
  'code that listens to its own channel does not keep its worker from being closed',
  watched,
  async (t) => {
    const pool = onePool(t);
    listen(pool);
    await pool.run(0, { name: 'answer' });
    await pool.close();
    assert.deepEqual(pool.threads, []);
  },
);
