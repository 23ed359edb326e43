// Programs that were written for Piscina and say `cenote/piscina` now: subclasses, what they hand
// to their workers, their handlers' shapes, ports and moved memory, signals and stores.
//
// With Piscina 5.3.2 these tests pass too.

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { MessageChannel, SHARE_ENV } from 'node:worker_threads';
import {
  Piscina,
  cjs,
  esm,
  file,
  outcome,
  piscinaFor,
} from './fixtures/piscina/implementation.mjs';
import { blocker, fixture, sharedWords, until, watched } from './support/behaviour.mjs';

const oneThread = { minThreads: 1, maxThreads: 1 };

test('a subclass has fields, events and a run() of its own', watched, async (t) => {
  class Retrying extends Piscina {
    attempts = 0;
    #limit;

    constructor(options, limit) {
      super({ ...options, name: 'throwOwnError' });
      this.#limit = limit;
    }

    async run(task, options) {
      for (let attempt = 1; ; attempt++) {
        this.attempts++;
        this.emit('attempt', attempt);
        try {
          return await super.run(
            task,
            attempt === this.#limit ? { ...options, name: 'echo' } : options,
          );
        } catch (error) {
          if (attempt >= this.#limit) throw error;
        }
      }
    }

    get maxThreads() {
      return -super.maxThreads;
    }
  }
  const seen = [];
  const pool = new Retrying({ filename: file('tasks.cjs'), ...oneThread }, 3);
  t.after(() => pool.destroy());
  pool.on('attempt', (attempt) => seen.push(attempt));
  assert.ok(pool instanceof Piscina && pool instanceof EventEmitter && pool instanceof Retrying);
  assert.equal(await outcome(pool.run('third time lucky')), 'third time lucky');
  assert.deepEqual(seen, [1, 2, 3]);
  assert.equal(pool.attempts, 3);
  assert.equal(pool.maxThreads, -1);
  assert.equal(Retrying.name, 'Retrying');
  assert.equal(Retrying.move, Piscina.move);
  assert.equal(pool.asyncResource.type ?? 'Piscina', 'Piscina');
});

test(
  'a subclass of the class that require() gives closes and disposes as its base',
  watched,
  async () => {
    class Closing extends cjs {
      closed = 0;
      async close(options) {
        this.closed++;
        await super.close(options);
      }
    }
    const pool = new Closing({ filename: file('tasks.cjs'), ...oneThread });
    assert.equal(await outcome(pool.run(1)), 1);
    await pool[Symbol.asyncDispose]();
    assert.equal(pool.closed, 1);
    assert.equal(pool.threads.length, 0);
  },
);

test('import and require give one class, by every name', watched, () => {
  assert.equal(esm.default, cjs);
  assert.equal(esm.Piscina, cjs);
  assert.equal(cjs.Piscina, cjs);
  const { Piscina: named, FixedQueue, ArrayTaskQueue, move } = cjs;
  assert.equal(named, esm.default);
  assert.deepEqual(
    [FixedQueue, ArrayTaskQueue, move],
    [esm.FixedQueue, esm.ArrayTaskQueue, esm.move],
  );
  assert.deepEqual([cjs.isWorkerThread, cjs.workerData], [false, undefined]);
  assert.equal(cjs.version, '5.3.2');
});

test(
  'execArgv, env, argv, workerData and resourceLimits are those of the caller',
  watched,
  async (t) => {
    const pool = piscinaFor(t, {
      ...oneThread,
      env: { ...process.env, OF_THE_CALLER: 'yes' },
      argv: ['first', 'second'],
      execArgv: ['--no-deprecation', '--trace-warnings'],
      workerData: { nested: new Map([[1, 'one']]) },
      resourceLimits: { maxOldGenerationSizeMb: 96, stackSizeMb: 4 },
    });
    const surroundings = await outcome(pool.run(undefined, { name: 'surroundings' }));
    assert.equal(surroundings.env.OF_THE_CALLER, 'yes');
    assert.deepEqual(surroundings.argv, ['first', 'second']);
    assert.deepEqual(surroundings.execArgv, ['--no-deprecation', '--trace-warnings']);
    assert.deepEqual(surroundings.workerData, { nested: new Map([[1, 'one']]) });
    assert.equal(surroundings.resourceLimits.maxOldGenerationSizeMb, 96);
    assert.equal(surroundings.resourceLimits.stackSizeMb, 4);
  },
);

test('env: SHARE_ENV shares the environment', watched, async (t) => {
  const pool = piscinaFor(t, { ...oneThread, env: SHARE_ENV });
  process.env.SET_BY_THE_TEST = 'yes';
  t.after(() => delete process.env.SET_BY_THE_TEST);
  const { env } = await outcome(pool.run(undefined, { name: 'surroundings' }));
  assert.equal(env.SET_BY_THE_TEST, 'yes');
});

test('an environment without any variable is one', watched, async (t) => {
  const pool = piscinaFor(t, { ...oneThread, env: {} });
  const { env } = await outcome(pool.run(undefined, { name: 'surroundings' }));
  assert.deepEqual(env, {});
});

for (const [what, workerData] of Object.entries({
  text: 'text',
  zero: 0,
  null: null,
  nothing: undefined,
  object: { a: 1 },
})) {
  test(
    `workerData is what it is in worker_threads and in the package: ${what}`,
    watched,
    async (t) => {
      const pool = piscinaFor(t, { ...oneThread, workerData });
      const raw = await outcome(pool.run(undefined, { name: 'rawWorkerData' }));
      assert.deepEqual(raw.workerData, workerData);
      assert.deepEqual(
        await outcome(pool.run(undefined, { name: 'where', filename: file('inside.cjs') })),
        {
          inWorker: true,
          workerData,
        },
      );
      assert.deepEqual(await outcome(pool.run(undefined, { filename: file('inside.mjs') })), {
        same: true,
        isWorkerThread: true,
        workerData,
      });
    },
  );
}

test('workerData on shared memory is shared with every worker', watched, async (t) => {
  const workerData = sharedWords();
  const pool = piscinaFor(t, {
    minThreads: 2,
    maxThreads: 2,
    workerData,
    filename: file('hooks.cjs'),
  });
  const counts = await outcome(Promise.all([1, 2, 3].map((n) => pool.run(n, { name: 'setup' }))));
  assert.deepEqual(counts.map(([count]) => count).sort(), [0, 1, 2]);
  assert.equal(workerData[0], 3);
});

test(
  'exports called setup and teardown are ordinary tasks, and nothing else calls them',
  watched,
  async (t) => {
    const workerData = sharedWords();
    const pool = piscinaFor(t, {
      ...oneThread,
      workerData,
      filename: file('hooks.cjs'),
      name: 'work',
    });
    assert.equal(await outcome(pool.run('work')), 'work');
    assert.deepEqual([...workerData.subarray(0, 2)], [0, 0]);
    assert.deepEqual(await outcome(pool.run('a', { name: 'setup' })), [0, 'a']);
    assert.deepEqual(await outcome(pool.run('b', { name: 'teardown' })), [0, 'b']);
    await outcome(pool.close());
    assert.deepEqual([...workerData.subarray(0, 2)], [1, 1]);
  },
);

test(
  'a handler is called with one argument; a second parameter keeps its default',
  watched,
  async (t) => {
    const pool = piscinaFor(t, oneThread);
    assert.deepEqual(await outcome(pool.run('task', { name: 'defaulted' })), [
      'task',
      'default',
      0,
    ]);
    assert.equal(await outcome(pool.run('task', { name: 'countArguments' })), 1);
    assert.equal(await outcome(pool.run(undefined, { name: 'countArguments' })), 1);
  },
);

for (const [name, options, expected] of [
  ['function.cjs', {}, ['cjs function', 1]],
  ['named.cjs', { name: 'first' }, ['cjs first', 1]],
  ['named.cjs', { name: 'second' }, ['cjs second', 1]],
  ['promise.cjs', {}, ['cjs promise', 1]],
  ['promise.cjs', { name: 'named' }, ['cjs named promise', 1]],
  ['compiled.cjs', {}, ['compiled default', 1]],
  ['compiled.cjs', { name: 'named' }, ['compiled named', 1]],
  ['module.mjs', {}, ['esm default', 1]],
  ['module.mjs', { name: 'named' }, ['esm named', 1]],
  ['module.mjs', { name: 'promised' }, ['esm promise', 1]],
  ['../piscina/property.cjs', {}, ['itself', 1]],
  ['../piscina/property.cjs', { name: 'other' }, ['other', 1]],
]) {
  const filename = fixture(join('handlers', name));
  test(`a handler may be: ${name} ${JSON.stringify(options)}`, watched, async (t) => {
    const asOption = new Piscina({ filename, ...oneThread, ...options });
    t.after(() => asOption.destroy());
    assert.deepEqual(await outcome(asOption.run(1)), expected);
    const pool = piscinaFor(t, oneThread);
    assert.deepEqual(
      await outcome(pool.run(1, { name: 'default', ...options, filename })),
      expected,
    );
    assert.equal(await outcome(pool.run('its own')), 'its own');
    const { href } = new URL(`file://${filename}`);
    assert.deepEqual(
      await outcome(pool.run(1, { name: 'default', ...options, filename: href })),
      expected,
    );
  });
}

test('what is not there, or is no function, is named by its file', watched, async (t) => {
  const pool = piscinaFor(t, oneThread);
  const message = `No handler function exported from ${file('tasks.cjs')}`;
  await assert.rejects(outcome(pool.run(1, { name: 'missing' })), { name: 'Error', message });
  await assert.rejects(outcome(pool.run(1, { name: 'number' })), { name: 'Error', message });
  assert.equal(await outcome(pool.run(2)), 2);
});

test('a file in a folder with spaces and signs is found by path and by URL', watched, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cenote %20 #é '));
  t.after(() => rmSync(folder, { recursive: true }));
  const filename = join(folder, 'a task.cjs');
  writeFileSync(filename, 'module.exports = (task) => [task];\n');
  const pool = piscinaFor(t, { ...oneThread, filename });
  assert.deepEqual(await outcome(pool.run(1)), [1]);
});

