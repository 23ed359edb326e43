// Lanes: each has no more than its share of the pool, whatever its tasks do, and gives each place
// on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poolFor, sharedWords, until, watched } from './support/behaviour.mjs';

/** What a lane counts that has counted nothing else. */
const counted = (figures) => ({
  queued: 0,
  running: 0,
  completed: 0,
  failed: 0,
  aborted: 0,
  queueTimedOut: 0,
  timedOut: 0,
  lost: 0,
  cancelled: 0,
  refused: 0,
  ...figures,
});

/** Tasks that block until they are released. */
function held(run, count, options) {
  const tasks = Array.from({ length: count }, () => {
    const words = sharedWords();
    const done = run({ words }, { ...options, name: 'block' });
    done.catch(() => {});
    return { words, done };
  });
  const release = ({ words }) => {
    Atomics.store(words, 1, 1);
    Atomics.notify(words, 1);
  };
  return { tasks, release: () => tasks.forEach(release), releaseOne: release };
}

test('a lane that hangs takes no other lane’s workers', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 4, maxThreads: 4 });
  const sick = pool.lane('sick', { maxRunning: 2 });
  const well = pool.lane('well', { maxRunning: 2 });
  const hung = held((task, options) => sick.run(task, options), 50);
  await until('two of them run', () => hung.tasks.filter(({ words }) => words[0]).length === 2);
  const results = await Promise.all(Array.from({ length: 5_000 }, (_, n) => well.run(n)));
  assert.deepEqual(
    results,
    Array.from({ length: 5_000 }, (_, n) => n),
  );
  assert.deepEqual(sick.stats(), counted({ queued: 48, running: 2 }));
  assert.equal(pool.stats().lanes.well.completed, 5_000);
  assert.equal(pool.queueSize, 0);
  hung.release();
  await Promise.all(hung.tasks.map(({ done }) => done));
  assert.deepEqual(sick.stats(), counted({ completed: 50 }));
});

test('no more than maxRunning of a lane run at once', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 2, concurrentTasksPerWorker: 8 });
  const lane = pool.lane('narrow', { maxRunning: 3 });
  const words = sharedWords();
  await Promise.all(
    Array.from({ length: 60 }, () => lane.run({ words, ms: 2 }, { name: 'overlap' })),
  );
  assert.equal(words[2], 60);
  assert.ok(words[1] <= 3, `${words[1]}`);
});

test('tasks of a lane start in their order', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const lane = pool.lane('one', { maxRunning: 1 });
  const order = [];
  await Promise.all(
    Array.from({ length: 100 }, (_, n) => lane.run(n).then((value) => order.push(value))),
  );
  assert.deepEqual(
    order,
    Array.from({ length: 100 }, (_, n) => n),
  );
});

test('a full lane refuses, and says which it is', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  const lane = pool.lane('small', { maxRunning: 1, maxQueue: 1 });
  const blocks = held((task, options) => lane.run(task, options), 2);
  const refused = await lane.run(1).catch((error) => error);
  assert.equal(refused.code, 'ERR_CENOTE_QUEUE_FULL');
  assert.match(refused.message, /lane "small" is full: 1 running, 1 waiting/);
  assert.equal(lane.stats().refused, 1);
  assert.equal(await pool.run(2), 2, 'the pool is not');
  blocks.release();
});

test('a place is given on however its task ends', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const lane = pool.lane('one', { maxRunning: 1 });
  const controller = new AbortController();
  const words = sharedWords();
  const ends = [
    lane.run('x', { name: 'throwError' }),
    lane.run('exit', { name: 'exitIfTold' }),
    lane.run({ bad() {} }),
    lane.run(1, { name: 'missing' }),
    lane.run(1, { nmae: 'x' }),
    lane.run({ words }, { name: 'spinForever', timeout: 50 }),
    lane.run({ words }, { name: 'spinForever', signal: controller.signal }),
  ];
  const last = lane.run('last');
  const settled = Promise.allSettled(ends);
  await until('the last of them runs', () => lane.stats().queued === 1 && words[0] > 0);
  controller.abort();
  assert.ok((await settled).every(({ status }) => status === 'rejected'));
  assert.equal(await last, 'last');
  assert.deepEqual(
    lane.stats(),
    counted({ completed: 1, failed: 3, lost: 1, timedOut: 1, aborted: 1 }),
  );
});

