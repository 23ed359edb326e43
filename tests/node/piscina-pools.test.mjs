// What a program can put into a pool of `cenote/piscina` and read off it: queues and balancers of
// its own, events, histograms, numbers, times.
//
// With Piscina 5.3.2 these tests pass too, but for those that say otherwise, and those of what only
// its fork has.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Piscina,
  esm,
  file,
  messages,
  outcome,
  piscinaFor,
  reference,
  settled,
} from './fixtures/piscina/implementation.mjs';
import { blocker, sharedWords, until, watched } from './support/behaviour.mjs';

const { ArrayTaskQueue, FixedQueue, queueOptionsSymbol } = esm;
const oneThread = { minThreads: 1, maxThreads: 1 };
const numbers = (count) => Array.from({ length: count }, (_, i) => i);
const order = (words) => [...words.subarray(1, words[0] + 1)];

/** As in Piscina's documentation: the highest priority first, and by arrival among equals. */
class PriorityQueue {
  items = [];
  calls = { push: 0, shift: 0, remove: 0, unshift: 0 };

  get size() {
    return this.items.length;
  }

  push(task) {
    this.calls.push++;
    const priority = task[queueOptionsSymbol]?.priority ?? 0;
    const at = this.items.findIndex(
      (other) => (other[queueOptionsSymbol]?.priority ?? 0) < priority,
    );
    this.items.splice(at === -1 ? this.items.length : at, 0, task);
  }

  unshift(task) {
    this.calls.unshift++;
    this.items.unshift(task);
  }

  shift() {
    this.calls.shift++;
    return this.items.shift() ?? null;
  }

  remove(task) {
    this.calls.remove++;
    const at = this.items.indexOf(task);
    assert.notEqual(at, -1, 'it was asked to remove what it does not hold');
    this.items.splice(at, 1);
  }
}

const prioritized = (task, priority) => ({ ...task, [queueOptionsSymbol]: { priority } });

test('a queue of the caller decides the order', watched, async (t) => {
  const taskQueue = new PriorityQueue();
  const pool = piscinaFor(t, { ...oneThread, taskQueue, stricterFIFO: true });
  const busy = blocker(pool);
  await busy.started;
  const words = sharedWords(20);
  const priorities = [1, 5, 3, 5, 0, 4];
  const tasks = priorities.map((priority, id) =>
    pool.run(prioritized({ words, id }, priority), { name: 'record' }),
  );
  assert.equal(pool.queueSize, 6);
  assert.equal(taskQueue.size, 6);
  busy.release();
  await outcome(Promise.all(tasks));
  assert.deepEqual(order(words), [1, 3, 5, 2, 0, 4]);
  assert.equal(taskQueue.size, 0);
  assert.equal(pool.options.taskQueue, taskQueue);
});

test('a queue of the caller is given tasks with what the interface says', watched, async (t) => {
  const seen = [];
  const taskQueue = new (class extends PriorityQueue {
    push(task) {
      seen.push(task);
      super.push(task);
    }
  })();
  const pool = piscinaFor(t, { ...oneThread, taskQueue });
  const busy = blocker(pool);
  await busy.started;
  seen.length = 0;
  const options = { some: 'option' };
  const task = pool.run({ [queueOptionsSymbol]: options }, { name: 'echo' });
  assert.equal(seen.length, 1);
  assert.equal(seen[0][queueOptionsSymbol], options);
  assert.equal(seen[0].filename, file('tasks.cjs'));
  assert.equal(seen[0].name, 'echo');
  assert.deepEqual([typeof seen[0].taskId, typeof seen[0].created], ['number', 'number']);
  busy.release();
  await outcome(task);
});

// Piscina asks a queue to remove what it does not hold. Only FixedQueue bears it.
for (const [what, make] of [
  ['FixedQueue', () => new FixedQueue()],
  ['ArrayTaskQueue', () => new ArrayTaskQueue()],
  ['one without unshift', () => Object.assign(new PriorityQueue(), { unshift: undefined })],
]) {
  test(`all tasks of a queue run, whatever is aborted out of it: ${what}`, watched, async (t) => {
    const taskQueue = make();
    const pool = piscinaFor(t, { ...oneThread, taskQueue });
    const busy = blocker(pool);
    await busy.started;
    const controllers = numbers(10).map(() => new AbortController());
    const tasks = numbers(10).map((i) =>
      pool.run(i, { signal: i % 2 === 0 ? controllers[i].signal : undefined }),
    );
    assert.equal(pool.queueSize, 10);
    const all = settled(tasks);
    for (const i of [0, 4, 8]) controllers[i].abort();
    assert.equal(pool.queueSize, 7);
    busy.release();
    assert.deepEqual(
      messages(await all),
      numbers(10).map((i) => (i % 4 === 0 ? 'The task has been aborted' : i)),
    );
    assert.equal(taskQueue.size, 0);
  });
}

