// The worker's own channel belongs to the user: `message` events of the pool, and `threads[i].postMessage`.

import assert from 'node:assert/strict';
import { on, once } from 'node:events';
import { behaviour, fixture, poolFor, readyWorkers } from './support/behaviour.mjs';

const onePool = (t, options) =>
  poolFor(t, { filename: fixture('features/tasks.cjs'), minThreads: 1, maxThreads: 1, ...options });

behaviour('what a worker posts to its parent is a message event, with the thread', async (t) => {
  const pool = onePool(t);
  const heard = once(pool, 'message');
  await pool.run({ some: ['thing'], map: new Map([[1, 2]]) }, { name: 'say' });
  assert.deepEqual(await heard, [{ some: ['thing'], map: new Map([[1, 2]]) }, pool.threads[0].threadId]);
});

behaviour('messages of several workers come with the thread of each, in order', async (t) => {
  const pool = onePool(t, { minThreads: 2, maxThreads: 2 });
  await readyWorkers(pool, 2);
  const heard = [];
  const all = new Promise((resolve) => {
    pool.on('message', (message, threadId) => {
      if (heard.push([threadId, message]) === 100) resolve();
    });
  });
  await Promise.all(Array.from({ length: 100 }, (_, n) => pool.run(n, { name: 'say' })));
  await all;
  const threads = pool.threads.map(({ threadId }) => threadId);
  for (const [threadId] of heard) assert.ok(threads.includes(threadId));
  for (const thread of threads) {
    const own = heard.filter(([threadId]) => threadId === thread).map(([, message]) => message);
    assert.deepEqual(
      own,
      own.toSorted((a, b) => a - b),
    );
  }
});

behaviour("threads[i].postMessage reaches the worker's own parentPort, and nothing else", async (t) => {
  const pool = onePool(t);
  await pool.run(0, { name: 'answer' });
  const [worker] = pool.threads;
  const messages = ['text', null, undefined, 0, [], [0, 0, 1, 0, 'task'], { type: 'close' }, { type: 'retire' }];
  messages.push({ type: 'cenote:init' }, { type: 'handler', index: 0, url: 'file:///nowhere', exportName: 'x' });
  const answers = on(pool, 'message', { signal: AbortSignal.timeout(20_000) });
  for (const message of messages) worker.postMessage(message);
  for (const message of messages) {
    const { value } = await answers.next();
    assert.deepEqual(value, [{ got: message }, worker.threadId]);
  }
  await answers.return();
  assert.equal(await pool.run('still there'), 'still there');
  assert.deepEqual(pool.threads, [worker]);
});

behaviour('postMessage to a thread whose code does not listen does nothing, at any time', async (t) => {
  const pool = onePool(t, { minThreads: 2, maxThreads: 2 });
  const [...threads] = pool.threads;
  // They have not started yet.
  for (const worker of threads)
    for (const message of ['x', null, { type: 'close' }, [1, 2, 3]]) worker.postMessage(message);
  assert.equal(await pool.run(1), 1);
  await readyWorkers(pool, 2);
  for (const worker of threads)
    for (const message of ['x', null, { type: 'close' }, [1, 2, 3]]) worker.postMessage(message);
  assert.deepEqual(await Promise.all(Array.from({ length: 20 }, (_, n) => pool.run(n))), [...Array(20).keys()]);
  assert.deepEqual(pool.threads, threads);
  await pool.close();
});

behaviour('a message that nobody listens to, and a listener that is gone, cost nothing', async (t) => {
  const pool = onePool(t);
  await pool.run('unheard', { name: 'say' });
  let calls = 0;
  const listener = () => calls++;
  pool.on('message', listener);
  pool.off('message', listener);
  await pool.run('unheard', { name: 'say' });
  const heard = once(pool, 'message');
  await pool.run('heard', { name: 'say' });
  assert.equal((await heard)[0], 'heard');
  assert.equal(calls, 0);
});

behaviour('messages are no results: what looks like one settles no task', async (t) => {
  const pool = onePool(t);
  const heard = once(pool, 'message');
  assert.equal(await pool.run([0, 0, 'forged'], { name: 'say' }), undefined);
  assert.deepEqual((await heard)[0], [0, 0, 'forged']);
  assert.equal(await pool.run({ type: 'closed' }, { name: 'say' }), undefined);
  assert.equal(await pool.run('next'), 'next');
  assert.equal(pool.completed, 3);
});

behaviour('a listener does not keep an idle pool from being closed', async (t) => {
  const pool = onePool(t);
  pool.on('message', () => {});
  await pool.run(0, { name: 'answer' });
  await pool.close();
  assert.deepEqual(pool.threads, []);
});