test('an abort ends the wait in the lane, and the task never runs', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const lane = pool.lane('one', { maxRunning: 1 });
  const blocks = held((task, options) => lane.run(task, options), 1);
  const controller = new AbortController();
  const words = sharedWords();
  const waiting = lane.run({ words }, { name: 'count', signal: controller.signal });
  const after = lane.run('after');
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, { name: 'AbortError' });
  await assert.rejects(lane.run(1, { signal: controller.signal }), { name: 'AbortError' });
  blocks.release();
  assert.equal(await after, 'after');
  assert.equal(words[0], 0);
});

for (const [how, code] of [
  ['close', 'ERR_CENOTE_POOL_CLOSED'],
  ['destroy', 'ERR_CENOTE_POOL_DESTROYED'],
]) {
  test(`${how}() refuses what waits in lanes`, watched, async (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    const lane = pool.lane('one', { maxRunning: 1 });
    const blocks = held((task, options) => lane.run(task, options), 1);
    const waiting = lane.run(1);
    const ended = pool[how]();
    await assert.rejects(waiting, { code });
    blocks.release();
    await ended;
    await assert.rejects(lane.run(1), { code });
    assert.equal(lane.stats().queued, 0);
  });
}

test('a lane’s limits are those of its tasks, where they name none', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const lane = pool.lane('short', { maxRunning: 1, timeout: 30, queueTimeout: 10_000 });
  const words = sharedWords();
  const long = lane.run({ words }, { name: 'spinForever' });
  await assert.rejects(long, { code: 'ERR_CENOTE_TIMEOUT' });
  assert.equal(await lane.run(1, { timeout: Infinity }), 1);
  const patient = pool.lane('patient', { maxRunning: 1, queueTimeout: 20 });
  const blocks = held((task, options) => patient.run(task, options), 1, { queueTimeout: Infinity });
  await assert.rejects(patient.run(1), { code: 'ERR_CENOTE_QUEUE_TIMEOUT' });
  blocks.release();
  await blocks.tasks[0].done;
  assert.equal(patient.stats().queueTimedOut, 1);
});

test('where the pool is full, a task of a lane with room waits', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1, maxQueue: 0 });
  const lane = pool.lane('one', { maxRunning: 2 });
  const blocks = held((task, options) => pool.run(task, options), 1);
  const waiting = [lane.run(1), lane.run(2)];
  assert.equal(lane.stats().running, 2);
  blocks.release();
  assert.deepEqual(await Promise.all(waiting), [1, 2]);
  assert.equal(lane.stats().failed + lane.stats().refused, 0);
});

test('a lane is one, by its name', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const lane = pool.lane('a', { maxRunning: 2 });
  assert.equal(pool.lane('a'), lane);
  assert.equal(pool.lane('a', { maxRunning: 2 }), lane);
  assert.notEqual(pool.lane('b', { maxRunning: 2 }), lane);
  assert.equal(lane.name, 'a');
  assert.deepEqual(lane.options, {
    maxRunning: 2,
    maxQueue: 65_536,
    queueTimeout: Infinity,
    timeout: Infinity,
    priority: 0,
  });
  const limits = { maxRunning: 1, timeout: 500, queueTimeout: 400 };
  assert.equal(pool.lane('c', limits), pool.lane('c', limits));
  assert.throws(() => pool.lane('a', { maxRunning: 3 }), { code: 'ERR_OUT_OF_RANGE' });
  assert.deepEqual(Object.keys(pool.stats().lanes), ['a', 'b', 'c']);
});

test('wrong calls are refused', watched, (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const wrong = [
    [[1, { maxRunning: 1 }], 'ERR_INVALID_ARG_TYPE'],
    [['x'], 'ERR_INVALID_ARG_TYPE'],
    [['x', {}], 'ERR_INVALID_ARG_TYPE'],
    [['x', { maxRunning: 0 }], 'ERR_OUT_OF_RANGE'],
    [['x', { maxRunning: 1, maxQueue: -1 }], 'ERR_OUT_OF_RANGE'],
    [['x', { maxRuning: 1 }], 'ERR_INVALID_ARG_TYPE'],
    [['x', { maxRunning: 1, timeout: 0 }], 'ERR_OUT_OF_RANGE'],
    [['x', { maxRunning: 1, queueTimeout: '1s' }], 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [args, code] of wrong) assert.throws(() => pool.lane(...args), { code });
});
