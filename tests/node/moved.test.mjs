// `move()`: a task or a result that is transferred instead of copied.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { move, Pool } from 'cenote';
import { blocker, fixture, poolFor, watched } from './support/behaviour.mjs';

const kTransferable = Symbol.for('Piscina.transferable');
const kValue = Symbol.for('Piscina.valueOf');
const onePool = (t, options) =>
  poolFor(t, { filename: fixture('features/moves.cjs'), minThreads: 1, maxThreads: 1, ...options });

/** A buffer of so many ones. */
function ones(bytes) {
  const buffer = new ArrayBuffer(bytes);
  new Uint8Array(buffer).fill(1);
  return buffer;
}

test(
  'a moved task is transferred: the original is detached, the handler gets the value itself',
  watched,
  async (t) => {
    const pool = onePool(t);
    const buffer = ones(1_000);
    const run = pool.run(move(buffer), { name: 'what' });
    assert.deepEqual(await run, { tag: '[object ArrayBuffer]', bytes: 1_000 });
    assert.equal(buffer.byteLength, 0);
    const copied = ones(1_000);
    assert.equal(await pool.run(copied, { name: 'sum' }), 1_000);
    assert.equal(copied.byteLength, 1_000, 'without move() it is copied');
  },
);

test('a moved typed array arrives as one, and its buffer is detached', watched, async (t) => {
  const pool = onePool(t);
  for (const make of [
    () => new Uint8Array(ones(64)),
    () => new Float64Array(ones(64)),
    () => new DataView(ones(64)),
    () => new BigInt64Array(ones(64)),
  ]) {
    const view = make();
    const tag = Object.prototype.toString.call(view);
    assert.deepEqual(await pool.run(move(view), { name: 'what' }), { tag, bytes: 64 });
    assert.equal(view.buffer.byteLength, 0);
  }
});

test('a port may be moved, as a task', watched, async (t) => {
  const pool = onePool(t);
  const { port1, port2 } = new MessageChannel();
  t.after(() => port1.close());
  const heard = once(port1, 'message');
  await pool.run(move(port2), { name: 'talk' });
  assert.deepEqual(await heard, ['hello']);
});

test('a moved task with a transferList of its own: both are transferred', watched, async (t) => {
  const pool = onePool(t);
  const buffer = ones(8);
  const other = ones(8);
  const task = { [kTransferable]: buffer, [kValue]: [buffer, other] };
  const result = await pool.run(move(task), { transferList: [other] });
  assert.deepEqual(
    result.map(({ byteLength }) => byteLength),
    [8, 8],
  );
  assert.deepEqual([buffer.byteLength, other.byteLength], [0, 0]);
});

test(
  'an object with the symbols decides for itself what is moved and what arrives',
  watched,
  async (t) => {
    const pool = onePool(t);
    const buffer = ones(8);
    class Message {
      get [kTransferable]() {
        return buffer;
      }
      get [kValue]() {
        return { label: 'mine', buffer };
      }
    }
    const { label, buffer: arrived } = await pool.run(move(new Message()));
    assert.deepEqual([label, arrived.byteLength, buffer.byteLength], ['mine', 8, 0]);
  },
);

test(
  'an object with the symbols that was not given to move() is a task like any other',
  watched,
  async (t) => {
    const pool = onePool(t);
    const buffer = ones(8);
    const task = { [kTransferable]: buffer, [kValue]: { label: 'mine' }, own: 1 };
    assert.deepEqual(await pool.run(task), { own: 1 });
    assert.equal(buffer.byteLength, 8);
  },
);

test('move() leaves values alone that have no identity', watched, async (t) => {
  const pool = onePool(t);
  for (const value of [1, 'text', null, undefined, true, 10n]) {
    assert.equal(move(value), value);
    assert.equal(await pool.run(move(value)), value);
    assert.equal(await pool.run(value, { name: 'primitive' }), value);
  }
});

test('what is moved shows the symbols, and may be moved again', watched, async (t) => {
  const pool = onePool(t);
  const buffer = ones(8);
  const moved = move(move(buffer));
  assert.equal(moved[kTransferable], buffer);
  assert.equal(moved[kValue], buffer);
  const { bytes } = await pool.run(moved, { name: 'what' });
  assert.deepEqual([bytes, buffer.byteLength], [8, 0]);
  const view = new Uint8Array(8);
  assert.equal(move(view)[kTransferable], view.buffer);
  assert.equal(move(view)[kValue], view);
});

test(
  'a moved task that waits is transferred when it is posted; aborted before, it stays',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const busy = blocker(pool);
    await busy.started;
    const controller = new AbortController();
    const buffer = ones(8);
    const run = pool.run(move(buffer), { signal: controller.signal });
    controller.abort();
    await assert.rejects(run, { name: 'AbortError' });
    assert.equal(buffer.byteLength, 8);
    busy.release();
    const { byteLength } = await pool.run(move(buffer));
    assert.deepEqual([byteLength, buffer.byteLength], [8, 0]);
  },
);

