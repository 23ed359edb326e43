// `cenote/piscina` as programs meet it before any task runs: its exports, statics, options, queues
// and types.

import assert from 'node:assert/strict';
import { EventEmitter, EventEmitterAsyncResource } from 'node:events';
import { availableParallelism } from 'node:os';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { MessageChannel, MessagePort } from 'node:worker_threads';
import * as esm from 'cenote/piscina';
import { watched } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const Piscina = require('cenote/piscina');
const { ArrayTaskQueue, FixedQueue, move, queueOptionsSymbol, transferableSymbol, valueSymbol } =
  Piscina;

/** A pool without threads, which is never used. */
const pool = (options) => new Piscina({ minThreads: 0, ...options });

test('require gives the class itself, with Piscina as a member of it', watched, () => {
  assert.equal(typeof Piscina, 'function');
  assert.equal(Piscina.name, 'Piscina');
  assert.equal(Piscina.Piscina, Piscina);
  assert.equal(Piscina.__esModule, undefined);
  assert.equal(Piscina.default, undefined);
  assert.equal(Piscina.version, '5.3.2');
  assert.equal(Piscina.isWorkerThread, false);
  assert.equal(Piscina.workerData, undefined);
});

test('import gives the same, as the default and by name', watched, () => {
  const statics = Object.getOwnPropertyNames(Piscina).filter(
    (name) => !['length', 'name', 'prototype'].includes(name),
  );
  assert.deepEqual(Object.keys(esm).sort(), [...statics, 'default'].sort());
  assert.equal(esm.default, Piscina);
  for (const name of statics) assert.equal(esm[name], Piscina[name], name);
  assert.deepEqual(statics.sort(), [
    'ArrayTaskQueue',
    'FixedQueue',
    'Piscina',
    'isWorkerThread',
    'move',
    'queueOptionsSymbol',
    'transferableSymbol',
    'valueSymbol',
    'version',
    'workerData',
  ]);
});

test('its symbols are those of Piscina', watched, () => {
  assert.equal(transferableSymbol, Symbol.for('Piscina.transferable'));
  assert.equal(valueSymbol, Symbol.for('Piscina.valueOf'));
  assert.equal(queueOptionsSymbol, Symbol.for('Piscina.queueOptions'));
});

test('a pool is an event emitter, and an async resource of the type Piscina', watched, () => {
  const made = pool();
  assert.ok(made instanceof EventEmitter);
  assert.ok(made instanceof EventEmitterAsyncResource);
  assert.ok(made.asyncId > 0);
  const members = ['run', 'broadcastTask', 'close', 'destroy', Symbol.dispose, Symbol.asyncDispose];
  for (const name of members) assert.equal(typeof made[name], 'function', String(name));
});

test('options that are left out are filled in as Piscina fills them', watched, () => {
  const made = pool();
  const { options } = made;
  assert.equal(Object.getPrototypeOf(options), null);
  const { taskQueue, ...rest } = options;
  assert.ok(taskQueue instanceof FixedQueue);
  assert.deepEqual(
    { ...rest },
    {
      trackUnmanagedFds: true,
      filename: null,
      name: 'default',
      minThreads: 0,
      maxThreads: availableParallelism() * 1.5,
      idleTimeout: 0,
      maxQueue: Infinity,
      concurrentTasksPerWorker: 1,
      atomics: 'sync',
      niceIncrement: 0,
      closeTimeout: 30_000,
      recordTiming: true,
      stricterFIFO: false,
      workerHistogram: false,
    },
  );
  assert.notEqual(pool().options.taskQueue, taskQueue);
  assert.equal(made.maxThreads, options.maxThreads);
  assert.equal(made.minThreads, 0);
});

test(
  'the limits of threads move each other, and maxQueue: auto is the square of maxThreads',
  watched,
  () => {
    const limits = ({ options }) => [options.minThreads, options.maxThreads];
    const few = new Piscina({ maxThreads: 1 });
    assert.deepEqual(limits(few), [1, 1]);
    const many = Math.ceil(availableParallelism() * 1.5) + 1;
    // Made in a way that starts no threads.
    assert.deepEqual(limits(pool({ maxThreads: many })), [0, many]);
    assert.equal(pool({ maxThreads: 3, maxQueue: 'auto' }).options.maxQueue, 9);
    return few.destroy();
  },
);