test('a port in transferList goes on talking to the task', watched, async (t) => {
  const pool = piscinaFor(t, oneThread);
  for (let round = 0; round < 2; round++) {
    const { port1, port2 } = new MessageChannel();
    const done = pool.run({ port: port2 }, { name: 'converse', transferList: [port2] });
    const answers = [];
    for (let i = 0; i < 20; i++) {
      const answer = new Promise((resolve) => port1.once('message', resolve));
      port1.postMessage('ping');
      answers.push(await outcome(answer));
    }
    assert.deepEqual(answers, new Array(20).fill('pong'));
    port1.close();
    assert.equal(await outcome(done), 20);
  }
});

test('buffers in transferList are gone here and whole there', watched, async (t) => {
  const pool = piscinaFor(t, { ...oneThread, filename: file('inside.cjs'), name: 'length' });
  const task = new Uint8Array(1_000);
  assert.equal(await outcome(pool.run(task, { transferList: [task.buffer] })), 1_000);
  assert.equal(task.byteLength, 0);
});

test('move() moves the task, and the result', watched, async (t) => {
  const pool = piscinaFor(t, { ...oneThread, filename: file('inside.cjs') });
  const run = (task, name) => outcome(pool.run(task, { name }));
  const view = new Uint8Array(100);
  assert.equal(await run(Piscina.move(view), 'length'), 100);
  assert.equal(view.byteLength, 0);
  const buffer = new ArrayBuffer(200);
  assert.equal(await run(esm.move(buffer), 'length'), 200);
  assert.equal(buffer.byteLength, 0);
  const result = await run(300, 'moved');
  assert.deepEqual([result.constructor, result.byteLength, result[0]], [Uint8Array, 300, 7]);
  assert.equal(await run(undefined, 'lastLength'), 0);
  assert.equal((await run(400, 'movedBuffer')).byteLength, 400);
  assert.equal(await run(undefined, 'lastLength'), 0);
  assert.equal((await run(500, 'movedBySymbols')).wrapped.byteLength, 500);
  assert.equal(await run(undefined, 'lastLength'), 0);
  assert.equal(await run(undefined, 'movedText'), 'text');
  assert.equal(
    (await outcome(pool.run(64, { filename: file('inside.mjs'), name: 'moved' }))).byteLength,
    64,
  );
});

