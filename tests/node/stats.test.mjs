// `stats()`: the counts add up, the histograms hold every task, and what ended workers did stays in
// the totals.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  blocker,
  fixture,
  poolFor,
  portable,
  readyWorkers,
  runProgram,
  sharedWords,
  until,
  watched,
} from './support/behaviour.mjs';

const kStages = ['spins', 'spinHits', 'spinMisses', 'spinSkips', 'parks', 'wakes', 'spinCuts'];

function assertSane(summary, label) {
  const { count, mean, p50, p90, p99, p999, max } = summary;
  assert.ok([count, mean, p50, p90, p99, p999, max].every(Number.isFinite), label);
  assert.ok(
    p50 <= p90 && p90 <= p99 && p99 <= p999 && p999 <= max,
    `${label}: ${JSON.stringify(summary)}`,
  );
  assert.ok(mean <= max && mean >= 0, label);
  if (count > 0) assert.ok(max > 0, label);
}

test('a new pool has counted nothing', watched, (t) => {
  const pool = poolFor(t, { minThreads: 0, maxThreads: 1 });
  const { threads, tasks, queueWait, background, workers, stages } = pool.stats();
  assert.equal(threads, 0);
  assert.deepEqual(new Set(Object.values(tasks)), new Set([0]));
  assert.deepEqual(queueWait, { count: 0, mean: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 });
  assert.deepEqual(background, { active: 0, completed: 0, failed: 0 });
  assert.deepEqual(workers, []);
  assert.deepEqual(Object.keys(stages).sort(), [...kStages].sort());
});

test('the outcomes add up to what was accepted', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2, maxQueue: 20 });
  await readyWorkers(pool, 2);
  const controller = new AbortController();
  const words = sharedWords();
  const runs = [
    ...Array.from({ length: 4 }, (_, n) => pool.run(n)),
    ...Array.from({ length: 3 }, () => pool.run('x', { name: 'throwError' })),
    ...Array.from({ length: 2 }, () => pool.run({ bad() {} })),
    pool.run(0, { name: 'returnFunction' }),
    pool.run(0, { name: 'missing' }),
    pool.run({ words }, { name: 'spinForever', signal: controller.signal }),
  ];
  const others = Promise.allSettled(runs.slice(0, -1));
  const settled = Promise.allSettled(runs);
  await until('it computes', () => words[0] === 1);
  controller.abort();
  await Promise.all([others, settled]);
  await Promise.allSettled(Array.from({ length: 30 }, (_, n) => pool.run(n)));
  const { tasks } = pool.stats();
  assert.deepEqual(tasks, {
    accepted: 12 + 22,
    refused: 8,
    completed: 4 + 22,
    failed: 7,
    aborted: 1,
    queueTimedOut: 0,
    timedOut: 0,
    lost: 0,
    cancelled: 0,
    queued: 0,
    inFlight: 0,
  });
  assert.equal(pool.completed, tasks.completed);
});

test('tasks that wait and tasks that run are counted apart', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const busy = blocker(pool);
  await busy.started;
  const runs = Array.from({ length: 3 }, (_, n) => pool.run(n));
  const { tasks, workers } = pool.stats();
  assert.deepEqual([tasks.queued, tasks.inFlight, tasks.accepted], [3, 1, 4]);
  assert.equal(workers[0].tasks.inFlight, 1);
  busy.release();
  await Promise.all(runs);
});

test('each task that ran is in the histograms, and they are in order', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  await Promise.all(Array.from({ length: 500 }, (_, n) => pool.run(n)));
  await Promise.allSettled(Array.from({ length: 20 }, () => pool.run('x', { name: 'throwError' })));
  for (let n = 0; n < 5; n++) await pool.run(1, { name: 'busy' });
  const stats = pool.stats();
  const settled = stats.tasks.completed + stats.tasks.failed;
  assert.equal(settled, 525);
  assert.equal(stats.queueWait.count, settled);
  assert.equal(stats.runTime.count, settled);
  for (const name of ['queueWait', 'runTime', 'wakeLatency']) {
    assertSane(stats[name], name);
    for (const worker of stats.workers) assertSane(worker[name], `${name} of a worker`);
    assert.equal(
      stats[name].count,
      stats.workers.reduce((sum, worker) => sum + worker[name].count, 0),
    );
  }
  assert.ok(stats.runTime.max >= 0.9);
  assert.equal(
    stats.workers.reduce((sum, { tasks }) => sum + tasks.completed + tasks.failed, 0),
    settled,
  );
  assert.equal(stats.threads, 2);
  assert.deepEqual(
    new Set(stats.workers.map(({ threadId }) => threadId)),
    new Set(pool.threads.map(({ threadId }) => threadId)),
  );
});