test('the two queues of the package are queues', watched, () => {
  for (const queue of [new FixedQueue(), new ArrayTaskQueue()]) {
    const items = numbers(5_000).map((id) => ({ id, [queueOptionsSymbol]: null }));
    for (const item of items) queue.push(item);
    assert.equal(queue.size, 5_000);
    for (const i of [0, 2_500, 4_999]) queue.remove(items[i]);
    assert.equal(queue.size, 4_997);
    const out = [];
    for (let item = queue.shift(); item !== null; item = queue.shift()) out.push(item.id);
    assert.deepEqual(
      out,
      numbers(5_000).filter((i) => ![0, 2_500, 4_999].includes(i)),
    );
    assert.equal(queue.size, 0);
    assert.equal(queue.shift(), null);
  }
});

test('a balancer of the caller keeps tasks on the worker it names', watched, async (t) => {
  const homes = new Map();
  const seen = [];
  const pool = piscinaFor(t, {
    minThreads: 2,
    maxThreads: 2,
    loadBalancer: (task, workers) => {
      seen.push([task, workers]);
      const home = task.name === 'threadId' ? 0 : 1;
      if (!homes.has(home)) {
        const free = workers.find((worker) => ![...homes.values()].includes(worker.id));
        if (free === undefined) return null;
        homes.set(home, free.id);
      }
      return (
        workers.find((worker) => worker.id === homes.get(home) && worker.currentUsage === 0) ?? null
      );
    },
  });
  const first = await outcome(pool.run(undefined, { name: 'threadId' }));
  const other = (await outcome(pool.run(undefined, { name: 'rawWorkerData' }))).threadId;
  assert.notEqual(first, other);
  const mixed = numbers(10).map((i) =>
    i % 2 === 0
      ? pool.run(undefined, { name: 'threadId' })
      : pool.run(undefined, { name: 'rawWorkerData' }).then(({ threadId }) => threadId),
  );
  assert.deepEqual(
    await outcome(Promise.all(mixed)),
    numbers(10).map((i) => (i % 2 === 0 ? first : other)),
  );
  const [task, workers] = seen.at(-1);
  assert.deepEqual(
    [typeof task.taskId, task.filename, typeof task.name, typeof task.created, task.isAbortable],
    ['number', file('tasks.cjs'), 'string', 'number', false],
  );
  assert.equal(workers.length, 2);
  for (const worker of workers) {
    assert.deepEqual(
      [
        typeof worker.id,
        typeof worker.currentUsage,
        worker.isRunningAbortableTask,
        worker.histogram,
      ],
      ['number', 'number', false, null],
    );
    assert.deepEqual([worker.terminating, worker.destroyed], [false, false]);
  }
});

test(
  'a balancer sees which tasks can be aborted, and which workers run one',
  watched,
  async (t) => {
    const seen = [];
    const pool = piscinaFor(t, {
      ...oneThread,
      concurrentTasksPerWorker: 2,
      loadBalancer: (task, [worker]) => {
        seen.push([task.isAbortable, worker?.isRunningAbortableTask, worker?.currentUsage]);
        return worker?.currentUsage === 0 ? worker : null;
      },
    });
    const words = sharedWords();
    const { signal } = new AbortController();
    const running = pool.run({ words }, { name: 'hold', signal });
    await until('the task runs', () => Atomics.load(words, 0) === 1);
    const queued = pool.run(1);
    assert.deepEqual([seen[0][0], seen.at(-1)], [true, [false, true, Infinity]]);
    Atomics.store(words, 1, 1);
    assert.equal(await outcome(queued), 1);
    await outcome(running);
  },
);

for (const [what, answer] of [
  ['nothing', () => null],
  ['undefined', () => undefined],
  ['something that is no worker', () => ({ id: 1, currentUsage: 0 })],
  ['a copy of a worker', ([worker]) => ({ id: worker?.id, currentUsage: worker?.currentUsage })],
]) {
  test(
    `a task for which a balancer names ${what} waits; it is asked again when a task ends`,
    watched,
    async (t) => {
      let open = true;
      const pool = piscinaFor(t, {
        ...oneThread,
        concurrentTasksPerWorker: 2,
        loadBalancer: (task, workers) => (open ? (workers[0] ?? null) : answer(workers)),
      });
      const busy = blocker(pool);
      await busy.started;
      open = false;
      const waiting = [pool.run(1), pool.run(2)];
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(pool.queueSize, 2);
      open = true;
      busy.release();
      assert.deepEqual(await outcome(Promise.all(waiting)), [1, 2]);
    },
  );
}