test('what the task posts to its parent is a message event of the pool', watched, async (t) => {
  const pool = piscinaFor(t, oneThread);
  const posted = [];
  pool.on('message', (message) => posted.push(message));
  const all = ['text', 7, { some: ['where'] }, null, undefined];
  for (const message of all)
    assert.equal(await outcome(pool.run(message, { name: 'postMessage' })), 'posted');
  await until('all came', () => posted.length === all.length);
  assert.deepEqual(posted, all);
});

test('a worker can have a pool of its own', watched, async (t) => {
  const pool = piscinaFor(t, { ...oneThread, filename: file('inside.cjs') });
  assert.equal(await outcome(pool.run(new Uint8Array(9), { name: 'nested' })), 9);
});

test('an EventEmitter is a signal', watched, async (t) => {
  const pool = piscinaFor(t, oneThread);
  const emitter = new EventEmitter();
  const words = sharedWords();
  const running = pool.run({ words }, { name: 'spinForever', signal: emitter });
  await until('the task runs', () => Atomics.load(words, 0) === 1);
  const other = new EventEmitter();
  const queued = pool.run(1, { signal: other });
  const aborted = { name: 'AbortError', message: 'The task has been aborted' };
  other.emit('abort');
  await assert.rejects(outcome(queued), aborted);
  emitter.emit('abort');
  await assert.rejects(outcome(running), aborted);
  assert.equal(await outcome(pool.run(2, { signal: emitter })), 2);
  assert.equal(emitter.listenerCount('abort') + other.listenerCount('abort'), 0);
});

