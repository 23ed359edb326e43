// What cannot be cloned, and what is moved or shared instead of copied.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { poolFor, sharedWords, watched } from './support/behaviour.mjs';

const dataClone = { name: 'DataCloneError' };

test(
  'a task that cannot be cloned rejects alone; those of the same tick succeed',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    await Promise.all(Array.from({ length: 20 }, () => pool.run(0)));
    const runs = Array.from({ length: 20 }, (_, n) =>
      pool.run(n % 5 === 2 ? { n, bad() {} } : { n }),
    );
    const settled = await Promise.allSettled(runs);
    settled.forEach((outcome, n) => {
      if (n % 5 === 2) {
        assert.equal(outcome.status, 'rejected');
        assert.ok(outcome.reason instanceof DOMException);
        assert.equal(outcome.reason.name, 'DataCloneError');
      } else {
        assert.deepEqual(outcome, { status: 'fulfilled', value: { n } });
      }
    });
    const { tasks } = pool.stats();
    assert.deepEqual([tasks.completed, tasks.failed, tasks.inFlight, tasks.queued], [36, 4, 0, 0]);
  },
);

test('a task that cannot be cloned rejects, also as the first of the pool', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  await assert.rejects(pool.run(Symbol('task')), dataClone);
  assert.equal(await pool.run('fine'), 'fine');
});

test('many tasks in a row that cannot be cloned hold up nobody', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const runs = Array.from({ length: 10 }, () => pool.run({ bad() {} }));
  const last = pool.run('last');
  for (const { reason } of await Promise.allSettled(runs))
    assert.equal(reason?.name, 'DataCloneError');
  assert.equal(await last, 'last');
});

test('a task whose getter throws rejects with what it threw', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const bad = {
    get value() {
      throw new RangeError('from the getter');
    },
  };
  const settled = await Promise.allSettled([pool.run(1), pool.run(bad), pool.run(2)]);
  assert.deepEqual(
    settled.map(({ value }) => value),
    [1, undefined, 2],
  );
  assert.equal(settled[1].reason.message, 'from the getter');
});

test(
  'a getter of a task that uses the pool while it is cloned does no harm',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const more = [];
    const task = {
      get value() {
        more.push(pool.run(more.length));
        return 'got';
      },
    };
    const results = await Promise.all([pool.run(0), pool.run(task), pool.run(1)]);
    assert.deepEqual(results, [0, { value: 'got' }, 1]);
    assert.deepEqual(
      await Promise.all(more),
      more.map((_, n) => n),
    );
  },
);

test('a getter of a task that aborts that very task settles it once', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const controller = new AbortController();
  const task = {
    get value() {
      controller.abort();
      return 'got';
    },
  };
  await assert.rejects(pool.run(task, { signal: controller.signal }), { name: 'AbortError' });
  assert.equal(await pool.run('next'), 'next');
  const { tasks } = pool.stats();
  assert.deepEqual([tasks.aborted, tasks.completed, tasks.inFlight], [1, 1, 0]);
});

test(
  'a task that cannot be cloned and has a signal leaves its worker free for others',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 2 });
    const { signal } = new AbortController();
    await assert.rejects(pool.run({ bad() {} }, { signal }), dataClone);
    const words = sharedWords();
    const waits = pool.run({ words }, { name: 'hold' });
    await pool.run({ words, at: 1, value: 1 }, { name: 'write' });
    await waits;
  },
);

for (const name of ['returnFunction', 'returnSymbol']) {
  test(
    `a result that cannot be cloned rejects its task and the worker lives: ${name}`,
    watched,
    async (t) => {
      const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
      const threadId = await pool.run(0, { name: 'threadId' });
      const settled = await Promise.allSettled([pool.run(1), pool.run(0, { name }), pool.run(2)]);
      assert.deepEqual(
        settled.map(({ value }) => value),
        [1, undefined, 2],
      );
      const { reason } = settled[1];
      assert.ok(reason instanceof DOMException, `${reason}`);
      assert.equal(reason.name, 'DataCloneError');
      assert.match(reason.message, /could not be cloned/);
      assert.equal(await pool.run(0, { name: 'threadId' }), threadId);
    },
  );
}

