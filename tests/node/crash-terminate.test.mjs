// P2, threads that are ended from outside: by `worker.terminate()` at any moment, and by an abort.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { fixture, sharedWords, until, watched } from './support/behaviour.mjs';
import { randomOf, seedOf } from './fixtures/chaos/random.mjs';

function poolOf(t, options = {}) {
  const pool = new Pool({
    filename: fixture('chaos/tasks.cjs'),
    minThreads: 1,
    maxThreads: 2,
    ...options,
  });
  t.after(() => pool.destroy());
  return pool;
}

const outcomeOf = (promise) => promise.catch((error) => error.code ?? error.message);
/**
 * Blocks this thread while others go on, but not for ever: on a busy machine it may not come about.
 */
function blockUntil(condition) {
  const deadline = performance.now() + 200;
  while (!condition() && performance.now() < deadline);
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('a thread ended while idle is replaced, and an event says so', watched, async (t) => {
  const pool = poolOf(t, { maxThreads: 1 });
  for (let round = 0; round < 10; round++) {
    assert.equal(await pool.run(round, { name: 'echo' }), round);
    const event = new Promise((resolve) => pool.once('workerLost', (...values) => resolve(values)));
    const [thread] = pool.threads;
    const { threadId } = thread;
    const ended = thread.terminate();
    assert.equal(await pool.run('during', { name: 'echo' }), 'during');
    await ended;
    assert.deepEqual(await event, [undefined, 1, threadId]);
  }
});

test(
  'a task whose value was being read when its thread ended runs on another',
  watched,
  async (t) => {
    const pool = poolOf(t, { maxThreads: 1 });
    await pool.run(0, { name: 'echo' });
    // It takes long to read beside the time that the owner takes to end the thread.
    const records = Array.from({ length: 200_000 }, (_, id) => ({ id, text: `number ${id}` }));
    for (let round = 0; round < 3; round++) {
      const [thread] = pool.threads;
      const task = pool.run(records, { name: 'echo' });
      await new Promise((resolve) => setImmediate(resolve));
      await thread.terminate();
      assert.equal((await task).length, records.length);
    }
  },
);

test('an abort ends the thread of a running task, and loses no other', watched, async (t) => {
  const pool = poolOf(t, { maxThreads: 1 });
  const ledger = sharedWords(40);
  for (let i = 0; i < 20; i++) await pool.run({ ledger, id: 0 }, { name: 'actNow' });
  ledger[0] = 0;
  const controller = new AbortController();
  const words = sharedWords();
  const tasks = [];
  tasks.push(outcomeOf(pool.run({ words }, { name: 'block', signal: controller.signal })));
  for (let id = 0; id < ledger.length; id++)
    tasks.push(outcomeOf(pool.run({ ledger, id }, { name: 'actNow' })));
  await until('the task runs', () => Atomics.load(words, 0) === 1);
  controller.abort();
  assert.deepEqual(await Promise.all(tasks), ['ABORT_ERR', ...ledger.keys()]);
  assert.deepEqual([...ledger], new Array(40).fill(1));
});

test(
  'the abort of a task that has ended already leaves the one after it alone',
  watched,
  async (t) => {
    const pool = poolOf(t, { maxThreads: 1 });
    const ledger = sharedWords(2);
    for (let i = 0; i < 20; i++) await pool.run({ ledger, id: 0 }, { name: 'actNow' });
    for (let round = 0; round < 5; round++) {
      ledger.fill(0);
      const controller = new AbortController();
      const first = outcomeOf(
        pool.run({ ledger, id: 0 }, { name: 'actNow', signal: controller.signal }),
      );
      const second = outcomeOf(pool.run({ ledger, id: 1, ms: 30 }, { name: 'actNow' }));
      // Posted together. The owner is blocked, so it does not learn that the first is done.
      await Promise.resolve();
      blockUntil(() => Atomics.load(ledger, 1) === 1);
      controller.abort();
      const outcomes = await Promise.all([first, second]);
      assert.ok(['ABORT_ERR', 0].includes(outcomes[0]), `${outcomes[0]}`);
      assert.equal(outcomes[1], 1);
      assert.deepEqual([...ledger], [1, 1]);
      // The long one says that these tasks are not short any more; many short ones take that back.
      for (let i = 0; i < 100; i++) await pool.run({ ledger, id: 0 }, { name: 'actNow' });
    }
  },
);

test(
  'aborts at random moments: every task settles once, and those never begun never run',
  watched,
  async (t) => {
    const seed = seedOf(t);
    const random = randomOf(seed);
    const pool = poolOf(t);
    const ledger = sharedWords(600);
    const tasks = [];
    const aborted = new Set();
    for (let id = 0; id < ledger.length; id++) {
      const controller = new AbortController();
      const options =
        random(2) === 0 ? { name: 'actNow', signal: controller.signal } : { name: 'actNow' };
      tasks.push(outcomeOf(pool.run({ ledger, id, ms: random(4) === 0 ? 0.3 : 0 }, options)));
      if (options.signal !== undefined && random(6) === 0) {
        aborted.add(id);
        const abort = () => controller.abort();
        if (random(2) === 0) abort();
        else setTimeout(abort, random(10));
      }
      if (id % 20 === 0) await sleep(random(8));
    }
    const outcomes = await Promise.all(tasks);
    await pool.close();
    outcomes.forEach((outcome, id) => {
      assert.ok(
        outcome === id || (aborted.has(id) && outcome === 'ABORT_ERR'),
        `task ${id}: ${outcome}`,
      );
      if (outcome === id) assert.equal(ledger[id], 1, `task ${id}`);
      else assert.ok(ledger[id] <= 1, `task ${id} ran twice`);
    });
  },
);

test(
  'a task with a transfer list is not given to a thread that an abort is ending',
  watched,
  async (t) => {
    const pool = poolOf(t, { maxThreads: 1 });
    const ledger = sharedWords(1);
    for (let round = 0; round < 20; round++) {
      ledger[0] = 0;
      const controller = new AbortController();
      const first = outcomeOf(
        pool.run({ ledger, id: 0 }, { name: 'actNow', signal: controller.signal }),
      );
      await Promise.resolve();
      blockUntil(() => Atomics.load(ledger, 0) === 1);
      controller.abort();
      const buffer = new ArrayBuffer(64);
      assert.equal(
        await pool.run({ ledger, id: 0, buffer }, { name: 'move', transferList: [buffer] }),
        64,
      );
      assert.ok(['ABORT_ERR', 0].includes(await first));
    }
  },
);
