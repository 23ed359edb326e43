// `pool.run()`: what crosses, in which order tasks start, how many run at once, and what a handler
// may return.

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { test } from 'node:test';
import { Pool } from 'cenote';
import {
  blocker,
  fixture,
  poolFor,
  readyWorkers,
  sharedWords,
  until,
  watched,
} from './support/behaviour.mjs';

const cloneable = {
  undefined: undefined,
  null: null,
  true: true,
  zero: 0,
  'negative zero': -0,
  NaN: NaN,
  Infinity: Infinity,
  bigint: 2n ** 70n,
  'empty string': '',
  'string with a null and a surrogate pair': 'a\0b\u{1f600}',
  array: [1, [2, [3]], 'x'],
  'sparse array': [, 1, , 2],
  object: { a: 1, nested: { b: undefined } },
  date: new Date(86_400_000),
  regexp: /a(b)/giu,
  map: new Map([
    ['k', { v: 1 }],
    [1, 2],
  ]),
  set: new Set(['a', 1, null]),
  error: new TypeError('as a value'),
  Float64Array: new Float64Array([1.5, -2.5]),
  ArrayBuffer: new Uint8Array([1, 2, 3]).buffer,
  'boxed number': new Object(3),
};

for (const [kind, value] of Object.entries(cloneable)) {
  test(`a value crosses and comes back: ${kind}`, watched, async (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    assert.deepStrictEqual(await pool.run(value), value);
    assert.deepStrictEqual(await pool.run([value]), [value]);
  });
}

test('a value that refers to itself keeps its shape', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const value = { name: 'loop' };
  value.self = value;
  const result = await pool.run(value);
  assert.equal(result.self, result);
  assert.notEqual(result, value);
});

test('run() without a task passes undefined', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  assert.equal((await pool.run(undefined, { name: 'inspect' })).type, 'undefined');
  assert.equal(await pool.run(), undefined);
});

test('the task is cloned when run() is called or soon after, not shared', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const task = { n: 1 };
  const result = await pool.run(task);
  result.n = 2;
  assert.equal(task.n, 1);
});

test('one worker starts tasks in the order of run()', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const words = sharedWords();
  for (let round = 0; round < 3; round++) {
    Atomics.store(words, 0, 0);
    const order = await Promise.all(
      Array.from({ length: 500 }, () => pool.run({ words }, { name: 'count' })),
    );
    assert.deepEqual(
      order,
      Array.from({ length: 500 }, (_, n) => n),
    );
  }
});

test(
  'one worker starts tasks in order, whatever their handlers and however they come',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const words = sharedWords();
    await Promise.all(Array.from({ length: 50 }, () => pool.run(0)));
    const runs = [];
    for (let n = 0; n < 200; n++) {
      runs.push(
        pool.run(
          { words },
          { name: 'count', ...(n % 7 === 0 ? { transferList: [new ArrayBuffer(8)] } : {}) },
        ),
      );
      if (n % 3 === 0) void pool.run(n);
      if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(
      await Promise.all(runs),
      Array.from({ length: 200 }, (_, n) => n),
    );
  },
);

for (const concurrentTasksPerWorker of [1, 3]) {
  test(
    `at most ${concurrentTasksPerWorker} of a worker's tasks have started and not settled`,
    watched,
    async (t) => {
      const pool = poolFor(t, { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker });
      const words = sharedWords();
      const runs = Array.from({ length: 30 }, () =>
        pool.run({ words, ms: 3 }, { name: 'overlap' }),
      );
      await Promise.all(runs);
      assert.deepEqual([...words.subarray(0, 3)], [0, concurrentTasksPerWorker, 30]);
    },
  );
}

test('tasks that are posted ahead do not start beyond that limit', watched, async (t) => {
  const pool = poolFor(t, {
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: 2,
    prefetchWindowUs: 1_000_000,
  });
  const words = sharedWords();
  const overlap = () => pool.run({ words, ms: 1 }, { name: 'overlap' });
  for (let n = 0; n < 3; n++) await overlap();
  await Promise.all(Array.from({ length: 40 }, overlap));
  assert.deepEqual([...words.subarray(0, 3)], [0, 2, 43]);
});

test(
  'asynchronous tasks of several workers run side by side, each within its limit',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 2, maxThreads: 2, concurrentTasksPerWorker: 4 });
    await readyWorkers(pool, 2);
    const words = sharedWords();
    const ids = await Promise.all(
      Array.from({ length: 80 }, () => pool.run({ words, ms: 3 }, { name: 'overlap' })),
    );
    assert.ok(words[1] <= 8, `${words[1]} ran at once`);
    assert.equal(words[2], 80);
    assert.equal(new Set(ids).size, 2);
  },
);

