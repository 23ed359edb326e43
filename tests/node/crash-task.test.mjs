// P2, a worker that ends while it has tasks: those it had begun settle as lost, the others go to
// another worker.
//
// The oracle is the ledger that the tasks themselves write to: nothing runs twice, and what was not
// begun is not lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { fixture, overProcesses, sharedWords, until, watched } from './support/behaviour.mjs';

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

/** What a settled task came to: its value, or the code or message of its error. */
const outcomeOf = ({ status, value, reason }) =>
  status === 'fulfilled' ? value : (reason.code ?? reason.message);

/** The same of a promise that settles before it is looked at. */
const outcomeSoon = (promise) =>
  Promise.allSettled([promise]).then(([settled]) => outcomeOf(settled));

/** Every count of tasks by outcome adds up, and nothing is left. */
function assertSettled(pool) {
  const { accepted, completed, failed, aborted, lost, cancelled, queued, inFlight } =
    pool.stats().tasks;
  assert.equal(completed + failed + aborted + lost + cancelled, accepted);
  assert.deepEqual({ queued, inFlight }, { queued: 0, inFlight: 0 });
}

for (const minThreads of [0, 1]) {
  for (const crash of ['exit0', 'exit3']) {
    for (const name of ['act', 'actNow']) {
      test(
        `only the tasks that exit are lost: "${name}", ${crash}, minThreads ${minThreads}`,
        watched,
        async (t) => {
          const pool = poolOf(t, { minThreads });
          const losses = [];
          pool.on('workerLost', (error, exitCode) => losses.push(exitCode));
          const ledger = sharedWords(100);
          // Measured to be short, so that many are posted together.
          for (let id = 0; id < 20; id++) await pool.run({ ledger, id }, { name });
          const ids = Array.from({ length: 80 }, (_, i) => 20 + i);
          const crashes = (id) => id % 16 === 5;
          const tasks = ids.map((id) =>
            pool.run({ ledger, id, crash: crashes(id) ? crash : undefined }, { name }),
          );
          const outcomes = (await Promise.allSettled(tasks)).map(outcomeOf);
          assert.deepEqual(
            outcomes,
            ids.map((id) => (crashes(id) ? 'ERR_CENOTE_WORKER_LOST' : id)),
          );
          assert.deepEqual([...ledger], new Array(100).fill(1), 'each ran once');
          assert.deepEqual(losses, new Array(5).fill(crash === 'exit0' ? 0 : 3));
          assertSettled(pool);
        },
      );
    }
  }
}

test('tasks behind many that exit one after the other all run', watched, async (t) => {
  // More in a row than starts are tried: a worker that began a task did start.
  const pool = poolOf(t, { maxThreads: 1 });
  const ledger = sharedWords(30);
  for (let id = 0; id < 10; id++) await pool.run({ ledger, id }, { name: 'actNow' });
  const tasks = Array.from({ length: 20 }, (_, i) =>
    pool.run({ ledger, id: 10 + i, crash: i < 12 ? 'exit3' : undefined }, { name: 'actNow' }),
  );
  const outcomes = (await Promise.allSettled(tasks)).map(outcomeOf);
  assert.deepEqual(outcomes, [
    ...new Array(12).fill('ERR_CENOTE_WORKER_LOST'),
    ...Array.from({ length: 8 }, (_, i) => 22 + i),
  ]);
  assert.deepEqual([...ledger], new Array(30).fill(1));
});

