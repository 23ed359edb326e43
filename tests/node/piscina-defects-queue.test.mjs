// The queue of `cenote/piscina` does what Piscina says of its own: a limit for all tasks, first in,
// first out, refused tasks that never run, `needsDrain` and `drain` for every size of pool.
//
// Each of these tests fails with Piscina 5.3.2 unless it says otherwise.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Piscina,
  messages,
  outcome,
  piscinaFor,
  settled,
} from './fixtures/piscina/implementation.mjs';
import { blocker, sharedWords, until, watched } from './support/behaviour.mjs';

const oneThread = { minThreads: 1, maxThreads: 1 };
const signal = () => new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

for (const [which, signalOf] of [
  ['all with a signal', signal],
  ['every other with a signal', (i) => (i % 2 === 0 ? signal() : undefined)],
]) {
  test(`maxQueue binds tasks ${which}`, watched, async (t) => {
    const pool = piscinaFor(t, { ...oneThread, maxQueue: 2 });
    const busy = blocker(pool);
    await busy.started;
    const words = sharedWords();
    const all = settled(
      Array.from({ length: 10 }, (_, i) =>
        pool.run({ words }, { name: 'count', signal: signalOf(i) }),
      ),
    );
    assert.equal(pool.queueSize, 2);
    await turn();
    busy.release();
    assert.deepEqual(messages(await all), [0, 1, ...new Array(8).fill('Task queue is at limit')]);
    assert.equal(await outcome(pool.run('later')), 'later');
    assert.equal(words[0], 2);
  });
}

test(
  "maxQueue: 'auto' is the square of maxThreads, and binds tasks with a signal",
  watched,
  async (t) => {
    const pool = piscinaFor(t, { minThreads: 2, maxThreads: 2, maxQueue: 'auto' });
    assert.equal(pool.options.maxQueue, 4);
    const busy = [blocker(pool), blocker(pool)];
    for (const { started } of busy) await started;
    const all = settled(Array.from({ length: 6 }, (_, i) => pool.run(i, { signal: signal() })));
    await turn();
    for (const { release } of busy) release();
    assert.deepEqual(messages(await all), [
      0,
      1,
      2,
      3,
      'Task queue is at limit',
      'Task queue is at limit',
    ]);
  },
);

// The first half passes with Piscina, whose queue has no limit for tasks with a signal.
test('a queued task that is aborted makes room', watched, async (t) => {
  const pool = piscinaFor(t, { ...oneThread, maxQueue: 1 });
  const busy = blocker(pool);
  await busy.started;
  const controller = new AbortController();
  const aborted = pool.run(1, { signal: controller.signal });
  await assert.rejects(outcome(pool.run(2, { signal: signal() })), {
    message: 'Task queue is at limit',
  });
  controller.abort();
  await assert.rejects(outcome(aborted), { name: 'AbortError' });
  const accepted = pool.run(3, { signal: signal() });
  await assert.rejects(outcome(pool.run(4)), { message: 'Task queue is at limit' });
  busy.release();
  assert.equal(await outcome(accepted), 3);
});

for (const options of [
  { maxQueue: 0 },
  { maxQueue: 0, minThreads: 0 },
  { maxQueue: 0, concurrentTasksPerWorker: 2 },
]) {
  test(`a task that is refused never runs: ${JSON.stringify(options)}`, watched, async (t) => {
    const pool = piscinaFor(t, { ...oneThread, ...options });
    const busy = [];
    // One turn apart, so that the limit sees a worker that is there.
    for (let i = 0; i < (options.concurrentTasksPerWorker ?? 1); i++) {
      const words = sharedWords();
      busy.push({ words, done: pool.run({ words }, { name: 'hold' }) });
      await until('the task runs', () => Atomics.load(words, 0) === 1);
    }
    const words = sharedWords();
    for (const each of [undefined, signal()]) {
      await assert.rejects(outcome(pool.run({ words }, { name: 'count', signal: each })), {
        message: 'No task queue available and all Workers are busy',
      });
    }
    for (const one of busy) {
      Atomics.store(one.words, 1, 1);
      await outcome(one.done);
    }
    assert.equal(await outcome(pool.run('later')), 'later');
    await outcome(pool.close());
    assert.equal(words[0], 0);
  });
}