test(
  'concurrent tasks of one worker wait for each other without a deadlock',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 2 });
    const words = sharedWords();
    const waits = pool.run({ words }, { name: 'hold' });
    await until('the first runs', () => words[0] === 1);
    await pool.run({ words, at: 1, value: 1 }, { name: 'write' });
    await waits;
  },
);

test('a handler may return a promise, or any thenable', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  assert.equal(await pool.run({ ms: 1, value: 'later' }, { name: 'pause' }), 'later');
  assert.equal(await pool.run('now', { name: 'returnThenable' }), 'now');
  assert.equal(await pool.run('first', { name: 'returnTwiceThenable' }), 'first');
  await assert.rejects(pool.run(0, { name: 'returnThrowingThen' }), {
    name: 'RangeError',
    message: 'from then',
  });
});

test('what a handler throws or rejects with rejects the task', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  for (const name of ['throwError', 'rejectError']) {
    await assert.rejects(pool.run('the message', { name }), (error) => {
      assert.ok(error instanceof RangeError);
      assert.equal(error.message, 'the message');
      assert.match(error.stack, /tasks\.cjs/);
      return true;
    });
  }
  for (const value of [undefined, null, 0, 'text', { code: 7 }]) {
    const outcome = await pool.run(value, { name: 'throwValue' }).then(
      () => 'resolved',
      (error) => ({ error }),
    );
    assert.deepEqual(outcome, { error: value });
  }
});

test('a DOMException that a handler throws arrives as one', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const thrown = pool.run(
    { message: 'took too long', name: 'TimeoutError' },
    { name: 'throwDomException' },
  );
  await assert.rejects(thrown, (error) => {
    assert.ok(error instanceof DOMException);
    assert.equal(error.name, 'TimeoutError');
    assert.equal(error.message, 'took too long');
    return true;
  });
});

test('ten thousand tasks at once all settle, each with its own result', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  const results = await Promise.all(Array.from({ length: 10_000 }, (_, n) => pool.run(n)));
  assert.ok(results.every((value, n) => value === n));
  assert.equal(pool.completed, 10_000);
  assert.equal(pool.queueSize, 0);
});

test('tasks that are submitted as others settle all run', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  const chain = async () => {
    for (let n = 0; n < 300; n++) assert.equal(await pool.run(n), n);
  };
  await Promise.all(Array.from({ length: 8 }, chain));
  assert.equal(pool.completed, 2_400);
});

test('many pools work side by side in one process', watched, async (t) => {
  const pools = Array.from({ length: 8 }, () => poolFor(t, { minThreads: 1, maxThreads: 1 }));
  const words = sharedWords(pools.length);
  await Promise.all(
    pools.flatMap((pool, at) =>
      Array.from({ length: 50 }, () => pool.run({ words, at }, { name: 'count' })),
    ),
  );
  assert.deepEqual(
    [...words],
    pools.map(() => 50),
  );
  // One that ends takes nothing with it.
  await pools[0].close();
  assert.deepEqual(
    await Promise.all(pools.slice(1).map((pool) => pool.run('still here'))),
    Array(7).fill('still here'),
  );
});

test('a long synchronous wait of the caller loses nothing', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  await pool.run(0);
  const words = sharedWords();
  const runs = Array.from({ length: 16 }, () => pool.run({ words }, { name: 'count' }));
  await Promise.resolve();
  Atomics.wait(words, 7, 0, 50);
  assert.deepEqual(
    (await Promise.all(runs)).sort((a, b) => a - b),
    Array.from({ length: 16 }, (_, n) => n),
  );
});

test('an AsyncLocalStorage store is there again after await pool.run()', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const storage = new AsyncLocalStorage();
  const request = (id) =>
    storage.run({ id }, async () => {
      for (let n = 0; n < 20; n++) {
        assert.equal(await pool.run(id), id);
        assert.equal(storage.getStore().id, id);
      }
      await assert.rejects(pool.run('x', { name: 'throwError' }));
      assert.equal(storage.getStore().id, id);
    });
  await Promise.all(Array.from({ length: 10 }, (_, id) => request(id)));
  assert.equal(storage.getStore(), undefined);
});

test(
  'queueSize counts what no worker was given yet, and threads the threads',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    await readyWorkers(pool, 1);
    const busy = blocker(pool);
    await busy.started;
    const runs = Array.from({ length: 5 }, () => pool.run(0, { name: 'threadId' }));
    assert.equal(pool.queueSize, 5);
    assert.equal(pool.threads.length, 1);
    busy.release();
    const ids = await Promise.all(runs);
    assert.equal(pool.queueSize, 0);
    assert.deepEqual(new Set(ids), new Set([pool.threads[0].threadId]));
  },
);

test('a pool inside a worker of a pool works', watched, async (t) => {
  const pool = new Pool({ filename: fixture('nested.cjs'), maxThreads: 1 });
  t.after(() => pool.destroy());
  assert.deepEqual(await pool.run([1, 2, 3]), [1, 2, 3]);
});
