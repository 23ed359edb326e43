// Which waiting task starts next: by priority, which ages; groups share the time; keys stay with
// their worker; calls of one key run one task.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import {
  blocker,
  poolFor,
  readyWorkers,
  sharedWords,
  until,
  watched,
} from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const { Schedule, kAgingMs } = require('../../dist/owner/schedule.js');
const { Task, TaskQueue } = require('../../dist/owner/task.js');
const { Handler } = require('../../dist/owner/handlers.js');

/** A pool whose only worker is busy until `release()`. */
async function busyPool(t, options) {
  const pool = poolFor(t, { maxThreads: 1, ...options });
  const held = blocker(pool);
  await held.started;
  return { pool, release: held.release };
}

/** The order in which calls settle. */
function orderOf(calls) {
  const order = [];
  const all = calls.map(([name, promise]) => promise.then(() => order.push(name)));
  return Promise.all(all).then(() => order);
}

test(
  'the highest priority starts first; equal ones in the order of the calls',
  watched,
  async (t) => {
    const { pool, release } = await busyPool(t);
    const calls = [0, 5, -3, 5, 0, 100, -100].map((priority, n) => [
      n,
      pool.run(n, { priority: priority || undefined }),
    ]);
    release();
    assert.deepEqual(await orderOf(calls), [5, 1, 3, 0, 4, 2, 6]);
  },
);

test('a lane’s priority is that of its tasks', watched, async (t) => {
  const { pool, release } = await busyPool(t);
  const urgent = pool.lane('urgent', { maxRunning: 10, priority: 10 });
  const calls = [
    ['pool', pool.run(1)],
    ['lane', urgent.run(2)],
    ['late', urgent.run(3, { priority: -1 })],
  ];
  release();
  assert.deepEqual(await orderOf(calls), ['lane', 'pool', 'late']);
});

test('a group of many tasks leaves another its share', watched, async (t) => {
  const { pool, release } = await busyPool(t);
  const calls = [];
  for (let n = 0; n < 30; n++) calls.push(['noisy', pool.run(n, { group: 'noisy' })]);
  for (let n = 0; n < 3; n++) calls.push(['quiet', pool.run(n, { group: 'quiet' })]);
  calls.push(['none', pool.run(1)]);
  release();
  const order = await orderOf(calls);
  // What a run takes is not measured exactly.
  assert.ok(order.lastIndexOf('quiet') <= 20, order.join(' '));
  assert.ok(order.indexOf('none') <= 20, order.join(' '));
});

// The queue itself

const handlers = [0.01, 1, 5].map((ms, index) => {
  const handler = new Handler(index, 'file:///x', 'x', false);
  handler.measure(ms);
  handler.measure(ms);
  return handler;
});

function taskOf(at, { priority = 0, group = '', handler = handlers[0] } = {}) {
  const task = new Task(handler, at, null, false, null, null);
  task.acceptedAt = at;
  if (priority !== 0 || group !== '') task.withTerms().rank = { priority, group };
  return task;
}

/** A small generator, so that a failure can be had again. */
function randomOf(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

test('without ranks it is a queue, and with equal ones too', () => {
  for (const rank of [{}, { priority: 7 }, { group: 'g' }]) {
    for (let seed = 1; seed <= 50; seed++) {
      const random = randomOf(seed);
      const schedule = new Schedule();
      const queue = new TaskQueue();
      const out = [];
      for (let at = 0; at < 300; at++) {
        const act = random(5);
        if (act <= 2) {
          const task = taskOf(at, rank);
          schedule.push(task);
          out.push(task);
        } else if (act === 3 && out.length > 0) {
          const task = out.splice(random(out.length), 1)[0];
          schedule.remove(task);
          schedule.remove(task);
        } else {
          assert.equal(schedule.peek(), out[0] ?? null);
          const given = [schedule.shift(), schedule.shift()].filter((task) => task !== null);
          assert.deepEqual(given, out.splice(0, 2));
          if (random(2) === 0) {
            schedule.unshift(given);
            out.unshift(...given);
          }
        }
        assert.equal(schedule.length, out.length);
      }
      assert.equal(queue.length, 0);
    }
  }
});

test('no task of a group waits longer than its priority says', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = randomOf(seed);
    const schedule = new Schedule();
    const waiting = new Set();
    for (let at = 0; at < 5_000; at += 10) {
      for (let n = random(3); n > 0; n--) {
        const task = taskOf(at, { priority: random(21) - 10 });
        schedule.push(task);
        waiting.add(task);
      }
      const given = schedule.shift();
      if (given === null) continue;
      waiting.delete(given);
      const keyOf = ({ acceptedAt, terms }) => acceptedAt - (terms?.rank?.priority ?? 0) * kAgingMs;
      for (const task of waiting) assert.ok(keyOf(given) <= keyOf(task), `seed ${seed}`);
    }
  }
});

