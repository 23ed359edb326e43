// What a drop-in pool has beside Piscina: the options and methods of `Pool`, over the same threads,
// with the queues, errors and counts of a Piscina.

import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import Piscina from 'cenote/piscina';
import {
  blocker,
  fixture,
  readyWorkers,
  sharedWords,
  until,
  watched,
} from './support/behaviour.mjs';

function poolFor(t, options = {}) {
  const filename = fixture('piscina/additions.mjs');
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1, ...options });
  t.after(() => pool.destroy());
  return pool;
}

const tasks = { filename: fixture('tasks.cjs') };

async function listOf(iterable) {
  const list = [];
  for await (const item of iterable) list.push(item);
  return list;
}

/** A queue of the user's that gives the last first. */
class Stack {
  tasks = [];
  seen = [];
  get size() {
    return this.tasks.length;
  }
  shift() {
    return this.tasks.pop() ?? null;
  }
  push(task) {
    this.seen.push(task[Piscina.queueOptionsSymbol]);
    this.tasks.push(task);
  }
  remove(task) {
    this.tasks = this.tasks.filter((one) => one !== task);
  }
}

const queues = [
  ['its own queue', () => ({})],
  ['a queue of the user’s', () => ({ taskQueue: new Stack() })],
  ['a balancer of the user’s', () => ({ loadBalancer: (_, workers) => workers[0] ?? null })],
];

for (const [name, options] of queues) {
  test(`each way to run gives its results: ${name}`, watched, async (t) => {
    const pool = poolFor(t, options());
    assert.deepEqual(await pool.run(1), [1, 'none']);
    assert.deepEqual(await pool.run(1, { context: { a: 2 } }), [1, 'context']);
    assert.deepEqual(await pool.run(0, { name: 'values', context: { a: 2 } }), { a: 2 });
    const reports = [];
    const onProgress = (value) => reports.push(value);
    const input = [1, 2, 3];
    assert.equal(await pool.run(0, { name: 'total', input, onProgress }), 6);
    assert.deepEqual(reports, [1, 3, 6]);
    assert.deepEqual(await listOf(pool.stream(4, { name: 'upTo' })), [1, 2, 3, 4]);
    const squares = Array.from({ length: 50 }, (_, n) => n);
    const mapped = await listOf(pool.map(squares, { ...tasks, concurrency: 7 }));
    assert.deepEqual(mapped, squares);
    const through = ReadableStream.from?.(squares).pipeThrough(pool.transform(tasks));
    if (through !== undefined) assert.deepEqual(await listOf(through), squares);
    const written = [];
    await pipeline(squares, pool.duplex(tasks), async (source) => {
      for await (const item of source) written.push(item);
    });
    assert.deepEqual(written, squares);
    assert.equal(await pool.exec((a, b) => a * b, 6, 7), 42);
    assert.deepEqual(pool.runSync(2), [2, 'none']);
    assert.deepEqual(await pool.lane('narrow', { maxRunning: 1 }).run(3), [3, 'none']);
    assert.deepEqual(await pool.tasks.values(0, { context: { b: 1 } }), { b: 1 });
    assert.equal((await pool.broadcast(0, { name: 'thread' })).length, 1);
    assert.equal(await pool.cancelPending(), 0);
    await pool.ready();
    const { tasks: counts, lanes } = pool.stats();
    assert.equal(counts.accepted, counts.completed);
    assert.equal(pool.completed, counts.completed);
    assert.equal(lanes.narrow.completed, 1);
    assert.ok(pool.advise().some((one) => one.name === 'default'));
  });

  test(`errors come from each of them, with their place: ${name}`, watched, async (t) => {
    const pool = poolFor(t, options());
    const failing = { name: 'fail' };
    const expected = { name: 'RangeError', message: 'no', stack: /additions\.mjs/ };
    await assert.rejects(pool.run('no', { ...failing, context: {} }), expected);
    await assert.rejects(listOf(pool.stream('no', failing)), expected);
    await assert.rejects(listOf(pool.map(['no'], failing)), expected);
    await assert.rejects(pool.tasks.fail('no'), expected);
    await assert.rejects(pool.broadcast('no', failing), expected);
    await assert.rejects(pool.lane('one', { maxRunning: 1 }).run('no', failing), expected);
    assert.throws(() => pool.runSync('no', failing), expected);
    assert.equal(pool.completed, 7);
    assert.equal(pool.stats().tasks.failed, 7);
  });

  test(`close() and destroy() refuse those who wait in front: ${name}`, watched, async (t) => {
    for (const end of ['close', 'destroy']) {
      const pool = poolFor(t, { ...options(), maxQueue: 0 });
      const held = blocker(pool, tasks);
      await held.started;
      const waiting = [
        pool.run(1, { whenFull: 'wait' }),
        pool.capacity(),
        pool.lane('one', { maxRunning: 1 }).run(1),
        pool.lane('one').run(2),
      ];
      const ended = pool[end]();
      for (const one of waiting) await assert.rejects(one);
      held.release();
      await ended;
      await assert.rejects(pool.run(1, { whenFull: 'wait' }));
    }
  });
}