for (const concurrentTasksPerWorker of [1, 4]) {
  test(
    `only begun tasks are lost with ${concurrentTasksPerWorker} at once on a worker`,
    watched,
    async (t) => {
      const pool = poolOf(t, { concurrentTasksPerWorker });
      const ledger = sharedWords(120);
      const tasks = Array.from(ledger, (_, id) => {
        const task = { ledger, id, waitMs: id % 3, crash: id % 10 === 4 ? 'exit3' : undefined };
        return pool.run(task, { name: 'act' });
      });
      const outcomes = (await Promise.allSettled(tasks)).map(outcomeOf);
      assert.deepEqual(
        [...ledger],
        new Array(120).fill(1),
        'each ran once, so none was lost before it began',
      );
      outcomes.forEach((outcome, id) => {
        if (id % 10 === 4) assert.equal(outcome, 'ERR_CENOTE_WORKER_LOST');
        else if (concurrentTasksPerWorker === 1) assert.equal(outcome, id);
        else assert.ok(outcome === id || outcome === 'ERR_CENOTE_WORKER_LOST', `${outcome}`);
      });
      assertSettled(pool);
    },
  );
}

test(
  'results that were finished before the crash in the same batch are delivered',
  watched,
  async (t) => {
    const pool = poolOf(t, { maxThreads: 1 });
    const ledger = sharedWords(64);
    for (let i = 0; i < 20; i++) await pool.run({ ledger, id: 0 }, { name: 'actNow' });
    for (let round = 0; round < 5; round++) {
      ledger.fill(0);
      // The owner is blocked until the worker has died, so nothing is dealt out anew in between.
      const tasks = Array.from(ledger, (_, id) => {
        return pool.run({ ledger, id, crash: id === 40 ? 'exit3' : undefined }, { name: 'actNow' });
      });
      await Promise.resolve();
      Atomics.wait(sharedWords(), 0, 0, 50);
      const outcomes = (await Promise.allSettled(tasks)).map(outcomeOf);
      assert.deepEqual(
        outcomes,
        Array.from(ledger, (_, id) => (id === 40 ? 'ERR_CENOTE_WORKER_LOST' : id)),
      );
      assert.deepEqual([...ledger], new Array(64).fill(1));
    }
  },
);

for (const [crash, cause] of [
  ['uncaught', /thrown in an immediate/],
  ['unhandled', /nobody handles this/],
]) {
  test(`a crash while a task runs names its cause: ${crash}`, watched, async (t) => {
    const pool = poolOf(t);
    const ledger = sharedWords(1);
    await assert.rejects(pool.run({ ledger, id: 0, crash }, { name: 'act' }), (error) => {
      assert.equal(error.code, 'ERR_CENOTE_WORKER_LOST');
      assert.match(error.message, cause);
      assert.match(error.cause.message, cause);
      return true;
    });
    assert.equal(await pool.run('next', { name: 'echo' }), 'next');
  });

  test(
    `a crash while the worker is idle is an event, and the next task runs: ${crash}`,
    watched,
    async (t) => {
      const pool = poolOf(t, { maxThreads: 1 });
      for (let round = 0; round < 5; round++) {
        const events = [];
        pool.once('workerLost', (...event) => events.push(event));
        // Before the task: on a busy machine its thread may be gone when its result is seen.
        const [{ threadId }] = pool.threads;
        await pool.run({ crash, ms: 5 }, { name: 'crashLater' });
        await until('the event', () => events.length === 1);
        const [error, exitCode, lostThread] = events[0];
        assert.match(error.message, cause);
        assert.equal(exitCode, 1);
        assert.equal(lostThread, threadId);
        assert.equal(await pool.run('next', { name: 'echo' }), 'next');
      }
      assertSettled(pool);
    },
  );
}

test('a crash from a timer while other tasks run and wait', watched, async (t) => {
  const pool = poolOf(t, { maxThreads: 1 });
  const ledger = sharedWords(200);
  await pool.run({ crash: 'uncaught', ms: 20 }, { name: 'crashLater' });
  const tasks = Array.from(ledger, (_, id) =>
    pool.run({ ledger, id, ms: 0.5 }, { name: 'actNow' }),
  );
  const outcomes = (await Promise.allSettled(tasks)).map(outcomeOf);
  assert.deepEqual([...ledger], new Array(200).fill(1));
  const lost = outcomes.filter((outcome) => outcome === 'ERR_CENOTE_WORKER_LOST').length;
  assert.ok(lost <= 1, `${lost} lost, and only one ran when the timer fired`);
  outcomes.forEach((outcome, id) =>
    assert.ok(outcome === id || outcome === 'ERR_CENOTE_WORKER_LOST', `${outcome}`),
  );
});

