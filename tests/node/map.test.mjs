// `pool.map()`: a result for each item, with a bound on what lies between source and reader, and an
// end that lets go of the source however it comes about.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocker, poolFor, sharedWords, until, watched } from './support/behaviour.mjs';

async function all(iterable) {
  const values = [];
  for await (const value of iterable) values.push(value);
  return values;
}

const numbers = (count) => Array.from({ length: count }, (_, n) => n);

/** A source that counts what it gave, and whether it was told to end. */
function counted(count, { async = false, failAt = Infinity } = {}) {
  const seen = { given: 0, ended: false };
  const steps = {
    next() {
      if (seen.given === failAt) throw new RangeError('the source fails');
      return seen.given < count ? { done: false, value: seen.given++ } : { done: true };
    },
    return() {
      seen.ended = true;
      return { done: true };
    },
  };
  if (!async) return Object.assign(seen, { [Symbol.iterator]: () => steps });
  return Object.assign(seen, {
    [Symbol.asyncIterator]: () => ({
      next: async () => steps.next(),
      return: async () => steps.return(),
    }),
  });
}

for (const async of [false, true]) {
  const kind = async ? 'an async source' : 'a sync source';

  test(`${kind}: results come in order, once each`, watched, async (t) => {
    const pool = poolFor(t, { maxThreads: 2 });
    assert.deepEqual(await all(pool.map(counted(500, { async }))), numbers(500));
    assert.deepEqual(await all(pool.map(counted(0, { async }))), []);
  });

  test(`${kind}: unordered, each result comes once`, watched, async (t) => {
    const pool = poolFor(t, { maxThreads: 2 });
    const results = await all(pool.map(counted(500, { async }), { ordered: false }));
    assert.deepEqual(
      results.sort((a, b) => a - b),
      numbers(500),
    );
  });

  for (const ordered of [true, false]) {
    test(
      `${kind}, ordered: ${ordered}: no more than \`concurrency\` are ahead of the reader`,
      watched,
      async (t) => {
        const pool = poolFor(t, { maxThreads: 2 });
        const source = counted(200, { async });
        let read = 0;
        let most = 0;
        const results = pool.map(source, { concurrency: 5, ordered });
        while ((await results.next()).done !== true) {
          most = Math.max(most, source.given - ++read);
          // Whatever may be pulled by mistake gets its time.
          if (read % 40 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
          most = Math.max(most, source.given - read);
        }
        assert.equal(read, 200);
        assert.ok(most <= 5, `${most}`);
      },
    );
  }

  test(`${kind}: a break ends the source, and nothing is pulled any more`, watched, async (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    const source = counted(1_000, { async });
    for await (const value of pool.map(source, { concurrency: 4 })) if (value === 10) break;
    assert.ok(source.ended);
    const { given } = source;
    assert.ok(given <= 10 + 4 + 1, `${given}`);
    await pool.run('later');
    assert.equal(source.given, given);
  });

  test(`${kind}: its error comes after the results before it`, watched, async (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    const source = counted(100, { async, failAt: 7 });
    const values = [];
    await assert.rejects(async () => {
      for await (const value of pool.map(source)) values.push(value);
    }, RangeError('the source fails'));
    assert.deepEqual(values, numbers(7));
  });

  test(`${kind}: the first error of a task is thrown in its place`, watched, async (t) => {
    const pool = poolFor(t, { maxThreads: 2, name: 'failAt3' });
    const source = counted(1_000, { async });
    const values = [];
    await assert.rejects(
      async () => {
        for await (const value of pool.map(source, { concurrency: 8 })) values.push(value);
      },
      { message: 'this is 3' },
    );
    assert.deepEqual(values, [0, 1, 2]);
    assert.ok(source.ended && source.given < 20);
  });
}

test('without stopOnError each result says how it ended', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 2, name: 'failAt3' });
  const results = await all(pool.map([2, 3, 4], { stopOnError: false }));
  assert.deepEqual(
    results.map(({ status, index, value, reason }) => [status, index, value ?? reason.message]),
    [
      ['fulfilled', 0, 2],
      ['rejected', 1, 'this is 3'],
      ['fulfilled', 2, 4],
    ],
  );
});

test('a slow item holds up no other where order does not matter', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2 });
  const words = sharedWords();
  const items = [{ words }, ...numbers(20)];
  const results = pool.map(items, { name: 'blockIfTold', ordered: false });
  const early = [];
  for (let i = 0; i < 20; i++) early.push((await results.next()).value);
  assert.deepEqual(
    early.sort((a, b) => a - b),
    numbers(20),
  );
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  assert.equal((await results.next()).done, false);
  assert.equal((await results.next()).done, true);
});