const order = (words) => [...words.subarray(1, words[0] + 1)];
const numbers = (count) => Array.from({ length: count }, (_, i) => i);

for (const [how, signalOf] of [
  ['without signals', () => undefined],
  ['with signals', signal],
  ['with and without signals', (i) => (i % 3 === 1 ? signal() : undefined)],
]) {
  for (const minThreads of [0, 1]) {
    test(
      `one worker runs tasks first in, first out: ${how}, minThreads ${minThreads}`,
      watched,
      async (t) => {
        const pool = piscinaFor(t, { minThreads, maxThreads: 1 });
        const words = sharedWords(20);
        const first = numbers(8).map((id) =>
          pool.run({ words, id }, { name: 'record', signal: signalOf(id) }),
        );
        await outcome(Promise.all(first));
        assert.deepEqual(order(words), numbers(8));
        const busy = blocker(pool);
        await busy.started;
        words.fill(0);
        const second = numbers(16).map((id) =>
          pool.run({ words, id }, { name: 'record', signal: signalOf(id) }),
        );
        busy.release();
        await outcome(Promise.all(second));
        assert.deepEqual(order(words), numbers(16));
      },
    );
  }
}

test('tasks that come while others finish go behind those that wait', watched, async (t) => {
  const pool = piscinaFor(t, oneThread);
  const words = sharedWords(40);
  const later = [];
  const first = numbers(10).map((id) =>
    pool.run({ words, id }, { name: 'record' }).then(() => {
      later.push(
        pool.run(
          { words, id: 10 + id },
          { name: 'record', signal: id % 2 === 0 ? signal() : undefined },
        ),
      );
    }),
  );
  await outcome(Promise.all(first));
  await outcome(Promise.all(later));
  assert.deepEqual(order(words), numbers(20));
});

/** How often each event came, and `needsDrain` when it did. */
function watchDrain(pool) {
  const events = [];
  pool.on('needsDrain', () => events.push(['needsDrain', pool.needsDrain]));
  pool.on('drain', () => events.push(['drain', pool.needsDrain]));
  return events;
}

for (const [what, options, capacity] of [
  ['a fraction of a thread', { minThreads: 1, maxThreads: 1.5 }, 2],
  ['a fraction, from no thread', { minThreads: 0, maxThreads: 2.5 }, 3],
  [
    'an odd number of tasks at once',
    { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 3 },
    3,
  ],
  [
    'a fraction, several tasks at once',
    { minThreads: 1, maxThreads: 1.5, concurrentTasksPerWorker: 3 },
    6,
  ],
  ['whole numbers', { minThreads: 2, maxThreads: 2 }, 2],
]) {
  test(
    `needsDrain and drain come once each time the pool fills and empties: ${what}`,
    watched,
    async (t) => {
      const pool = piscinaFor(t, options);
      assert.equal(pool.needsDrain, false);
      const events = watchDrain(pool);
      for (let round = 1; round <= 2; round++) {
        const words = sharedWords();
        const tasks = numbers(capacity).map((i) => {
          assert.equal(pool.needsDrain, false, `with ${i} of ${capacity}`);
          return pool.run({ words }, { name: 'hold' });
        });
        assert.equal(pool.needsDrain, true);
        // More than it can run does not fill it again.
        tasks.push(pool.run('more'), pool.run('more'));
        await until('all run', () => Atomics.load(words, 0) === capacity);
        await until('the event', () => events.length === 2 * round - 1);
        Atomics.store(words, 1, 1);
        await outcome(Promise.all(tasks));
        assert.equal(await outcome(pool.run('next')), 'next');
        await until('the event', () => events.length === 2 * round);
        assert.equal(pool.needsDrain, false);
        const expected = [
          ['needsDrain', true],
          ['drain', false],
        ];
        assert.deepEqual(
          events,
          numbers(2 * round).map((i) => expected[i % 2]),
        );
      }
    },
  );
}

test('needsDrain and drain come for tasks with a signal too', watched, async (t) => {
  const pool = piscinaFor(t, { minThreads: 1, maxThreads: 1 });
  const events = watchDrain(pool);
  const controller = new AbortController();
  const words = sharedWords();
  const running = pool.run({ words }, { name: 'hold', signal: signal() });
  const queued = pool.run(1, { signal: controller.signal });
  assert.equal(pool.needsDrain, true);
  await until('the task runs', () => Atomics.load(words, 0) === 1);
  controller.abort();
  await assert.rejects(outcome(queued), { name: 'AbortError' });
  assert.equal(pool.needsDrain, true, 'one runs still');
  Atomics.store(words, 1, 1);
  await outcome(running);
  await until('the event', () => events.length === 2);
  assert.deepEqual(events, [
    ['needsDrain', true],
    ['drain', false],
  ]);
});

