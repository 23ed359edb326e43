// P1, busy: what a task left running goes on under every kind of load, and so do the owner's own
// timers.

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { fixture, runProgram, sharedWords, until, watched } from './support/behaviour.mjs';

const kLateMs = 500;
/** For so long the load goes on at most: a starved timer never fires in it. */
const kLoadMs = 5_000;

function poolOf(t, options = {}) {
  const pool = new Pool({
    filename: fixture('chaos/tasks.cjs'),
    minThreads: 1,
    maxThreads: 1,
    ...options,
  });
  t.after(() => pool.destroy());
  return pool;
}

/**
 * Keeps `inFlight` tasks outstanding until `done()` says so; resolves when the last has settled.
 */
async function load(pool, inFlight, start, done) {
  const end = performance.now() + kLoadMs;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (!done() && performance.now() < end) await start();
    }),
  );
}

const loads = {
  'a stream of 3 ms synchronous tasks': [4, (pool) => pool.run({ ms: 3 }, { name: 'busy' })],
  '64 tasks of 100 µs in flight': [64, (pool) => pool.run({ ms: 0.1 }, { name: 'busy' })],
  '64 empty tasks in flight': [64, (pool) => pool.run(1, { name: 'echo' })],
  'asynchronous tasks that resolve at once': [64, (pool) => pool.run(1, { name: 'soon' })],
};

for (const concurrentTasksPerWorker of [1, 4]) {
  for (const [what, [inFlight, start]] of Object.entries(loads)) {
    test(
      `a timer left behind fires under ${what}, ${concurrentTasksPerWorker} at once on a worker`,
      watched,
      async (t) => {
        const pool = poolOf(t, { concurrentTasksPerWorker });
        const words = sharedWords();
        // The load runs already, and is measured, when the timer is left behind.
        for (let i = 0; i < 3; i++) await start(pool);
        const fired = () => Atomics.load(words, 0) === 1;
        const running = load(pool, inFlight, () => start(pool), fired);
        await pool.run({ words, ms: 20 }, { name: 'leaveTimer' });
        await running;
        assert.ok(fired(), `did not fire in ${kLoadMs} ms`);
        assert.ok(words[1] < kLateMs, `fired after ${words[1]} ms`);
      },
    );
  }
}

test(
  'a loopback HTTP call left behind completes under 64 tasks of 100 µs in flight',
  watched,
  async (t) => {
    const server = http.createServer((request, response) =>
      setTimeout(() => response.end('done'), 20),
    );
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const pool = poolOf(t);
    const words = sharedWords();
    const answered = () => Atomics.load(words, 0) === 200;
    const running = load(pool, 64, () => pool.run({ ms: 0.1 }, { name: 'busy' }), answered);
    await pool.run({ words, port: server.address().port }, { name: 'leaveRequest' });
    await running;
    assert.ok(answered(), `no answer in ${kLoadMs} ms`);
  },
);

test('immediates left behind go on under a stream of synchronous tasks', watched, async (t) => {
  const pool = poolOf(t);
  const words = sharedWords();
  const done = () => Atomics.load(words, 0) >= 50;
  const running = load(pool, 4, () => pool.run({ ms: 1 }, { name: 'busy' }), done);
  await pool.run({ words, count: 50 }, { name: 'leaveImmediates' });
  await running;
  assert.ok(done(), `${Atomics.load(words, 0)} of 50 in ${kLoadMs} ms`);
});

for (const name of ['echo', 'soon']) {
  test(
    `the owner's own timers and immediates run while 64 "${name}" tasks are in flight`,
    watched,
    async (t) => {
      const pool = poolOf(t);
      await pool.run(1, { name });
      let timers = 0;
      let immediates = 0;
      let latest = 0;
      let last = performance.now();
      const timer = setInterval(() => {
        timers++;
        latest = Math.max(latest, performance.now() - last);
        last = performance.now();
      }, 10);
      const next = () => {
        immediates++;
        immediate = setImmediate(next);
      };
      let immediate = setImmediate(next);
      const end = performance.now() + 300;
      await load(
        pool,
        64,
        () => pool.run(1, { name }),
        () => performance.now() > end,
      );
      clearInterval(timer);
      clearImmediate(immediate);
      assert.ok(timers >= 3, `${timers} timers`);
      assert.ok(immediates >= 10, `${immediates} immediates`);
      assert.ok(latest < kLateMs, `${latest} ms between two timers`);
    },
  );
}

