// What reaches the workers of `cenote/piscina`, and what comes back: no stray message, no polluted
// prototype, no second evaluation on the way there; real errors, whole, on the way back; and work
// that is left behind goes on.
//
// Each of these tests fails with Piscina 5.3.2 unless it says otherwise.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import {
  file,
  outcome,
  piscinaFor,
  settled,
  specifier,
} from './fixtures/piscina/implementation.mjs';
import { portable, runProgram, sharedWords, until, watched } from './support/behaviour.mjs';

const oneThread = { minThreads: 1, maxThreads: 1 };
const threadId = (pool) => outcome(pool.run(undefined, { name: 'threadId' }));

for (const [what, message] of Object.entries({
  text: 'x',
  nothing: undefined,
  null: null,
  'an object': { filename: 'x', port: 1 },
  'a list': [],
  'a number': 7,
})) {
  test(`pool.threads[0].postMessage() does not end the worker: ${what}`, watched, async (t) => {
    const pool = piscinaFor(t, oneThread);
    // Before the thread has started, when it idles, and when it has run something.
    pool.threads[0].postMessage(message);
    const first = await threadId(pool);
    for (let round = 0; round < 3; round++) {
      pool.threads[0].postMessage(message);
      assert.equal(await threadId(pool), first);
    }
    const held = sharedWords();
    const running = pool.run({ words: held }, { name: 'hold' });
    await until('the task runs', () => Atomics.load(held, 0) === 1);
    pool.threads[0].postMessage(message);
    Atomics.store(held, 1, 1);
    assert.equal(await outcome(running), first);
    assert.deepEqual(pool.errors, []);
  });
}

test("pool.threads[0].postMessage() reaches the worker's own parentPort", watched, async (t) => {
  const pool = piscinaFor(t, oneThread);
  const words = sharedWords();
  await outcome(pool.run({ words }, { name: 'listen' }));
  const first = await threadId(pool);
  for (let i = 0; i < 3; i++) pool.threads[0].postMessage('count');
  pool.threads[0].postMessage({ not: 'counted' });
  await until('the messages arrived', () => Atomics.load(words, 0) === 3);
  assert.equal(await threadId(pool), first);
  assert.deepEqual(pool.errors, []);
});

const polluted = `
  import Piscina from '${specifier}';
  const filename = process.env.PISCINA_TASKS;
  // Node makes these when they are first asked for, with options of its own that the pollution
  // would reach.
  if (process.stdout.destroyed || process.stderr.destroyed) process.exit(2);
  const values = {
    filename: '/missing.cjs', name: 'missing', force: true,
    minThreads: 7, maxThreads: 9, idleTimeout: 1, maxQueue: 0,
    concurrentTasksPerWorker: 5, atomics: 'never',
    execArgv: ['--polluted'], env: { POLLUTED: '1' }, argv: ['polluted'], workerData: { polluted: true },
    resourceLimits: { maxOldGenerationSizeMb: 1 }, taskQueue: {},
    loadBalancer: (task, workers) => null,
    niceIncrement: -1, trackUnmanagedFds: 3, closeTimeout: 1, recordTiming: false, stricterFIFO: 1,
    workerHistogram: 1, atomicsTimeout: 'x', NAMES
  };
  const pollute = () => {
    for (const [name, value] of Object.entries(values)) {
      const descriptor = { value, configurable: true, enumerable: false, writable: true };
      Object.defineProperty(Object.prototype, name, descriptor);
    }
  };
  const clean = () => { for (const name of Object.keys(values)) delete Object.prototype[name]; };
  const polluting = (make) => { pollute(); try { return make(); } finally { clean(); } };
  const seen = {};
  const defaults = polluting(() => new Piscina());
  seen.minThreads = defaults.minThreads === new Piscina({}).minThreads;
  seen.noFile = await polluting(() => defaults.run(1)).catch((error) => error.message);
  const pool = polluting(() => new Piscina({ filename, maxThreads: 1 }));
  seen.maxQueue = pool.options.maxQueue === Infinity;
  seen.closeTimeout = pool.options.closeTimeout;
  const runs = polluting(() => [pool.run(1), pool.run(2, {}), pool.run(3, { name: 'surroundings' })]);
  const [one, two, { workerData, env, argv, execArgv }] = await Promise.all(runs);
  Object.assign(seen, { one, two, workerData: workerData ?? null });
  Object.assign(seen, { env: env.POLLUTED ?? null, argv });
  seen.execArgv = execArgv.includes('--polluted');
  const words = new Int32Array(new SharedArrayBuffer(8));
  const running = [pool.run({ words }, { name: 'hold' }), pool.run('queued')];
  const closing = polluting(() => pool.close({}));
  Atomics.store(words, 1, 1);
  seen.queued = await running[1].catch((error) => error.message);
  await closing;
  const direct = polluting(() => {
    const p = new Piscina({ filename, maxThreads: 1 });
    return [p.run(4), p.close()];
  });
  seen.close = await direct[0].catch((error) => error.message);
  console.log(JSON.stringify(seen));
  process.exit();
`;