test(
  'what a queue of the user’s sees of a task is the caller’s, also beside a context',
  watched,
  async (t) => {
    const taskQueue = new Stack();
    const pool = poolFor(t, { taskQueue });
    const options = { urgent: true };
    await pool.run({ [Piscina.queueOptionsSymbol]: options }, { context: { a: 1 } });
    assert.deepEqual(taskQueue.seen, [options]);
  },
);

test('a full pool lets in those who wait, in their order', watched, async (t) => {
  const pool = poolFor(t, { ...tasks, maxQueue: 1 });
  const held = blocker(pool);
  await held.started;
  const queued = pool.run('queued');
  await assert.rejects(pool.run('no'), { message: 'Task queue is at limit' });
  await assert.rejects(pool.run('no', { context: {} }), { message: 'Task queue is at limit' });
  const order = [];
  const waiting = Array.from({ length: 20 }, async (_, n) => {
    order.push(await pool.run(n, { whenFull: 'wait' }));
  });
  const room = pool.capacity().then(() => order.push('room'));
  assert.equal(pool.queueSize, 1);
  held.release();
  await Promise.all([...waiting, room, queued]);
  assert.deepEqual(
    order.filter((one) => one !== 'room'),
    Array.from({ length: 20 }, (_, n) => n),
  );
  assert.equal(order.length, 21);
});

test(
  'priorities and groups hold in the pool’s own queue, which shows its size',
  watched,
  async (t) => {
    const pool = poolFor(t, tasks);
    const held = blocker(pool);
    await held.started;
    const order = [];
    const run = async (task, options) => order.push(await pool.run(task, options));
    const runs = [run(0), run(1, { priority: 1 }), run(2, { priority: 50 }), run(3)];
    assert.equal(pool.queueSize, 4);
    assert.equal(pool.options.taskQueue.size, 4);
    held.release();
    await Promise.all(runs);
    assert.deepEqual(order, [2, 1, 0, 3]);
  },
);

test('tasks of a key run on one thread', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 3, maxThreads: 3 });
  await readyWorkers(pool, 3);
  const threads = new Map();
  for (let n = 0; n < 60; n++) {
    const key = `${n % 6}`;
    const id = await pool.run(0, { name: 'thread', key });
    threads.set(key, (threads.get(key) ?? new Set()).add(id));
  }
  for (const [key, ids] of threads) assert.equal(ids.size, 1, key);
});

test('calls of one key share a task, and the newest supersedes', watched, async (t) => {
  const pool = poolFor(t, tasks);
  const held = blocker(pool);
  await held.started;
  const shared = Array.from({ length: 5 }, () => pool.run(1, { coalesce: 'a' }));
  const coalesce = { key: 'b', mode: 'latest' };
  const newest = [1, 2, 3].map((n) => pool.run(n, { coalesce }));
  const settled = Promise.allSettled(newest);
  held.release();
  assert.deepEqual(await Promise.all(shared), [1, 1, 1, 1, 1]);
  const outcomes = (await settled).map(({ value, reason }) => value ?? reason.code);
  assert.deepEqual(outcomes.slice(1), ['ERR_CENOTE_SUPERSEDED', 3]);
});

test('the limits of the pool and of a call end tasks, with their codes', watched, async (t) => {
  const pool = poolFor(t, { ...tasks, timeout: 50 });
  const late = { code: 'ERR_CENOTE_TIMEOUT' };
  await assert.rejects(pool.run({ words: sharedWords() }, { name: 'spinForever' }), late);
  const held = blocker(pool, { timeout: 60_000 });
  await held.started;
  await assert.rejects(pool.run(1, { queueTimeout: 20 }), { code: 'ERR_CENOTE_QUEUE_TIMEOUT' });
  held.release();
  await held.done;
  assert.equal(await pool.run(5), 5);
});