test('timers left behind fire on three pools that share their owner', watched, async (t) => {
  // One loop, rung by several wakers at once.
  const pools = [poolOf(t), poolOf(t), poolOf(t)];
  const marks = pools.map(() => sharedWords());
  const fired = () => marks.every((words) => Atomics.load(words, 0) === 1);
  const running = Promise.all(
    pools.map((pool) => load(pool, 16, () => pool.run({ ms: 0.05 }, { name: 'busy' }), fired)),
  );
  await Promise.all(
    pools.map((pool, i) => pool.run({ words: marks[i], ms: 20 }, { name: 'leaveTimer' })),
  );
  await running;
  for (const words of marks)
    assert.ok(words[0] === 1 && words[1] < kLateMs, `fired after ${words[1]} ms`);
});

test('background work goes on while the owner is blocked', watched, async (t) => {
  const pool = poolOf(t);
  const words = sharedWords();
  await pool.run({ words, ms: 20 }, { name: 'leaveTimer' });
  const tasks = Array.from({ length: 16 }, () => pool.run(1, { name: 'echo' }));
  // Let them be posted.
  await Promise.resolve();
  Atomics.wait(sharedWords(), 0, 0, 200);
  assert.equal(Atomics.load(words, 0), 1, 'the timer fired meanwhile');
  assert.deepEqual(await Promise.all(tasks), new Array(16).fill(1));
  await until('all are counted', () => pool.completed === 17);
});

for (const turnBudgetUs of [1, 2, 10]) {
  test(
    `tasks run, and a timer left behind fires, with a turn budget of ${turnBudgetUs} µs`,
    watched,
    async (t) => {
      const pool = poolOf(t, { turnBudgetUs });
      const words = sharedWords();
      const fired = () => Atomics.load(words, 0) === 1;
      await pool.run({ words, ms: 20 }, { name: 'leaveTimer' });
      await load(pool, 64, () => pool.run(1, { name: 'echo' }), fired);
      assert.ok(fired(), `did not fire in ${kLoadMs} ms`);
      for (let i = 0; i < 200; i++) assert.equal(await pool.run(i, { name: 'soon' }), i);
    },
  );
}

for (const concurrency of [1, 4]) {
  test(
    `the owner's loop turns while every worker is blocked and holds tasks, ${concurrency} at once`,
    watched,
    async () => {
      // In a process of its own: an owner that never gets out of its microtasks cannot time out.
      const { code, stdout, stderr } = await runProgram(`
      import { Pool } from 'cenote';
      const pool = new Pool({
        filename: ${JSON.stringify(fixture('chaos/tasks.cjs'))},
        minThreads: 2,
        maxThreads: 2,
        concurrentTasksPerWorker: ${concurrency},
      });
      const turn = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      // Measured to be short, so that tasks are posted behind those that block.
      for (let i = 0; i < 100; i++) await pool.run(i, { name: 'echo' });
      while (pool.stats().workers.some(({ state }) => state !== 'ready')) await turn(1);
      const words = [0, 1].map(() => new Int32Array(new SharedArrayBuffer(32)));
      const blocked = words.map((words) => pool.run({ words }, { name: 'block' }));
      while (words.some((words) => Atomics.load(words, 0) === 0)) await turn(1);
      const waiting = [];
      for (let i = 0; i < 20; i++) {
        waiting.push(pool.run(i, { name: 'echo' }));
        // Longer than a worker may claim nothing before its tasks are taken back.
        await turn(3);
      }
      console.log('turns');
      for (const word of words) {
        Atomics.store(word, 1, 1);
        Atomics.notify(word, 1);
      }
      await Promise.all(blocked);
      console.log((await Promise.all(waiting)).join());
      await pool.close();
    `);
      assert.equal(stdout, `turns\n${[...new Array(20).keys()].join()}\n`, stderr);
      assert.equal(code, 0);
    },
  );
}