test(
  'what a balancer throws where run() calls it reaches the caller, and the pool goes on',
  watched,
  async (t) => {
    let broken = false;
    const pool = piscinaFor(t, {
      ...oneThread,
      loadBalancer: (task, workers) => {
        if (broken) throw new RangeError('no balance');
        return workers.find(({ currentUsage }) => currentUsage === 0) ?? null;
      },
    });
    assert.equal(await outcome(pool.run(1)), 1);
    broken = true;
    await assert.rejects(async () => outcome(pool.run(2)), {
      name: 'RangeError',
      message: 'no balance',
    });
    broken = false;
    assert.equal(await outcome(pool.run(3)), 3);
  },
);

// With Piscina a thread that is destroyed before it was ready has only the second event.
test(
  'workerCreate and workerDestroy come once for each thread, with one id each',
  watched,
  async (t) => {
    const pool = piscinaFor(t, { minThreads: 1, maxThreads: 3 });
    const [created, destroyed] = [[], []];
    pool.on('workerCreate', (worker) => created.push(worker));
    pool.on('workerDestroy', (worker) => destroyed.push(worker));
    const busy = numbers(3).map(() => blocker(pool));
    for (const { started } of busy) await started;
    // A task may run before its thread is known to be ready.
    await until('all are announced', () => created.length === 3);
    assert.deepEqual(new Set(created.map(({ id }) => id)).size, 3);
    assert.deepEqual(
      created.map(({ id }) => id).sort(),
      pool.threads.map(({ threadId }) => threadId).sort(),
    );
    for (const { release } of busy) release();
    await outcome(Promise.all(busy.map(({ done }) => done)));
    const words = sharedWords();
    const controller = new AbortController();
    const aborted = pool.run({ words }, { name: 'spinForever', signal: controller.signal });
    await until('the task runs', () => Atomics.load(words, 0) === 1);
    controller.abort();
    await assert.rejects(outcome(aborted), { name: 'AbortError' });
    await outcome(pool.destroy());
    await until('each is gone', () => destroyed.length === created.length);
    assert.equal(new Set(destroyed).size, destroyed.length);
    for (const worker of destroyed) assert.equal(worker.destroyed, true);
  },
);

const summaryKeys =
  'average mean stddev min max p0_001 p0_01 p0_1 p1 p2_5 p10 p25 p50 p75 p90 p97_5 p99 p99_9 p99_99 p99_999'.split(
    ' ',
  );

test('histograms have their keys, fill, and are reset apart', watched, async (t) => {
  const pool = piscinaFor(t, oneThread);
  await outcome(Promise.all(numbers(5).map(() => pool.run({ ms: 2 }, { name: 'pause' }))));
  const { runTime, waitTime } = pool.histogram;
  assert.deepEqual(Object.keys(runTime), summaryKeys);
  assert.deepEqual(Object.keys(waitTime), summaryKeys);
  // A timer of 2 ms may fire a little early.
  assert.ok(runTime.min >= 1 && runTime.max < 20_000, `${runTime.min} to ${runTime.max} ms`);
  assert.ok(runTime.p50 >= runTime.min && runTime.p99 <= runTime.max);
  assert.equal(runTime.average, runTime.mean);
  const waited = pool.histogram.waitTime.max;
  assert.ok(waited > 0);
  pool.histogram.resetRunTime();
  assert.equal(pool.histogram.runTime.max, 0);
  assert.equal(pool.histogram.waitTime.max, waited);
  pool.histogram.resetWaitTime();
  assert.equal(pool.histogram.waitTime.max, 0);
  await outcome(pool.run({ ms: 2 }, { name: 'pause' }));
  assert.ok(pool.histogram.runTime.max >= 1);
});

test('recordTiming: false records nothing', watched, async (t) => {
  const pool = piscinaFor(t, { ...oneThread, recordTiming: false });
  await outcome(pool.run(1));
  assert.deepEqual(
    [pool.histogram.runTime, pool.histogram.waitTime, pool.utilization],
    [undefined, undefined, 0],
  );
  pool.histogram.resetRunTime();
  pool.histogram.resetWaitTime();
});

test('workerHistogram gives each worker one', watched, async (t) => {
  const workers = [];
  const pool = piscinaFor(t, { ...oneThread, workerHistogram: true });
  pool.on('workerCreate', (worker) => workers.push(worker));
  await outcome(pool.run({ ms: 5 }, { name: 'pause' }));
  assert.deepEqual(Object.keys(workers[0].histogram), summaryKeys);
  assert.ok(workers[0].histogram.max > 0);
});