for (const how of ['break', 'abort']) {
  test(`a source that waits for its next item holds up no ${how}`, watched, async (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    const controller = new AbortController();
    let isClosed = false;
    async function* source() {
      try {
        yield 1;
        await new Promise((resolve) => t.after(resolve));
      } finally {
        isClosed = true;
      }
    }
    const options = how === 'abort' ? { signal: controller.signal } : {};
    const read = async () => {
      for await (const value of pool.map(source(), options)) {
        if (how === 'break') return value;
        controller.abort();
      }
    };
    if (how === 'break') assert.equal(await read(), 1);
    else await assert.rejects(read(), { name: 'AbortError' });
    assert.equal(isClosed, false);
  });
}

test('an abort ends it, and the source, and what runs', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const words = sharedWords();
  const source = counted(1_000);
  const controller = new AbortController();
  const results = pool.map(
    (function* () {
      yield { words };
      yield* source;
    })(),
    { name: 'blockIfTold', signal: controller.signal, concurrency: 3 },
  );
  const first = results.next();
  await until('it blocks', () => words[0] === 1);
  controller.abort(new Error('enough'));
  await assert.rejects(first, (error) => error.name === 'AbortError');
  assert.equal((await results.next()).done, true);
  assert.ok(source.given <= 3);
  assert.equal(await pool.run('alive', { name: 'echo' }), 'alive');
});

test('it waits for room in a pool that others fill', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1, maxQueue: 2 });
  const held = blocker(pool);
  await held.started;
  const others = [pool.run('a'), pool.run('b')];
  const results = all(pool.map(numbers(50), { concurrency: 10 }));
  held.release();
  assert.deepEqual(await results, numbers(50));
  assert.deepEqual(await Promise.all(others), ['a', 'b']);
  assert.equal(pool.stats().tasks.failed, 0);
});

test('a pool that is closed in the middle ends it with an error', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const source = counted(1_000);
  const results = pool.map(source, { concurrency: 2 });
  assert.equal((await results.next()).value, 0);
  const closed = pool.close();
  await assert.rejects(() => all(results), { code: 'ERR_CENOTE_POOL_CLOSED' });
  assert.ok(source.ended);
  await closed;
});

test('a worker that dies loses its item alone', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1, name: 'exitIfTold' });
  const results = await all(pool.map([0, 'exit', 1], { stopOnError: false, concurrency: 1 }));
  assert.deepEqual(
    results.map(({ status, reason }) => reason?.code ?? status),
    ['fulfilled', 'ERR_CENOTE_WORKER_LOST', 'fulfilled'],
  );
});

test('items that are promises are awaited, and a rejection ends the source', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 2 });
  const soon = (value) => new Promise((resolve) => setTimeout(resolve, 1, value));
  const results = [];
  for await (const result of pool.map([1, soon(2), 3, Promise.resolve(4)])) results.push(result);
  assert.deepEqual(results, [1, 2, 3, 4]);
  const before = [];
  const failing = [1, Promise.reject(new Error('of the source')), 3];
  await assert.rejects(async () => {
    for await (const result of pool.map(failing)) before.push(result);
  }, /of the source/);
  assert.deepEqual(before, [1]);
});

for (const ordered of [true, false]) {
  test(`an early break takes back what has not begun, ordered: ${ordered}`, watched, async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1, maxQueue: 3 });
    await pool.ready();
    const words = sharedWords();
    const items = Array.from({ length: 50 }, (_, n) => ({ words, ms: n === 0 ? 0 : 50 }));
    for await (const result of pool.map(items, { name: 'countFor', concurrency: 20, ordered })) {
      assert.equal(result, 0);
      break;
    }
    await pool.run(1, { whenFull: 'wait' });
    assert.ok(words[0] <= 3, `${words[0]} ran`);
    assert.equal(pool.queueSize, 0);
  });
}

test('wrong calls are refused at once', watched, (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  for (const source of [undefined, null, 1, {}, () => {}])
    assert.throws(() => pool.map(source), { code: 'ERR_INVALID_ARG_TYPE' });
  const wrong = [
    [{ concurrency: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ concurrency: '4' }, 'ERR_INVALID_ARG_TYPE'],
    [{ ordered: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ stopOnError: 'no' }, 'ERR_INVALID_ARG_TYPE'],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ concurency: 4 }, 'ERR_INVALID_ARG_TYPE'],
    [{ transferList: [] }, 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [options, code] of wrong)
    assert.throws(() => pool.map([], options), { code }, JSON.stringify(options));
});

test('the queue of a long source stays short', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 2 });
  let most = 0;
  let sum = 0;
  for await (const n of pool.map(counted(20_000), { concurrency: 64 })) {
    most = Math.max(most, pool.queueSize);
    sum += n;
  }
  assert.equal(sum, (20_000 * 19_999) / 2);
  assert.ok(most <= 64, `${most}`);
});