test('options keep what was passed, as a path where it was a file: string', watched, () => {
  const filename = new URL('fixtures/piscina/tasks.cjs', import.meta.url);
  const queue = new ArrayTaskQueue();
  const { options } = pool({
    filename: filename.href,
    taskQueue: queue,
    maxThreads: 1.5,
    atomicsTimeout: 5_000,
  });
  assert.equal(options.filename, filename.pathname);
  assert.equal(options.taskQueue, queue);
  assert.equal(options.maxThreads, 1.5);
  assert.equal(options.atomicsTimeout, 5_000);
});

test('what an option inherits is no option', watched, () => {
  assert.equal(pool(Object.create({ name: 'inherited' })).options.name, 'default');
});

for (const [options, message] of [
  [{ filename: 12 }, 'options.filename must be a string or null'],
  [{ filename: new URL(import.meta.url) }, 'options.filename must be a string or null'],
  [{ name: 0 }, 'options.name must be a string or null'],
  [{ minThreads: -1 }, 'options.minThreads must be a non-negative integer'],
  [{ minThreads: 'x' }, 'options.minThreads must be a non-negative integer'],
  [{ maxThreads: 0 }, 'options.maxThreads must be a positive integer'],
  [{ maxThreads: NaN }, 'options.maxThreads must be a positive integer'],
  [{ idleTimeout: -1 }, 'options.idleTimeout must be a non-negative integer'],
  [{ maxQueue: 'much' }, 'options.maxQueue must be a non-negative integer'],
  [{ concurrentTasksPerWorker: 0 }, 'options.concurrentTasksPerWorker must be a positive integer'],
  [{ atomics: 'maybe' }, 'options.atomics should be a value of sync, sync or disabled.'],
  [{ atomicsTimeout: 0 }, 'options.atomicsTimeout must be a non-negative integer'],
  [{ atomicsTimeout: '1' }, 'options.atomicsTimeout must be a non-negative integer'],
  [{ resourceLimits: null }, 'options.resourceLimits must be an object'],
  [
    { taskQueue: { size: 0, push() {}, shift() {} } },
    'options.taskQueue must be a TaskQueue object',
  ],
  [{ niceIncrement: '1' }, 'options.niceIncrement must be a non-negative integer on Unix systems'],
  [{ trackUnmanagedFds: 1 }, 'options.trackUnmanagedFds must be a boolean value'],
  [{ closeTimeout: -1 }, 'options.closeTimeout must be a non-negative integer'],
  [{ loadBalancer: () => null }, 'options.loadBalancer must be a function with at least two args'],
  [{ workerHistogram: 1 }, 'options.workerHistogram must be a boolean'],
  [{ stricterFIFO: 1 }, 'options.stricterFIFO must be a boolean'],
]) {
  test(
    `new Piscina(${Object.keys(options)[0]}: ${String(Object.values(options)[0])}) is a TypeError`,
    watched,
    () => {
      assert.throws(() => new Piscina(options), { name: 'TypeError', message });
    },
  );
}

test(
  'limits of threads that conflict are a RangeError, before later options are looked at',
  watched,
  () => {
    assert.throws(() => new Piscina({ minThreads: 3, maxThreads: 2, idleTimeout: -1 }), {
      name: 'RangeError',
      message: 'options.minThreads and options.maxThreads must not conflict',
    });
  },
);

test('a call with wrong options rejects, and throws nothing', watched, async () => {
  const made = pool();
  for (const [options, message] of [
    [null, 'options must be an object'],
    [1, 'options must be an object'],
    [{ transferList: 42 }, 'transferList argument must be an Array'],
    [{ filename: 42 }, 'filename argument must be a string'],
    [{ name: 42 }, 'name argument must be a string'],
    [{ signal: 42 }, 'signal argument must be an object'],
  ]) {
    const expected = { name: 'TypeError', message };
    await assert.rejects(made.run(1, options), expected);
    await assert.rejects(made.broadcastTask(1, options), expected);
  }
  await assert.rejects(made.run(1), {
    message: 'filename must be provided to run() or in options object',
  });
  await assert.rejects(made.close(null), {
    name: 'TypeError',
    message: 'options must be an object',
  });
  await assert.rejects(made.close({ force: 1 }), {
    name: 'TypeError',
    message: 'force argument must be a boolean',
  });
  assert.equal(made.threads.length, 0);
});