test('a worker that runs out of memory loses its task only', watched, async (t) => {
  const pool = poolOf(t, {
    maxThreads: 1,
    resourceLimits: { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 },
  });
  const ledger = sharedWords(8);
  const tasks = Array.from(ledger, (_, id) => {
    return pool.run({ ledger, id, crash: id === 2 ? 'memory' : undefined }, { name: 'actNow' });
  });
  const outcomes = await Promise.allSettled(tasks);
  assert.deepEqual(
    outcomes.map(outcomeOf),
    Array.from(ledger, (_, id) => (id === 2 ? 'ERR_CENOTE_WORKER_LOST' : id)),
  );
  // A process is killed by it, and says so on its stderr.
  const { code, signal } = outcomes[2].reason.cause;
  assert.ok(overProcesses ? signal !== undefined : code === 'ERR_WORKER_OUT_OF_MEMORY');
  assert.deepEqual([...ledger], new Array(8).fill(1));
});

test('tasks that are submitted while a worker crashes run', watched, async (t) => {
  const pool = poolOf(t, { maxThreads: 1 });
  const ledger = sharedWords(400);
  let id = 0;
  const tasks = [];
  while (id < ledger.length) {
    const crash = id % 100 === 0 ? 'exit3' : undefined;
    tasks.push(outcomeSoon(pool.run({ ledger, id: id++, crash }, { name: 'actNow' })));
    if (id % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.deepEqual(
    await Promise.all(tasks),
    Array.from(ledger, (_, i) => (i % 100 === 0 ? 'ERR_CENOTE_WORKER_LOST' : i)),
  );
  assert.deepEqual([...ledger], new Array(400).fill(1));
});

for (const queued of [0, 10]) {
  test(`close() while a worker crashes, with ${queued} tasks behind it`, watched, async (t) => {
    const pool = poolOf(t, { maxThreads: 1 });
    const ledger = sharedWords(queued + 1);
    await pool.run(0, { name: 'echo' });
    const tasks = Array.from(ledger, (_, id) =>
      pool.run({ ledger, id, crash: id === 0 ? 'exit3' : undefined }, { name: 'act' }),
    );
    const closed = pool.close();
    const outcomes = (await Promise.allSettled(tasks)).map(outcomeOf);
    await closed;
    assert.deepEqual(
      outcomes,
      Array.from(ledger, (_, id) => (id === 0 ? 'ERR_CENOTE_WORKER_LOST' : id)),
    );
    assert.equal(pool.threads.length, 0);
    assertSettled(pool);
  });
}

test(
  'destroy() in the middle rejects what has not settled, and nothing runs afterwards',
  watched,
  async (t) => {
    const pool = poolOf(t);
    const ledger = sharedWords(200);
    await pool.run(0, { name: 'echo' });
    const tasks = Array.from(ledger, (_, id) =>
      outcomeSoon(pool.run({ ledger, id, ms: 0.5 }, { name: 'actNow' })),
    );
    await tasks[20];
    await pool.destroy();
    const ran = [...ledger];
    const outcomes = await Promise.all(tasks);
    outcomes.forEach((outcome, id) => {
      assert.ok(
        outcome === id ? ran[id] === 1 : outcome === 'ERR_CENOTE_POOL_DESTROYED' && ran[id] <= 1,
        `${outcome}`,
      );
    });
    assert.ok(outcomes.includes('ERR_CENOTE_POOL_DESTROYED'));
    assert.deepEqual([...ledger], ran);
    assertSettled(pool);
  },
);
