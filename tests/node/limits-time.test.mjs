// The time limits of a task, `queueTimeout` for its wait and `timeout` for its run: what they may
// be, how they go together, and what a timeout costs whom.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CenoteError, Pool } from 'cenote';
import {
  blocker,
  fixture,
  poolFor,
  readyWorkers,
  runProgram,
  sharedWords,
  until,
  watched,
} from './support/behaviour.mjs';

const filename = fixture('features/tasks.cjs');
const queueTimedOut = { name: 'CenoteError', code: 'ERR_CENOTE_QUEUE_TIMEOUT' };
const timedOut = { name: 'CenoteError', code: 'ERR_CENOTE_TIMEOUT' };
const onePool = (t, options) => poolFor(t, { filename, minThreads: 1, maxThreads: 1, ...options });

/** Waits until so many milliseconds have passed, whatever the loop does in between. */
function elapsed(ms) {
  const from = performance.now();
  return until(`${ms} ms have passed`, () => performance.now() - from >= ms);
}

for (const option of ['queueTimeout', 'timeout']) {
  test(
    `${option}: what is no number is refused, by the constructor and by run()`,
    watched,
    async (t) => {
      const pool = onePool(t);
      const wrong = {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_TYPE',
        message: new RegExp(`\\b${option}\\b`),
      };
      for (const value of ['1', null, true, {}, [1], 1n, () => 1, Symbol('1')]) {
        assert.throws(() => new Pool({ filename, [option]: value }), wrong);
        await assert.rejects(pool.run(0, { [option]: value }), wrong);
      }
      assert.equal(pool.stats().tasks.accepted, 0);
    },
  );

  test(
    `${option}: numbers out of range are refused, by the constructor and by run()`,
    watched,
    async (t) => {
      const pool = onePool(t);
      const wrong = {
        name: 'RangeError',
        code: 'ERR_OUT_OF_RANGE',
        message: new RegExp(`\\b${option}\\b`),
      };
      for (const value of [0, -0, -1, 0.5, 1.5, NaN, -Infinity, 2 ** 31, Number.MAX_VALUE]) {
        assert.throws(() => new Pool({ filename, [option]: value }), wrong);
        await assert.rejects(pool.run(0, { [option]: value }), wrong);
      }
      assert.equal(pool.stats().tasks.accepted, 0);
    },
  );

  test(
    `${option}: 1, the longest timer, Infinity and undefined are accepted; the default is Infinity`,
    watched,
    async (t) => {
      assert.equal(onePool(t).options[option], Infinity);
      for (const value of [1, 2 ** 31 - 1, Infinity]) {
        assert.equal(onePool(t, { minThreads: 0, [option]: value }).options[option], value);
      }
      const pool = onePool(t);
      for (const value of [2 ** 31 - 1, Infinity, undefined])
        assert.equal(await pool.run(1, { [option]: value }), 1);
    },
  );
}

test('timeout counts from the start of the handler, not from run()', watched, async (t) => {
  const pool = onePool(t);
  const busy = blocker(pool);
  await busy.started;
  const [worker] = pool.threads;
  const run = pool.run({ ms: 10, value: 'in time' }, { name: 'pause', timeout: 1_000 });
  await elapsed(1_300);
  busy.release();
  assert.equal(await run, 'in time');
  assert.deepEqual(pool.threads, [worker]);
  assert.equal(pool.stats().tasks.timedOut, 0);
});

test('timeout does not count what loading the file takes', watched, async (t) => {
  const words = sharedWords(2);
  words[1] = 1;
  const pool = poolFor(t, {
    filename: fixture('features/blocks-loading.cjs'),
    workerData: { words },
    maxThreads: 1,
  });
  const run = pool.run('in time', { timeout: 500 });
  await until('it loads', () => Atomics.load(words, 0) === 1);
  await elapsed(800);
  Atomics.store(words, 1, 0);
  Atomics.notify(words, 1);
  assert.equal(await run, 'in time');
});