test(
  'a result whose getter throws rejects its task with that and the worker lives',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const threadId = await pool.run(0, { name: 'threadId' });
    await assert.rejects(pool.run(0, { name: 'returnThrowingGetter' }), {
      message: 'from the getter',
    });
    await assert.rejects(pool.run(0, { name: 'returnGetterThrowingSymbol' }), {
      code: 'ERR_CENOTE_UNCLONEABLE_ERROR',
    });
    assert.equal(await pool.run(0, { name: 'threadId' }), threadId);
  },
);

test(
  'a thrown value that cannot be cloned is reported as such and the worker lives',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const threadId = await pool.run(0, { name: 'threadId' });
    await assert.rejects(pool.run(0, { name: 'throwUncloneable' }), {
      name: 'CenoteError',
      code: 'ERR_CENOTE_UNCLONEABLE_ERROR',
      message: /The handler threw a value that cannot be cloned: .*callback/,
    });
    await assert.rejects(pool.run(0, { name: 'throwUninspectable' }), {
      code: 'ERR_CENOTE_UNCLONEABLE_ERROR',
    });
    assert.equal(await pool.run(0, { name: 'threadId' }), threadId);
  },
);

test('what the transferList names is moved, not copied', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const bytes = new Uint8Array([1, 2, 3]);
  assert.equal(await pool.run(bytes, { name: 'sum', transferList: [bytes.buffer] }), 6);
  assert.equal(bytes.byteLength, 0);
  const copied = new Uint8Array([4, 5]);
  assert.equal(await pool.run(copied, { name: 'sum' }), 9);
  assert.equal(copied.byteLength, 2);
  assert.equal(await pool.run(copied, { name: 'sum', transferList: [] }), 9);
});

test('a MessagePort can be moved to a task', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const { port1, port2 } = new MessageChannel();
  t.after(() => port1.close());
  const heard = new Promise((resolve) => port1.once('message', resolve));
  await pool.run({ port: port2 }, { name: 'post', transferList: [port2] });
  assert.equal(await heard, 'hello');
});

test('a wrong transferList rejects its task only', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  await Promise.all(Array.from({ length: 20 }, () => pool.run(0)));
  const twice = new ArrayBuffer(8);
  const wrong = [[1], [{}], [null], [twice, twice]];
  const settled = await Promise.allSettled([
    pool.run('before'),
    ...wrong.map((transferList) => pool.run('wrong', { transferList })),
    pool.run('after'),
  ]);
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', ...wrong.map(() => 'rejected'), 'fulfilled'],
  );
  for (const { reason } of settled.slice(1, -1))
    assert.ok(reason instanceof Error || reason instanceof DOMException);
  assert.equal(twice.byteLength, 8);
  assert.equal(await pool.run('later'), 'later');
});

test('shared memory is shared, in both directions', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const words = sharedWords();
  const result = await pool.run({ words, at: 3, value: 7 }, { name: 'write' });
  assert.equal(words[3], 7);
  Atomics.store(words, 4, 9);
  assert.equal(result[4], 9);
  assert.ok(result.buffer instanceof SharedArrayBuffer);
});

test(
  'a Buffer arrives as a Uint8Array with the same bytes, also one out of the shared slab',
  watched,
  async (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    const buffer = Buffer.from('héllo');
    assert.deepEqual(await pool.run(buffer, { name: 'inspect' }), {
      type: 'object',
      tag: '[object Uint8Array]',
      buffer: false,
      bytes: 6,
    });
    const result = await pool.run(buffer);
    assert.ok(result instanceof Uint8Array);
    assert.equal(Buffer.compare(Buffer.from(result), buffer), 0);
    const large = Buffer.alloc(3 << 20, 'abc');
    assert.equal(Buffer.compare(Buffer.from(await pool.run(large)), large), 0);
  },
);

test('an instance of a class arrives as a plain object', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  class Point {
    x = 1;
    norm() {
      return this.x;
    }
  }
  const result = await pool.run(new Point());
  assert.deepEqual(result, { x: 1 });
  assert.equal(Object.getPrototypeOf(result), Object.prototype);
});