test('groups with work get the same time, whatever their tasks take', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = randomOf(seed);
    const schedule = new Schedule();
    const groups = ['a', 'b', 'c'];
    for (let at = 0; at < 6_000; at++) {
      const n = random(3);
      const task = taskOf(at, { group: groups[n], handler: handlers[n] });
      schedule.push(task);
    }
    const used = { a: 0, b: 0, c: 0 };
    for (let n = 0; n < 2_000; n++) {
      const task = schedule.shift();
      used[task.terms.rank.group] += task.handler.averageMs;
    }
    // 'a' has too little work for a share: 2,000 runs of 10 µs.
    assert.ok(Math.abs(used.b - used.c) <= 5.1, JSON.stringify(used));
  }
});

test('what a task was expected to take is made good by what it took', () => {
  const schedule = new Schedule();
  const handler = new Handler(9, 'file:///y', 'y', false);
  for (let n = 0; n < 40; n++) schedule.push(taskOf(n, { group: 'noisy', handler }));
  for (let n = 0; n < 4; n++) schedule.push(taskOf(n, { group: 'quiet', handler }));
  const order = [];
  while (schedule.length > 0) {
    const task = schedule.shift();
    // The first run takes long, as where a file is compiled; the others do not.
    const runMs = order.length === 0 ? 50 : 0.5;
    order.push(task.terms.rank.group);
    task.noteRun(0, runMs, 1);
    handler.measure(runMs);
  }
  assert.ok(order.lastIndexOf('quiet') <= 10, order.join(' '));
});

test('a group that had nothing to do saves nothing up', () => {
  const schedule = new Schedule();
  const handler = handlers[1];
  schedule.push(taskOf(0, { group: 'late', handler }));
  schedule.shift();
  for (let n = 0; n < 100; n++) schedule.push(taskOf(n, { group: 'busy', handler }));
  for (let n = 0; n < 50; n++) schedule.shift();
  for (let n = 0; n < 50; n++) schedule.push(taskOf(n, { group: 'late', handler }));
  const order = Array.from({ length: 20 }, () => schedule.shift().terms.rank.group);
  const late = order.filter((group) => group === 'late').length;
  assert.ok(late >= 9 && late <= 11, order.join(' '));
});

test('groups without tasks are forgotten', () => {
  const schedule = new Schedule();
  for (let n = 0; n < 100_000; n++) {
    schedule.push(taskOf(n, { group: `g${n}` }));
    schedule.shift();
  }
  assert.equal(schedule.length, 0);
  assert.ok(schedule.groupCount < 1_000, `${schedule.groupCount}`);
});

// Keys

test(
  'tasks of a key run on one worker, and keys are spread over the workers',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 3, maxThreads: 3 });
    await readyWorkers(pool, 3);
    const homes = new Map();
    for (let round = 0; round < 20; round++) {
      for (let n = 0; n < 6; n++) {
        const key = `user ${n}`;
        const threadId = await pool.run(null, { name: 'threadId', key });
        homes.set(key, (homes.get(key) ?? new Set()).add(threadId));
      }
    }
    for (const [key, threads] of homes) assert.equal(threads.size, 1, key);
    const used = new Set([...homes.values()].flatMap((threads) => [...threads]));
    assert.equal(used.size, 3);
  },
);

test('a key whose worker is busy for long goes to another, and then back', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  await readyWorkers(pool, 2);
  const run = () => pool.run(null, { name: 'threadId', key: 'k' });
  const home = await run();
  const held = blocker(pool, { key: 'k' });
  await held.started;
  const away = await run();
  assert.notEqual(away, home);
  held.release();
  assert.equal(await held.done, home);
  assert.equal(await run(), home);
});

test('a key whose worker ends gets another', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  await readyWorkers(pool, 2);
  const run = () => pool.run(null, { name: 'threadId', key: 'k' });
  const home = await run();
  await pool.run('exit', { name: 'exitIfTold', key: 'k' }).catch(() => {});
  const next = await run();
  assert.notEqual(next, home);
  assert.equal(await run(), next);
});

// Coalescing

const counting = (words) => ({ words, at: 0 });