const untouched = {
  minThreads: true,
  noFile: 'filename must be provided to run() or in options object',
  maxQueue: true,
  closeTimeout: 30000,
  one: 1,
  two: 2,
  workerData: null,
  env: null,
  argv: [],
  execArgv: false,
  queued: 'queued',
  close: 4,
};

for (const [what, names] of [
  // Piscina 5.3.2 passes the first.
  ['options of Piscina', ''],
  // Node's own listeners have it if they are added while it is there, as those of the portable
  // waiter are.
  ...(portable ? [] : [['a signal', 'signal: AbortSignal.abort()']]),
  [
    'options of the threads',
    'eval: true, stdin: true, stdout: true, stderr: true, transferList: [1]',
  ],
]) {
  test(
    `what is on Object.prototype reaches neither constructor, run() nor close(): ${what}`,
    watched,
    async () => {
      const { stdout, stderr } = await runProgram(polluted.replace('NAMES', names), {
        // A pool that waits portably says so in a warning.
        env: { NODE_NO_WARNINGS: '1', PISCINA_TASKS: file('tasks.cjs') },
      });
      assert.equal(stderr, '');
      assert.deepEqual(JSON.parse(stdout), untouched);
    },
  );
}

test(
  'a module that throws is evaluated once a worker, and every task gets what it threw',
  watched,
  async (t) => {
    const workerData = sharedWords();
    const pool = piscinaFor(t, { ...oneThread, workerData });
    const filename = file('throws.cjs');
    for (let round = 0; round < 3; round++) {
      await assert.rejects(outcome(pool.run(1, { filename })), {
        name: 'RangeError',
        message: 'this module cannot be',
      });
    }
    assert.equal(await outcome(pool.run('fine')), 'fine');
    assert.equal(workerData[0], 1);
  },
);

for (const name of ['returnFunction', 'returnSymbol']) {
  test(
    `a result that cannot be cloned rejects with a real error, and the worker lives: ${name}`,
    watched,
    async (t) => {
      const pool = piscinaFor(t, oneThread);
      const first = await threadId(pool);
      const [{ status, reason }] = await settled([pool.run(undefined, { name })]);
      assert.equal(status, 'rejected');
      assert.ok(reason instanceof Error || reason instanceof DOMException);
      assert.equal(reason.name, 'DataCloneError');
      assert.match(reason.message, /could not be cloned/);
      assert.equal(await threadId(pool), first);
      assert.deepEqual(pool.errors, []);
    },
  );
}

// Passes with Piscina too.
test(
  'a task that cannot be cloned or transferred rejects, and the worker lives',
  watched,
  async (t) => {
    const pool = piscinaFor(t, oneThread);
    const first = await threadId(pool);
    await assert.rejects(outcome(pool.run({ callback() {} })), { name: 'DataCloneError' });
    await assert.rejects(outcome(pool.run({}, { transferList: [{}] })), (error) => {
      assert.ok(
        error.code === 'ERR_INVALID_TRANSFER_OBJECT' || error.name === 'DataCloneError',
        error.stack,
      );
      return true;
    });
    const { port1 } = new MessageChannel();
    await assert.rejects(outcome(pool.run(port1)), (error) => {
      assert.ok(
        error.code === 'ERR_MISSING_TRANSFERABLE_IN_TRANSFER_LIST' ||
          error.name === 'DataCloneError',
      );
      return true;
    });
    port1.close();
    assert.equal(await threadId(pool), first);
  },
);