test('the wake latency of a task for an idle worker is measured', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  await readyWorkers(pool, 1);
  for (let n = 0; n < 10; n++) await pool.run(n);
  const { wakeLatency } = pool.stats();
  assert.ok(wakeLatency.count >= 9, `${wakeLatency.count}`);
  assertSane(wakeLatency, 'wakeLatency');
});

test("the queue wait of a task behind another is that one's run time", watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  await pool.run(0);
  await Promise.all([pool.run(50, { name: 'busy' }), pool.run(0, { name: 'busy' })]);
  const { queueWait, runTime } = pool.stats();
  assert.ok(queueWait.max >= 40, `waited ${queueWait.max} ms`);
  assert.ok(runTime.max >= 45, `ran ${runTime.max} ms`);
});

test("an asynchronous task's run time lasts until its promise settles", watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  await pool.run({ ms: 30 }, { name: 'pause' });
  assert.ok(pool.stats().runTime.max >= 25);
});

test('the totals keep what ended workers did', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 0, maxThreads: 2, idleTimeout: 30 });
  await Promise.all(Array.from({ length: 50 }, (_, n) => pool.run(n)));
  await until('all threads have ended', () => pool.threads.length === 0);
  const words = sharedWords();
  const controller = new AbortController();
  const aborted = assert.rejects(
    pool.run({ words }, { name: 'spinForever', signal: controller.signal }),
  );
  await until('it computes', () => words[0] === 1);
  controller.abort();
  await aborted;
  await pool.close();
  const stats = pool.stats();
  assert.equal(stats.threads, 0);
  assert.deepEqual(stats.workers, []);
  assert.equal(stats.queueWait.count, 50);
  assert.equal(stats.runTime.count, 50);
  if (!portable) assert.ok(stats.stages.parks > 0);
});

test(
  portable ? 'the portable waiter counts no stages' : 'parks and wakes of the workers are counted',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    await readyWorkers(pool, 1);
    for (let n = 0; n < 5; n++) {
      await pool.run(n);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const { stages, ownerStages, workers } = pool.stats();
    assert.deepEqual(Object.keys(stages).sort(), [...kStages].sort());
    assert.deepEqual(workers[0].stages, stages);
    if (portable) {
      for (const counts of [stages, ownerStages])
        assert.deepEqual(new Set(Object.values(counts)), new Set([0]));
    } else {
      assert.ok(stages.parks > 0 && ownerStages.parks > 0);
      assert.ok(stages.wakes > 0 && stages.wakes <= stages.parks + 1);
      assert.ok(stages.spinHits + stages.spinMisses <= stages.spins);
    }
  },
);

class Point {
  constructor(x) {
    this.x = x;
  }
}

test('values are counted by the way they crossed', watched, async (t) => {
  const byPort = process.env.CENOTE_WIRE === 'port';
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const values = [1, { a: 'b' }, new Map([[1, 2]]), Buffer.alloc(100_000), new Point(1)];
  for (const value of values) await pool.run(value, { name: 'echo' });
  const { tasks, results } = pool.stats().wire;
  const ways = ['shared', 'moved', 'full', 'cloned', 'untried', 'transferred'];
  const counts = (of) => ways.map((way) => of[way]);
  assert.deepEqual(counts(tasks), byPort ? [0, 0, 0, 0, 5, 0] : [3, 1, 0, 1, 0, 0]);
  // A copy of an instance is a plain object.
  assert.deepEqual(counts(results), byPort ? [0, 0, 0, 0, 5, 0] : [4, 1, 0, 0, 0, 0]);
  if (!byPort) assert.ok(tasks.bytes > 100_000 && results.bytes > 100_000);
  assert.ok(tasks.cloneMs > 0 && results.cloneMs > 0 === byPort);
  const bytes = new Uint8Array(10);
  await pool.run(bytes, { name: 'echo', transferList: [bytes.buffer] });
  assert.equal(pool.stats().wire.tasks.transferred, 1);
  await pool.threads[0].terminate();
  assert.equal(pool.stats().wire.tasks.transferred, 1, 'those of a thread that ended are kept');
});

test('CENOTE_WIRE=port has all values cloned, and nonsense is refused', watched, async () => {
  const source = `
    import { Pool } from 'cenote';
    const pool = new Pool({ filename: process.env.TASKS, minThreads: 1, maxThreads: 1 });
    const { a } = await pool.run({ a: 1 }, { name: 'echo' });
    const { tasks, results } = pool.stats().wire;
    console.log(a, tasks.untried, results.untried, tasks.shared);
    await pool.close();`;
  const env = { TASKS: fixture('tasks.cjs'), NODE_NO_WARNINGS: '1' };
  const { stdout } = await runProgram(source, { env: { ...env, CENOTE_WIRE: 'port' } });
  assert.equal(stdout, '1 1 1 0\n');
  const wrong = await runProgram(source, { env: { ...env, CENOTE_WIRE: 'pigeon' } });
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /CENOTE_WIRE.*'shared' or 'port'.*'pigeon'/s);
});