test('utilization, duration and completed are what happened', watched, async (t) => {
  const pool = piscinaFor(t, { minThreads: 2, maxThreads: 2 });
  assert.deepEqual([pool.utilization, pool.completed], [0, 0]);
  const begun = pool.duration;
  await outcome(Promise.all(numbers(6).map(() => pool.run({ ms: 5 }, { name: 'pause' }))));
  await assert.rejects(outcome(pool.run('x', { name: 'throwPlain' })));
  assert.equal(pool.completed, 7);
  assert.ok(pool.duration > begun);
  assert.ok(pool.utilization > 0 && pool.utilization <= 1, `${pool.utilization}`);
});

test(
  'a pool shrinks to minThreads with idleTimeout: 0, and not with Infinity',
  watched,
  async (t) => {
    for (const [idleTimeout, left] of [
      [0, 1],
      [Infinity, 3],
    ]) {
      const pool = piscinaFor(t, { minThreads: 1, maxThreads: 3, idleTimeout });
      const busy = numbers(3).map(() => blocker(pool));
      for (const { started } of busy) await started;
      assert.equal(pool.threads.length, 3);
      assert.equal(pool.idleThreads, 0);
      for (const { release } of busy) release();
      await outcome(Promise.all(busy.map(({ done }) => done)));
      if (left < 3) await until('it shrank', () => pool.threads.length === left);
      else {
        await outcome(pool.run({ ms: 30 }, { name: 'pause' }));
        assert.equal(pool.threads.length, left);
      }
      await until('all idle', () => pool.idleThreads === left);
      assert.equal(await outcome(pool.run('next')), 'next');
    }
  },
);

test('options say what is in force', watched, (t) => {
  const pool = piscinaFor(t, { minThreads: 1, maxThreads: 3, maxQueue: 'auto', idleTimeout: 5 });
  const { minThreads, maxThreads, maxQueue, idleTimeout, concurrentTasksPerWorker, atomics, name } =
    pool.options;
  assert.deepEqual([minThreads, maxThreads, maxQueue, idleTimeout], [1, 3, 9, 5]);
  assert.deepEqual([concurrentTasksPerWorker, atomics, name], [1, 'sync', 'default']);
  assert.deepEqual([pool.minThreads, pool.maxThreads], [1, 3]);
  assert.equal(Object.getPrototypeOf(pool.options), null);
  assert.equal(piscinaFor(t, { minThreads: 0, maxThreads: 1.5 }).maxThreads, 1.5);
});

test(
  'a close() that takes longer than closeTimeout is an error event, and rejects what runs',
  watched,
  async (t) => {
    const pool = piscinaFor(t, { ...oneThread, closeTimeout: 100 });
    const words = sharedWords();
    const running = pool.run({ words }, { name: 'spinForever' });
    const closed = new Promise((resolve) => pool.once('close', resolve));
    await until('the task runs', () => Atomics.load(words, 0) === 1);
    const all = settled([running, pool.run('queued')]);
    await outcome(pool.close());
    await outcome(closed);
    assert.deepEqual(
      pool.errors.map(({ message }) => message),
      ['Close operation timed out'],
    );
    assert.deepEqual(messages(await all), [
      'Terminating worker thread',
      'Terminating worker thread',
    ]);
  },
);

if (!reference) {
  test('broadcastTask runs a task once on each thread', watched, async (t) => {
    const pool = piscinaFor(t, { minThreads: 3, maxThreads: 3 });
    await outcome(Promise.all(numbers(3).map(() => pool.run(1))));
    const ids = await outcome(pool.broadcastTask(undefined, { name: 'threadId' }));
    assert.deepEqual(ids.sort(), pool.threads.map(({ threadId }) => threadId).sort());
    await assert.rejects(outcome(pool.broadcastTask('x', { name: 'throwPlain' })));
    assert.equal(await outcome(pool.run('next')), 'next');
  });

  test('atomicsTimeout is checked, and changes nothing', watched, async (t) => {
    const message = 'options.atomicsTimeout must be a non-negative integer';
    for (const atomicsTimeout of ['5', 0, -1, null, {}]) {
      assert.throws(() => new Piscina({ atomicsTimeout }), { name: 'TypeError', message });
    }
    const pool = piscinaFor(t, { ...oneThread, atomicsTimeout: 5_000 });
    assert.equal(await outcome(pool.run(1)), 1);
  });
}