test(
  'an error of a class of its own arrives with class, name, code, properties and cause',
  watched,
  async (t) => {
    const pool = piscinaFor(t, oneThread);
    await assert.rejects(outcome(pool.run('mine', { name: 'throwOwnError' })), (error) => {
      assert.ok(error instanceof TypeError);
      assert.deepEqual([error.name, error.message, error.code], ['OwnError', 'mine', 'E_OWN']);
      assert.deepEqual(error.details, { at: [1, 2] });
      assert.ok(error.cause instanceof RangeError);
      assert.equal(error.cause.message, 'the cause');
      assert.match(error.stack, /piscina.tasks\.cjs/, 'where the worker threw');
      return true;
    });
  },
);

test('the stack of an error ends with the caller', watched, async (t) => {
  const pool = piscinaFor(t, oneThread);
  async function theCaller() {
    await pool.run('mine', { name: 'throwOwnError' });
  }
  await assert.rejects(theCaller(), (error) => {
    const worker = error.stack.search(/piscina.tasks\.cjs/);
    assert.ok(worker > 0 && error.stack.indexOf('theCaller') > worker, error.stack);
    return true;
  });
});

test('AggregateError and DOMException arrive as what they are', watched, async (t) => {
  const pool = piscinaFor(t, oneThread);
  await assert.rejects(outcome(pool.run(undefined, { name: 'throwAggregate' })), (error) => {
    assert.ok(error instanceof AggregateError);
    assert.deepEqual(
      error.errors.map((one) => [one.name, one.message]),
      [
        ['RangeError', 'first'],
        ['TypeError', 'second'],
      ],
    );
    return true;
  });
  await assert.rejects(outcome(pool.run(undefined, { name: 'throwDomException' })), (error) => {
    assert.ok(error instanceof DOMException);
    assert.deepEqual(
      [error.name, error.message, error.code],
      ['NotFoundError', 'no such thing', 8],
    );
    return true;
  });
});

// Passes with Piscina too, but for null: there it resolves.
for (const value of ['text', 7, { a: [1] }, undefined, null]) {
  test(
    `what is thrown and is no error arrives as it is: ${JSON.stringify(value)}`,
    watched,
    async (t) => {
      const pool = piscinaFor(t, oneThread);
      const [{ status, reason }] = await settled([pool.run(value, { name: 'throwPlain' })]);
      assert.equal(status, 'rejected');
      assert.deepEqual(reason, value);
    },
  );
}

for (const atomics of ['sync', 'async', 'disabled']) {
  test(
    `a timer that a task left behind fires while the worker idles: atomics '${atomics}'`,
    watched,
    async (t) => {
      const pool = piscinaFor(t, { ...oneThread, atomics });
      const words = sharedWords();
      await outcome(pool.run({ words, ms: 5 }, { name: 'leaveTimer' }));
      await until('the timer fired', () => Atomics.load(words, 0) === 1);
    },
  );

  test(
    `the same during a stream of synchronous tasks: atomics '${atomics}'`,
    watched,
    async (t) => {
      const pool = piscinaFor(t, { ...oneThread, atomics });
      const words = sharedWords();
      await outcome(pool.run({ words, ms: 5 }, { name: 'leaveTimer' }));
      const deadline = performance.now() + 5_000;
      let tasks = 0;
      while (Atomics.load(words, 0) === 0) {
        assert.ok(performance.now() < deadline, `not after ${tasks} tasks`);
        await Promise.all([pool.run(tasks++), pool.run(tasks++), pool.run(tasks++)]);
      }
    },
  );
}