test(
  'a task that computes for longer than its timeout is interrupted; its worker is replaced',
  watched,
  async (t) => {
    const pool = onePool(t);
    let lost = 0;
    pool.on('workerLost', () => lost++);
    const before = await pool.run(0, { name: 'threadId' });
    const words = sharedWords();
    await assert.rejects(pool.run({ words }, { name: 'spinForever', timeout: 100 }), (error) => {
      assert.ok(error instanceof CenoteError);
      assert.equal(error.code, 'ERR_CENOTE_TIMEOUT');
      assert.match(error.message, /\b100\b/, 'it names the limit');
      return true;
    });
    assert.equal(words[0], 1, 'it had started');
    assert.notEqual(await pool.run(0, { name: 'threadId' }), before);
    const { tasks } = pool.stats();
    assert.deepEqual(
      [tasks.timedOut, tasks.lost, tasks.failed, tasks.aborted, tasks.completed],
      [1, 0, 0, 0, 2],
    );
    assert.equal(lost, 0, 'that was no accident');
  },
);

test(
  'an asynchronous task that takes longer than its timeout is ended with its worker',
  watched,
  async (t) => {
    const pool = onePool(t);
    const words = sharedWords();
    const before = await pool.run(0, { name: 'threadId' });
    await assert.rejects(pool.run({ words }, { name: 'linger', timeout: 50 }), timedOut);
    assert.notEqual(await pool.run(0, { name: 'threadId' }), before);
    Atomics.store(words, 1, 1);
    await pool.close();
    assert.equal(words[3], 0, 'it never got to its end');
  },
);

test(
  "the pool's timeout holds for every task, and a task's own comes before it",
  watched,
  async (t) => {
    const pool = onePool(t, { timeout: 200 });
    const words = sharedWords();
    const patient = pool.run({ words }, { name: 'hold', timeout: Infinity });
    await until('it runs', () => Atomics.load(words, 0) === 1);
    await elapsed(500);
    Atomics.store(words, 1, 1);
    await patient;
    await assert.rejects(pool.run({ words: sharedWords() }, { name: 'hold' }), timedOut);
    await assert.rejects(
      pool.run({ words: sharedWords() }, { name: 'hold', timeout: undefined }),
      timedOut,
    );
    await assert.rejects(
      pool.run({ words: sharedWords() }, { name: 'hold', timeout: 20 }),
      timedOut,
    );
    assert.equal(pool.stats().tasks.timedOut, 3);
  },
);

test(
  'tasks that a worker had not started when one ran out of time go to another',
  watched,
  async (t) => {
    const pool = onePool(t, { prefetchWindowUs: 1_000_000 });
    const words = sharedWords(16);
    // Measured, so that tasks are posted ahead.
    for (let n = 0; n < 5; n++) await pool.run({ words, at: 15 }, { name: 'count' });
    const loop = assert.rejects(
      pool.run({ words: sharedWords() }, { name: 'spinForever', timeout: 200 }),
      timedOut,
    );
    const others = Array.from({ length: 10 }, (_, at) =>
      pool.run({ words, at }, { name: 'count' }),
    );
    await loop;
    await Promise.all(others);
    assert.deepEqual([...words.subarray(0, 10)], new Array(10).fill(1));
    assert.equal(pool.stats().tasks.lost, 0);
  },
);

test('a timeout on one worker costs the tasks of another nothing', watched, async (t) => {
  const pool = poolFor(t, { filename, minThreads: 2, maxThreads: 2 });
  await readyWorkers(pool, 2);
  const other = blocker(pool);
  await other.started;
  await assert.rejects(
    pool.run({ words: sharedWords() }, { name: 'spinForever', timeout: 50 }),
    timedOut,
  );
  other.release();
  const survivor = await other.done;
  assert.ok(pool.threads.some(({ threadId }) => threadId === survivor));
});