test('a task that was refused has no limit, no signal and no count left', watched, async (t) => {
  for (const options of [{}, { context: {} }]) {
    const pool = poolFor(t, { ...tasks, maxQueue: 0, queueTimeout: 20 });
    const held = blocker(pool, { queueTimeout: 60_000 });
    await held.started;
    const { signal } = new AbortController();
    await assert.rejects(pool.run(1, { ...options, signal }), /No task queue available/);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const { accepted, refused, queueTimedOut, inFlight } = pool.stats().tasks;
    assert.deepEqual([accepted, refused, queueTimedOut, inFlight], [1, 1, 0, 1]);
    held.release();
    await held.done;
    await pool.close();
  }
});

test('a task whose worker is lost is tried again, if it is idempotent', watched, async (t) => {
  const retry = { attempts: 3, backoff: 1 };
  const pool = poolFor(t, { retry });
  pool.on('error', () => {});
  const task = () => ({ words: sharedWords(), times: 2 });
  assert.equal(await pool.run(task(), { name: 'exitFirst', idempotent: true }), 3);
  await assert.rejects(pool.run(task(), { name: 'exitFirst' }), /exited with code: 7/);
  const always = { ...task(), times: 9 };
  const attempts = { retry: { ...retry, attempts: 9 }, idempotent: true };
  const quarantined = { code: 'ERR_CENOTE_QUARANTINED' };
  await assert.rejects(pool.run(always, { name: 'exitFirst', ...attempts }), quarantined);
});

test('workers are replaced after so many tasks, and no task is lost', watched, async (t) => {
  const pool = poolFor(t, { recycle: { tasks: 10 }, minThreads: 2, maxThreads: 2 });
  const ids = await Promise.all(Array.from({ length: 100 }, () => pool.run(0, { name: 'thread' })));
  assert.equal(ids.length, 100);
  assert.ok(new Set(ids).size >= 10, `${new Set(ids).size}`);
  const alone = poolFor(t, { isolate: true, maxThreads: 2 });
  const own = await Promise.all(Array.from({ length: 6 }, () => alone.run(0, { name: 'thread' })));
  assert.equal(new Set(own).size, 6);
});

test('restart() and resize() change the threads, and no task is lost', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  await readyWorkers(pool, 2);
  const before = new Set(pool.threads);
  const runs = Array.from({ length: 200 }, (_, n) => pool.run(n));
  await pool.restart();
  assert.equal((await Promise.all(runs)).length, 200);
  assert.ok(pool.threads.every((thread) => !before.has(thread)));
  pool.resize({ minThreads: 3, maxThreads: 3 });
  await until('three threads', () => pool.threads.length === 3);
  assert.deepEqual([pool.minThreads, pool.maxThreads], [3, 3]);
  pool.resize({ minThreads: 1, maxThreads: 1 });
  await until('one thread', () => pool.threads.length === 1);
  assert.deepEqual(await pool.run(1), [1, 'none']);
});

test('whoever traces hears of its tasks, also of plain ones', watched, async (t) => {
  const pool = poolFor(t);
  const heard = [];
  const channel = diagnostics.tracingChannel?.('cenote:task');
  if (channel === undefined) return t.skip('this Node has no TracingChannel');
  const subscriber = { asyncEnd: ({ name, runTime }) => heard.push([name, typeof runTime]) };
  channel.subscribe(subscriber);
  t.after(() => channel.unsubscribe(subscriber));
  assert.deepEqual(await pool.run(1), [1, 'none']);
  await until('it is told', () => heard.length === 1);
  assert.deepEqual(heard, [['default', 'number']]);
});

test('what Piscina ignores is ignored, and what a Pool refuses is refused', watched, async (t) => {
  const pool = poolFor(t);
  assert.deepEqual(await pool.run(1, { nonsense: true }), [1, 'none']);
  const wrong = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
  await assert.rejects(pool.run(1, { context: 5 }), wrong);
  await assert.rejects(pool.run(1, { timeout: 'soon' }), wrong);
  assert.throws(() => new Piscina({ recycle: 5 }), wrong);
  assert.throws(() => new Piscina({ timeout: 'soon' }), wrong);
  assert.throws(() => pool.map(5), wrong);
  assert.throws(() => pool.resize({ maxThreads: 0 }), { code: 'ERR_OUT_OF_RANGE' });
  const nowhere = new Piscina();
  t.after(() => nowhere.destroy());
  await assert.rejects(nowhere.run(1, { context: {} }), /filename must be provided/);
});

test('background work that fails is told of', watched, async (t) => {
  const pool = poolFor(t);
  const heard = [];
  pool.on('backgroundError', (error) => heard.push(error.message));
  const filename = fixture('piscina/background.mjs');
  assert.equal(await pool.run(0, { filename, context: {} }), 'done');
  await until('it is heard', () => heard.length === 1);
  assert.deepEqual(heard, ['behind']);
});