test('a task that cannot be moved rejects alone', watched, async (t) => {
  const pool = onePool(t);
  const uncloneable = { [kTransferable]: ones(8), [kValue]: { call() {} } };
  await assert.rejects(pool.run(move(uncloneable)), { name: 'DataCloneError' });
  // Nothing in it can be transferred.
  await assert.rejects(pool.run(move({ plain: true })), /transferList/);
  const throws = {
    get [kTransferable]() {
      throw new RangeError('from the getter');
    },
    [kValue]: 1,
  };
  await assert.rejects(pool.run(move(throws)), { name: 'RangeError', message: 'from the getter' });
  assert.equal(await pool.run('next'), 'next');
  assert.equal(pool.stats().tasks.lost, 0);
});

for (const name of ['buffer', 'bufferLater']) {
  test(
    `a moved result is transferred: the worker keeps nothing of it (${name})`,
    watched,
    async (t) => {
      const pool = onePool(t);
      const buffer = await pool.run(1_000, { name });
      assert.ok(buffer instanceof ArrayBuffer);
      assert.equal(
        new Uint8Array(buffer).reduce((sum, byte) => sum + byte, 0),
        1_000,
      );
      assert.equal(await pool.run(0, { name: 'keptBytes' }), 0);
    },
  );
}

test('a moved view of the middle of a buffer arrives as it was', watched, async (t) => {
  const pool = onePool(t);
  const view = await pool.run(0, { name: 'view' });
  assert.ok(view instanceof Uint16Array);
  assert.deepEqual([...view], [1, 2, 3]);
  assert.equal(await pool.run(0, { name: 'keptBytes' }), 0);
});

test('a port may be moved, as a result', watched, async (t) => {
  const pool = onePool(t);
  const port = await pool.run(0, { name: 'port' });
  t.after(() => port.close());
  const heard = once(port, 'message');
  port.postMessage(21);
  assert.deepEqual(await heard, [42]);
});

test('a stream may be moved, as a result', watched, async (t) => {
  const pool = onePool(t);
  const stream = await pool.run(0, { name: 'stream' });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.deepEqual(chunks, ['a', 'b']);
});

test(
  'a result with the symbols decides for itself what is moved and what arrives',
  watched,
  async (t) => {
    const pool = onePool(t);
    const { label, buffer } = await pool.run(8, { name: 'symbols' });
    assert.deepEqual([label, buffer.byteLength], ['made', 8]);
    assert.equal(await pool.run(0, { name: 'keptBytes' }), 0);
  },
);

test(
  'moved results in a batch with others, and with some that cannot be moved',
  watched,
  async (t) => {
    const pool = onePool(t, { prefetchWindowUs: 1_000_000, concurrentTasksPerWorker: 4 });
    for (let n = 0; n < 5; n++) await pool.run(8, { name: 'buffer' });
    const runs = Array.from({ length: 120 }, (_, n) => {
      if (n % 4 === 0) return pool.run(n + 1, { name: 'buffer' });
      if (n % 4 === 1) return pool.run(n + 1, { name: 'bufferLater' });
      return n % 20 === 2 ? pool.run(0, { name: 'unmovable' }) : pool.run(n);
    });
    (await Promise.allSettled(runs)).forEach(({ status, value, reason }, n) => {
      if (n % 4 < 2) assert.equal(value?.byteLength, n + 1, `${n}: ${reason}`);
      else if (n % 20 === 2)
        assert.deepEqual([status, reason?.name], ['rejected', 'DataCloneError']);
      else assert.equal(value, n);
    });
  },
);

test('moved tasks among others, all in one tick', watched, async (t) => {
  const pool = onePool(t, { prefetchWindowUs: 1_000_000 });
  for (let n = 0; n < 5; n++) await pool.run(ones(1), { name: 'sum' });
  const buffers = Array.from({ length: 60 }, (_, n) => ones(n + 1));
  const sums = await Promise.all(
    buffers.map((buffer, n) => pool.run(n % 3 === 0 ? move(buffer) : buffer, { name: 'sum' })),
  );
  assert.deepEqual(
    sums,
    buffers.map((_, n) => n + 1),
  );
  buffers.forEach(({ byteLength }, n) => assert.equal(byteLength, n % 3 === 0 ? 0 : n + 1));
});

test('move is an export of both module systems', watched, async () => {
  const { createRequire } = await import('node:module');
  assert.equal(createRequire(import.meta.url)('cenote').move, move);
  assert.equal(typeof Pool, 'function');
});

test("a movable's properties are read once, of a task and of a result", watched, async (t) => {
  const pool = onePool(t);
  let reads = 0;
  const task = {
    get [kTransferable]() {
      reads++;
      return [];
    },
    get [kValue]() {
      reads++;
      return 'value';
    },
  };
  assert.equal(await pool.run(move(task)), 'value');
  assert.equal(reads, 2);
  assert.equal(await pool.run(0, { name: 'counted' }), 'value');
  assert.equal(await pool.run(0, { name: 'readCount' }), 2);
});