test('drain comes when a full pool empties by aborts, errors and crashes', watched, async (t) => {
  for (const empty of [
    (pool, words, { signal: its, controller }) => {
      const task = pool.run({ words }, { name: 'spinForever', signal: its });
      return { task, go: () => controller.abort() };
    },
    (pool, words) => ({
      task: pool.run({ words, code: 1 }, { name: 'exit' }),
      go: () => Atomics.store(words, 1, 1),
    }),
  ]) {
    const pool = piscinaFor(t, { minThreads: 0, maxThreads: 1 });
    const events = watchDrain(pool);
    const controller = new AbortController();
    const words = sharedWords();
    const { task, go } = empty(pool, words, { controller, signal: controller.signal });
    assert.equal(pool.needsDrain, true);
    await until('the task runs', () => Atomics.load(words, 0) === 1);
    go();
    const [{ status }] = await settled([task]);
    assert.equal(status, 'rejected');
    await until('the event', () => events.length === 2);
    assert.equal(pool.needsDrain, false);
  }
});

// Back pressure as the documentation of Piscina has it.
test(
  'a source that stops at needsDrain and goes on at drain runs all its tasks',
  watched,
  async (t) => {
    const pool = piscinaFor(t, { minThreads: 1, maxThreads: 2 });
    let most = 0;
    const results = [];
    for (let i = 0; i < 60; i++) {
      results.push(pool.run({ ms: 1, value: i }, { name: 'pause' }));
      most = Math.max(most, pool.queueSize);
      if (pool.needsDrain) await new Promise((resolve) => pool.once('drain', resolve));
    }
    assert.deepEqual(await outcome(Promise.all(results)), numbers(60));
    assert.ok(most <= 2, `${most} in the queue`);
  },
);

test('a queue of thousands aborts, runs and closes to the last task', watched, async (t) => {
  // Passes with Piscina as well; more than one segment of its FixedQueue.
  const pool = piscinaFor(t, { ...oneThread, taskQueue: new Piscina.FixedQueue() });
  const busy = blocker(pool);
  await busy.started;
  const controller = new AbortController();
  const tasks = numbers(5_000).map((i) =>
    pool.run(i, { signal: i % 2 === 0 ? controller.signal : undefined }),
  );
  assert.equal(pool.queueSize, 5_000);
  controller.abort();
  assert.equal(pool.queueSize, 2_500);
  busy.release();
  const closing = pool.close();
  const outcomes = messages(await settled(tasks));
  assert.deepEqual(
    outcomes,
    numbers(5_000).map((i) => (i % 2 === 0 ? 'The task has been aborted' : i)),
  );
  await outcome(closing);
});

// Both pass with Piscina.
test('as many tasks as there are places begin, though their caller blocks', watched, async (t) => {
  const pool = piscinaFor(t, { minThreads: 2, maxThreads: 2 });
  const words = sharedWords();
  // They are known to be short, so that one may go behind another.
  for (let i = 0; i < 50; i++) await pool.run({ words }, { name: 'count' });
  for (let i = 0; i < 20; i++) {
    words[0] = 0;
    const all = [0, 1, 2].map(() => pool.run({ words }, { name: 'count' }));
    for (const until = performance.now() + 20_000; Atomics.load(words, 0) < 2;)
      assert.ok(performance.now() < until, `${words[0]} have begun`);
    await Promise.all(all);
  }
});

test('short tasks that go behind others take no place in the queue', watched, async (t) => {
  const pool = piscinaFor(t, { minThreads: 2, maxThreads: 2, maxQueue: 1 });
  for (let i = 0; i < 50; i++) await pool.run(i);
  for (let i = 0; i < 20; i++) {
    const both = [pool.run(0), pool.run(1)];
    assert.equal(pool.queueSize, 0);
    const all = settled([...both, pool.run(2), pool.run(3)]);
    assert.deepEqual(messages(await all), [0, 1, 2, 'Task queue is at limit']);
  }
});