test(
  'with several tasks at once on a worker, those not started when one ran out of time go to another',
  watched,
  async (t) => {
    const pool = onePool(t, { concurrentTasksPerWorker: 4 });
    await readyWorkers(pool, 1);
    const words = sharedWords(16);
    const loop = assert.rejects(
      pool.run({ words: sharedWords() }, { name: 'spinForever', timeout: 200 }),
      timedOut,
    );
    const others = Array.from({ length: 8 }, (_, at) => pool.run({ words, at }, { name: 'count' }));
    await loop;
    await Promise.all(others);
    assert.deepEqual([...words.subarray(0, 8)], new Array(8).fill(1));
  },
);

test(
  'with several tasks at once on a worker, one that ends when it is asked costs no other',
  watched,
  async (t) => {
    const pool = onePool(t, { concurrentTasksPerWorker: 4, abortGrace: Infinity });
    const before = await pool.run(0, { name: 'threadId' });
    const words = sharedWords();
    const late = assert.rejects(
      pool.run({ words: sharedWords() }, { name: 'obey', timeout: 100 }),
      timedOut,
    );
    const others = Array.from({ length: 6 }, () => pool.run({ words }, { name: 'wasAsked' }));
    await late;
    Atomics.store(words, 1, 1);
    for (const asked of await Promise.all(others))
      assert.deepEqual(asked, { events: 0, aborted: false, signal: false });
    assert.equal(await pool.run(0, { name: 'threadId' }), before);
  },
);

test('tasks with a timeout share a worker as others do', watched, async (t) => {
  const pool = onePool(t, { concurrentTasksPerWorker: 4, timeout: 600_000 });
  const words = sharedWords();
  const runs = Array.from({ length: 4 }, () => pool.run({ words }, { name: 'hold' }));
  await until('all run at once', () => Atomics.load(words, 0) === 4);
  Atomics.store(words, 1, 1);
  await Promise.all(runs);
});

test('a task whose time is over has left its place once its worker is gone', watched, async (t) => {
  const pool = onePool(t, { maxQueue: 0 });
  await readyWorkers(pool, 1);
  await assert.rejects(
    pool.run({ words: sharedWords() }, { name: 'spinForever', timeout: 50 }),
    timedOut,
  );
  const refused = ({ code }) => assert.equal(code, 'ERR_CENOTE_QUEUE_FULL');
  const deadline = AbortSignal.timeout(20_000);
  let value;
  while (value !== 'next') {
    assert.equal(deadline.aborted, false, 'there is a place');
    value = await pool.run('next').catch(refused);
  }
});

for (const name of ['echo', 'pause']) {
  test(
    `a task that ended in time does not expire because its caller's thread was busy: ${name}`,
    watched,
    async (t) => {
      const pool = onePool(t);
      await pool.ready();
      const [worker] = pool.threads;
      for (let round = 0; round < 3; round++) {
        const run = pool.run({ ms: 1, value: 'in time' }, { name, timeout: 300 });
        // It is posted in the microtasks, and runs while this thread blocks.
        await null;
        await null;
        const until = performance.now() + 500;
        while (performance.now() < until);
        await run;
      }
      assert.equal(pool.stats().tasks.timedOut, 0);
      assert.deepEqual(pool.threads, [worker]);
    },
  );
}

test(
  'thousands of tasks with limits that are far away all complete, on the same worker',
  watched,
  async (t) => {
    const pool = onePool(t, { queueTimeout: 600_000, timeout: 600_000, maxQueue: 5_000 });
    const [worker] = pool.threads;
    const results = await Promise.all(Array.from({ length: 3_000 }, (_, n) => pool.run(n)));
    assert.deepEqual(
      results,
      Array.from({ length: 3_000 }, (_, n) => n),
    );
    assert.deepEqual(pool.threads, [worker]);
    assert.equal(pool.stats().tasks.timedOut, 0);
  },
);