test(
  'AbortSignal.timeout and AbortSignal.any abort tasks, with their reasons',
  watched,
  async (t) => {
    const pool = piscinaFor(t, oneThread);
    const words = sharedWords();
    const signal = AbortSignal.any([AbortSignal.timeout(20), new AbortController().signal]);
    await assert.rejects(outcome(pool.run({ words }, { name: 'spinForever', signal })), (error) => {
      assert.deepEqual([error.name, error.message], ['AbortError', 'The task has been aborted']);
      assert.equal(error.cause.name, 'TimeoutError');
      return true;
    });
    const reason = new RangeError('mine');
    await assert.rejects(outcome(pool.run(1, { signal: AbortSignal.abort(reason) })), {
      cause: reason,
    });
    assert.equal(await outcome(pool.run('next')), 'next');
  },
);

test('an AsyncLocalStorage store is there after run(), whatever it came to', watched, async (t) => {
  const pool = piscinaFor(t, oneThread);
  const storage = new AsyncLocalStorage();
  const busy = blocker(pool);
  await busy.started;
  const controller = new AbortController();
  const each = [
    [(options) => pool.run(1, options), {}],
    [(options) => pool.run('x', options), { name: 'throwPlain' }],
    [(options) => pool.run(1, options), { signal: controller.signal }],
  ];
  const seen = each.map(([run, options], i) =>
    storage.run(i, async () => {
      await run(options).catch(() => {});
      return storage.getStore();
    }),
  );
  controller.abort();
  storage.run('releasing', () => busy.release());
  assert.deepEqual(await outcome(Promise.all(seen)), [0, 1, 2]);
});

test('disposing closes', watched, async () => {
  const pool = new Piscina({ filename: file('tasks.cjs'), ...oneThread });
  const result = pool.run(1);
  await outcome(pool[Symbol.asyncDispose]());
  assert.equal(await result, 1);
  assert.equal(pool.threads.length, 0);
  const other = new Piscina({ filename: file('tasks.cjs'), ...oneThread });
  const closed = new Promise((resolve) => other.once('close', resolve));
  other[Symbol.dispose]();
  await outcome(closed);
  assert.equal(other.threads.length, 0);
});

// The syntax is newer than the oldest Node.
const using = (() => {
  try {
    return new Function(
      'Piscina',
      'options',
      'return (async () => { await using pool = new Piscina(options); return [pool, await pool.run(1)]; })();',
    );
  } catch {
    return undefined;
  }
})();

test('await using closes', watched, async (t) => {
  if (using === undefined) return t.skip('a syntax error in this Node');
  const [pool, result] = await outcome(
    using(Piscina, { filename: file('tasks.cjs'), ...oneThread }),
  );
  assert.equal(result, 1);
  assert.equal(pool.threads.length, 0);
});