test(
  'histograms have the keys of Piscina, or are undefined where nothing is recorded',
  watched,
  () => {
    const { histogram } = pool();
    const percentiles = [
      '0_001',
      '0_01',
      '0_1',
      '1',
      '2_5',
      '10',
      '25',
      '50',
      '75',
      '90',
      '97_5',
      '99',
      '99_9',
      '99_99',
    ];
    const keys = [
      'average',
      'mean',
      'stddev',
      'min',
      'max',
      ...[...percentiles, '99_999'].map((at) => `p${at}`),
    ];
    assert.deepEqual(Object.keys(histogram.runTime), keys);
    assert.deepEqual(Object.keys(histogram.waitTime), keys);
    assert.deepEqual(Object.keys(histogram), [
      'runTime',
      'waitTime',
      'resetRunTime',
      'resetWaitTime',
    ]);
    const none = pool({ recordTiming: false });
    assert.equal(none.histogram.runTime, undefined);
    assert.equal(none.histogram.waitTime, undefined);
    assert.equal(none.utilization, 0);
  },
);

test('move marks objects, and returns everything else as it is', watched, () => {
  for (const value of [null, undefined, 1, 'text', false, Piscina])
    assert.equal(move(value), value);
  const buffer = new ArrayBuffer(8);
  assert.equal(move(buffer)[transferableSymbol], buffer);
  assert.equal(move(buffer)[valueSymbol], buffer);
  const view = new Uint8Array(buffer, 2);
  assert.equal(move(view)[transferableSymbol], buffer);
  assert.equal(move(view)[valueSymbol], view);
  const { port1 } = new MessageChannel();
  assert.ok(move(port1)[transferableSymbol] instanceof MessagePort);
  port1.close();
  const own = { [transferableSymbol]: [buffer], [valueSymbol]: { buffer } };
  assert.equal(move(own), own);
  assert.deepEqual(Object.keys(own), []);
  const frozen = Object.freeze({ [transferableSymbol]: [buffer], [valueSymbol]: 1 });
  assert.equal(move(frozen)[valueSymbol], 1);
  assert.deepEqual(move(new Uint8Array(new SharedArrayBuffer(1)))[transferableSymbol], []);
});

/** Deterministic numbers from 0 to 1 (mulberry32). */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

for (const Queue of [FixedQueue, ArrayTaskQueue]) {
  test(
    `${Queue.name}: 10,000 tasks, pushed, unshifted and removed at random, come out in order`,
    watched,
    () => {
      const random = randomFrom(7);
      const queue = new Queue();
      const expected = [];
      assert.equal(queue.shift(), null);
      for (let i = 0; i < 10_000; i++) {
        const task = { i };
        if (random() < 0.6) {
          queue.push(task);
          expected.push(task);
        } else {
          queue.unshift(task);
          expected.unshift(task);
        }
        if (random() < 0.2)
          queue.remove(expected.splice(Math.floor(random() * expected.length), 1)[0]);
        if (random() < 0.1) assert.equal(queue.shift(), expected.shift() ?? null);
        assert.equal(queue.size, expected.length);
      }
      assert.ok(expected.length > 3_000);
      for (const task of expected) assert.equal(queue.shift(), task);
      assert.equal(queue.shift(), null);
      assert.equal(queue.size, 0);
    },
  );
}

test(
  'FixedQueue: removing what is not in it does nothing; ArrayTaskQueue: it throws',
  watched,
  () => {
    const fixed = new FixedQueue();
    assert.equal(fixed.isEmpty(), true);
    fixed.push({});
    fixed.remove({});
    assert.equal(fixed.size, 1);
    assert.equal(fixed.isEmpty(), false);
    const array = new ArrayTaskQueue();
    assert.throws(() => array.remove({}), { name: 'AssertionError' });
    array.push('a');
    assert.deepEqual(array.tasks, ['a']);
  },
);