test(
  'a task with both limits: the one that is over first ends it, by its own code',
  watched,
  async (t) => {
    const pool = onePool(t);
    await readyWorkers(pool, 1);
    const running = pool.run(
      { words: sharedWords() },
      { name: 'hold', queueTimeout: 1_000, timeout: 2_000 },
    );
    const waiting = pool.run(0, { queueTimeout: 20, timeout: 1 });
    await assert.rejects(waiting, queueTimedOut);
    await assert.rejects(running, timedOut);
  },
);

test(
  'an abort before the timeout, and a timeout before the abort: the first settles the task',
  watched,
  async (t) => {
    const pool = onePool(t, { abortGrace: 500 });
    const words = sharedWords();
    const controller = new AbortController();
    const first = pool.run({ words }, { name: 'linger', signal: controller.signal, timeout: 100 });
    await assert.rejects(first, timedOut);
    controller.abort();
    const other = new AbortController();
    const second = pool.run(
      { words: sharedWords() },
      { name: 'linger', signal: other.signal, timeout: 600_000 },
    );
    await until('it waits', () => pool.stats().tasks.accepted === 2);
    other.abort();
    await assert.rejects(second, { name: 'AbortError' });
    await until(
      'both are counted',
      () => pool.stats().tasks.inFlight === 0 && pool.queueSize === 0,
    );
    assert.equal(words[2], 1, 'asked once');
    const { tasks } = pool.stats();
    assert.deepEqual([tasks.timedOut, tasks.aborted], [1, 1]);
  },
);

/** What it takes to be silent under the portable waiter, which warns that it is in use. */
const env = { NODE_NO_WARNINGS: '1' };

test('limits of tasks that ended in time do not keep the process alive', watched, async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { Pool } from 'cenote';
    const pool = new Pool({
      filename: process.env.TASKS, maxThreads: 1, queueTimeout: 600_000, timeout: 600_000,
    });
    globalThis.pool = pool;
    await pool.run(1);
    await Promise.all([pool.run(2), pool.run(3, { timeout: 500_000, queueTimeout: 500_000 })]);
    await pool.run('x', { name: 'throwError' }).catch(() => {});
    console.log('done');
  `,
    { env },
  );
  assert.deepEqual([code, stdout.trim(), stderr], [0, 'done', '']);
});

test('limits end tasks although nothing else keeps the process alive', watched, async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { Pool } from 'cenote';
    const pool = new Pool({ filename: process.env.TASKS, maxThreads: 1 });
    const words = new Int32Array(new SharedArrayBuffer(8));
    const runs = [
      pool.run({ words }, { name: 'spinForever', timeout: 1_000 }),
      pool.run(1, { queueTimeout: 100 }),
    ];
    console.log((await Promise.allSettled(runs)).map(({ reason }) => reason?.code).join());
  `,
    { env },
  );
  assert.deepEqual(
    [code, stdout.trim(), stderr],
    [0, 'ERR_CENOTE_TIMEOUT,ERR_CENOTE_QUEUE_TIMEOUT', ''],
  );
});

test(
  'destroy() settles tasks with limits as the others, and leaves no limit behind',
  watched,
  async (t) => {
    const pool = onePool(t);
    const runs = [
      pool.run({ words: sharedWords() }, { name: 'spinForever', timeout: 600_000 }),
      pool.run(1, { queueTimeout: 600_000 }),
    ];
    const settled = Promise.allSettled(runs);
    await pool.destroy();
    for (const { reason } of await settled) assert.equal(reason?.code, 'ERR_CENOTE_POOL_DESTROYED');
    assert.equal(pool.stats().tasks.timedOut, 0);
  },
);

test('run() refuses options that do not exist, by their name', watched, async (t) => {
  const pool = onePool(t);
  for (const option of ['abortGrace', 'timeOut', 'queuetimeout', 'transferlist', 'maxQueue']) {
    await assert.rejects(pool.run(0, { [option]: 1 }), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
      message: new RegExp(`\\b${option}\\b`),
    });
  }
  await assert.rejects(pool.run(0, { nothing: undefined }), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.equal(pool.stats().tasks.accepted, 0);
});