test('calls of one key share a task while it has not settled', watched, async (t) => {
  const { pool, release } = await busyPool(t);
  const words = sharedWords();
  const options = { name: 'count', coalesce: 'k' };
  const calls = Array.from({ length: 10 }, () => pool.run(counting(words), options));
  const other = pool.run(counting(words), { ...options, coalesce: 'other' });
  release();
  assert.deepEqual(await Promise.all(calls), Array(10).fill(0));
  assert.equal(await other, 1);
  assert.equal(await pool.run(counting(words), options), 2, 'a later call runs anew');
});

test('an error is that of all, with the first caller’s stack', watched, async (t) => {
  const { pool, release } = await busyPool(t);
  const options = { name: 'throwError', coalesce: 'k' };
  async function firstCaller() {
    await pool.run('no', options);
  }
  const calls = [firstCaller(), pool.run('no', options)];
  release();
  const errors = (await Promise.allSettled(calls)).map(({ reason }) => reason);
  assert.equal(errors[0], errors[1]);
  assert.match(errors[0].stack, /at async firstCaller/);
});

test('who aborts leaves the others be; the last one ends the task', watched, async (t) => {
  const { pool, release } = await busyPool(t);
  const words = sharedWords();
  const [one, two] = [new AbortController(), new AbortController()];
  const call = ({ signal }, key) =>
    pool.run(counting(words), { name: 'count', coalesce: key, signal });
  const kept = [call(one, 'kept'), call(two, 'kept')];
  const left = [call(one, 'left'), call(two, 'left')];
  const outcomes = Promise.allSettled([...kept, ...left]);
  one.abort();
  const third = pool.run(counting(words), { name: 'count', coalesce: 'kept' });
  two.abort();
  release();
  assert.ok((await outcomes).every(({ reason }) => reason?.name === 'AbortError'));
  assert.equal(await third, 0);
  assert.equal(words[0], 1);
});

test('latest: one runs, the newest waits, and the others are superseded', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 2 });
  const words = sharedWords();
  const coalesce = { key: 'k', mode: 'latest' };
  const running = pool.run({ words }, { name: 'block', coalesce });
  await until('it runs', () => words[0] === 1);
  const calls = Array.from({ length: 5 }, (_, n) => pool.run(n, { coalesce, name: 'echo' }));
  const block = pool.run(1, { coalesce, name: 'block' }).catch((error) => error);
  const settled = Promise.allSettled(calls);
  const ends = (await Promise.allSettled(calls.slice(0, 4))).map(({ reason }) => reason.code);
  assert.deepEqual(ends, Array(4).fill('ERR_CENOTE_SUPERSEDED'));
  assert.equal(words[0], 1, 'another handler has a key of its own');
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  await running;
  assert.equal((await settled)[4].value, 4);
  await block;
});

test('latest: one that waits in the pool is superseded too', watched, async (t) => {
  const { pool, release } = await busyPool(t);
  const coalesce = { key: 'k', mode: 'latest' };
  const calls = Array.from({ length: 100 }, (_, n) => pool.run(n, { coalesce }));
  const settled = Promise.allSettled(calls);
  assert.equal(pool.queueSize, 1);
  release();
  const ends = await settled;
  assert.equal(ends.filter(({ reason }) => reason?.code === 'ERR_CENOTE_SUPERSEDED').length, 99);
  assert.equal(ends[99].value, 99);
  assert.equal(await pool.run('again', { coalesce }), 'again');
});

test('what waits for its key is refused when the pool ends', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const words = sharedWords();
  const coalesce = { key: 'k', mode: 'latest' };
  const running = pool.run({ words }, { name: 'block', coalesce });
  await until('it runs', () => words[0] === 1);
  const waiting = assert.rejects(pool.run({ words }, { name: 'block', coalesce }), {
    code: 'ERR_CENOTE_POOL_CLOSED',
  });
  const closed = pool.close();
  await waiting;
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  await running;
  await closed;
});

test('wrong values are refused', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const wrong = [
    [{ priority: '1' }, 'ERR_INVALID_ARG_TYPE'],
    [{ priority: 0.5 }, 'ERR_OUT_OF_RANGE'],
    [{ priority: 101 }, 'ERR_OUT_OF_RANGE'],
    [{ group: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ key: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ coalesce: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ coalesce: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ coalesce: { key: 'k', mode: 'first' } }, 'ERR_OUT_OF_RANGE'],
  ];
  for (const [options, code] of wrong) await assert.rejects(pool.run(1, options), { code });
  assert.throws(() => pool.lane('x', { maxRunning: 1, priority: 'high' }), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
});
