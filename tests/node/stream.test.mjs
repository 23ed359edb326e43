// Streams: what a handler gives part by part, what it reports, and what it reads; bounded both
// ways, in order, and ended when nobody wants it any more.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { blocker, fixture, poolFor, sharedWords, until, watched } from './support/behaviour.mjs';

const streams = (t, options) =>
  poolFor(t, { filename: fixture('streams.mjs'), maxThreads: 1, ...options });

async function collect(iterable) {
  const parts = [];
  for await (const part of iterable) parts.push(part);
  return parts;
}

const upTo = (to) => Array.from({ length: to }, (_, n) => n);

for (const name of ['list', 'asyncList', 'webStream', 'nodeStream', 'promises']) {
  test(`what a handler returns is read part by part: ${name}`, watched, async (t) => {
    const pool = streams(t);
    const items = ['a', { b: 1 }, 3, [4]];
    assert.deepEqual(await collect(pool.stream(items, { name })), items);
    assert.deepEqual(await collect(pool.stream([], { name })), []);
  });
}

test('a generator’s parts come in order, whatever the window', watched, async (t) => {
  const pool = streams(t);
  for (const highWaterMark of [1, 2, 3, 16, 1_000]) {
    const parts = await collect(pool.stream(500, { name: 'numbers', highWaterMark }));
    assert.deepEqual(parts, upTo(500), `${highWaterMark}`);
  }
});

test('no more parts are made than the reader has room for', watched, async (t) => {
  const pool = streams(t);
  const words = sharedWords();
  const task = { words, to: 1_000 };
  let read = 0;
  for await (const part of pool.stream(task, { name: 'count', highWaterMark: 8 })) {
    assert.equal(part, read++);
    if (read % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(words[0] <= read + 8 + 1, `${words[0]} made, ${read} read`);
  }
  assert.equal(read, 1_000);
});

test('an early break runs the finally of the generator', watched, async (t) => {
  const pool = streams(t);
  const words = sharedWords();
  for await (const part of pool.stream({ words, to: 1e9 }, { name: 'count' })) {
    if (part === 20) break;
  }
  assert.equal(words[2], 1);
  assert.ok(words[0] < 100);
  assert.equal(await pool.run(1, { name: 'list' }), 1, 'the worker is free, and the same');
  assert.equal(pool.stats().threads, 1);
});

test('a break while the generator waits aborts its signal', watched, async (t) => {
  const pool = streams(t);
  const words = sharedWords();
  for await (const part of pool.stream({ words }, { name: 'never' })) {
    assert.equal(part, 'first');
    break;
  }
  assert.equal(words[1], 1);
});

test('an abort ends the reading at once, and runs the finally', watched, async (t) => {
  const pool = streams(t);
  const words = sharedWords();
  const controller = new AbortController();
  const { signal } = controller;
  const parts = [];
  await assert.rejects(
    async () => {
      for await (const part of pool.stream({ words }, { name: 'never', signal })) {
        parts.push(part);
        setTimeout(() => controller.abort(new Error('enough')), 1);
      }
    },
    (error) => error.name === 'AbortError' && error.cause.message === 'enough',
  );
  assert.deepEqual(parts, ['first']);
  await until('the finally has run', () => words[1] === 1);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  assert.equal(await pool.run(1, { name: 'list' }), 1);
  assert.equal(pool.stats().tasks.aborted, 0, 'its worker was not lost');
});

test('a handler that does not end after an abort loses its worker', watched, async (t) => {
  const pool = streams(t);
  const words = sharedWords();
  const signal = AbortSignal.timeout(100);
  await assert.rejects(collect(pool.stream({ words }, { name: 'stuck', signal })), {
    name: 'AbortError',
  });
  assert.equal(await pool.run(1, { name: 'list' }), 1);
});

test('an abort before it begins: it never does', watched, async (t) => {
  const pool = streams(t, { filename: fixture('tasks.cjs') });
  const held = blocker(pool);
  await held.started;
  const controller = new AbortController();
  const words = sharedWords();
  const filename = fixture('streams.mjs');
  const read = collect(
    pool.stream({ words, to: 3 }, { filename, name: 'count', signal: controller.signal }),
  );
  controller.abort();
  await assert.rejects(read, { name: 'AbortError' });
  const left = pool.stream({ words, to: 3 }, { filename, name: 'count' });
  const first = left.next();
  first.catch(() => {});
  held.release();
  await held.done;
  await first;
  await left.return();
  assert.ok(words[0] <= 3);
  await assert.rejects(collect(pool.stream(1, { signal: AbortSignal.abort() })), {
    name: 'AbortError',
  });
});

for (const pace of ['as fast as it can', 'slowly, so that all is there when it asks']) {
  test(
    `an error comes behind all parts, whole, with the stack of who reads ${pace}`,
    watched,
    async (t) => {
      const pool = streams(t);
      const parts = [];
      async function theReader() {
        for await (const part of pool.stream(4, { name: 'failing' })) {
          parts.push(part);
          if (pace !== 'as fast as it can') await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
      const error = await theReader().catch((reason) => reason);
      assert.deepEqual(parts, upTo(4));
      assert.ok(error instanceof RangeError);
      assert.match(error.stack, /streams\.mjs[^]*called from ---\n[^]*at async theReader/);
    },
  );
}

test('a part that cannot be cloned fails the stream behind the others', watched, async (t) => {
  const pool = streams(t);
  const parts = [];
  await assert.rejects(
    async () => {
      for await (const part of pool.stream(1, { name: 'uncloneable' })) parts.push(part);
    },
    { name: 'DataCloneError' },
  );
  assert.deepEqual(parts, [1]);
});

test('a worker that dies loses its stream alone', watched, async (t) => {
  const pool = streams(t);
  await assert.rejects(collect(pool.stream(1, { name: 'dying' })), {
    code: 'ERR_CENOTE_WORKER_LOST',
  });
  assert.deepEqual(await collect(pool.stream(3, { name: 'numbers' })), [0, 1, 2]);
});

test('a handler that gives no stream is refused by its name', watched, async (t) => {
  const pool = streams(t);
  for (const name of ['text', 'nothing'])
    await assert.rejects(collect(pool.stream(1, { name })), {
      code: 'ERR_CENOTE_NOT_A_STREAM',
      message: new RegExp(`"${name}"`),
    });
});

test('a time limit bounds the whole stream', watched, async (t) => {
  const pool = streams(t);
  const words = sharedWords();
  await assert.rejects(collect(pool.stream({ words, to: 1e9 }, { name: 'count', timeout: 50 })), {
    code: 'ERR_CENOTE_TIMEOUT',
  });
});

test('values go with it', watched, async (t) => {
  const pool = streams(t);
  const context = { traceId: 7 };
  assert.deepEqual(await collect(pool.stream(1, { name: 'values', context })), [context, context]);
});

test('many streams at once keep apart', watched, async (t) => {
  const pool = streams(t, { maxThreads: 2, concurrentTasksPerWorker: 8 });
  const sizes = upTo(40);
  const read = sizes.map((size) => collect(pool.stream(size, { name: 'numbers' })));
  assert.deepEqual(
    await Promise.all(read),
    sizes.map((size) => upTo(size)),
  );
});

for (const how of ['close', 'destroy']) {
  test(`${how}() in the middle of a stream`, watched, async (t) => {
    const pool = streams(t);
    const words = sharedWords();
    const stream = pool.stream({ words, to: 50 }, { name: 'count', highWaterMark: 4 });
    await stream.next();
    const ended = pool[how]();
    if (how === 'close') assert.deepEqual(await collect(stream), upTo(50).slice(1));
    else await assert.rejects(collect(stream), { code: 'ERR_CENOTE_POOL_DESTROYED' });
    await ended;
    await assert.rejects(collect(pool.stream(1)), { code: 'ERR_CENOTE_POOL_CLOSED' });
  });
}

test('wrong calls of stream() are refused at once', watched, (t) => {
  const pool = streams(t);
  const wrong = [
    [{ nmae: 'x' }, 'ERR_INVALID_ARG_TYPE'],
    [{ highWaterMark: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ coalesce: 'k' }, 'ERR_INVALID_ARG_TYPE'],
    [{ signal: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ['name', 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [options, code] of wrong)
    assert.throws(() => pool.stream(1, options), { code }, JSON.stringify(options));
});

// Progress

for (const name of ['steps', 'stepsAtOnce']) {
  test(`reports come in order and before the result: ${name}`, watched, async (t) => {
    const pool = streams(t);
    for (let round = 0; round < 20; round++) {
      const seen = [];
      const onProgress = (value) => seen.push(value);
      const result = await pool.run(50, { name, onProgress });
      assert.deepEqual(seen, name === 'steps' ? [...upTo(50), 'last'] : upTo(50));
      assert.equal(result, 'done');
    }
    assert.equal(await pool.run(5, { name }), 'done', 'without a listener');
  });
}

test('reports come before the error as well', watched, async (t) => {
  const pool = streams(t);
  const seen = [];
  const onProgress = (value) => seen.push(value);
  async function theCaller() {
    await pool.run(3, { name: 'stepsThenThrow', onProgress });
  }
  const error = await theCaller().catch((reason) => reason);
  assert.deepEqual(seen, [0, 1, 2]);
  assert.match(error.stack, /at async theCaller/);
});

test('a stream may report too', watched, async (t) => {
  const pool = streams(t);
  const lane = pool.lane('one', { maxRunning: 1 });
  const seen = [];
  assert.equal(
    await lane.run(3, { name: 'stepsAtOnce', onProgress: (value) => seen.push(value) }),
    'done',
  );
  assert.deepEqual(seen, [0, 1, 2]);
});

// Input

test('a task reads its input from any iterable', watched, async (t) => {
  const pool = streams(t);
  const web = new ReadableStream({
    start(controller) {
      for (const n of upTo(100)) controller.enqueue(n);
      controller.close();
    },
  });
  async function* slow() {
    for (const n of upTo(10)) yield new Promise((resolve) => setTimeout(resolve, 1, n));
  }
  const run = (input) => pool.run(1, { name: 'sum', input });
  assert.equal(await run(upTo(100)), 4951);
  assert.equal(await run(web), 4951);
  assert.equal(await run(Readable.from(upTo(100))), 4951);
  assert.equal(await run(slow()), 46);
  assert.equal(await run([]), 1);
  assert.equal(await pool.run(1, { name: 'hasInput' }), false);
});

test('the source is asked for no more than the task has room for', watched, async (t) => {
  const pool = streams(t);
  const words = sharedWords();
  let given = 0;
  function* source() {
    for (; given < 200; given++) {
      assert.ok(given <= words[0] + 16 + 8, `${given} given, ${words[0]} read`);
      yield given;
    }
  }
  await pool.run({ words, ms: 1 }, { name: 'slowReader', input: source() });
  assert.equal(words[0], 200);
});

test('a source is asked to end when its task has, or reads no more', watched, async (t) => {
  const pool = streams(t);
  let ended = 0;
  async function* endless() {
    try {
      for (let n = 0; ; n++) yield n;
    } finally {
      ended++;
    }
  }
  assert.equal(await pool.run(1, { name: 'firstOf', input: endless() }), 0);
  await until('it has ended', () => ended === 1);
  assert.equal(await pool.run(1, { name: 'hasInput', input: endless() }), true);
  await until('that too', () => ended === 2);
  await assert.rejects(pool.run(1, { name: 'missing', input: endless() }));
  await until('and that', () => ended === 3);
});

test('what the source throws, the handler gets', watched, async (t) => {
  const pool = streams(t);
  async function* failing() {
    yield 1;
    throw new RangeError('of the source');
  }
  await assert.rejects(pool.run(1, { name: 'sum', input: failing() }), RangeError);
});

test('a stream in and a stream out', watched, async (t) => {
  const pool = streams(t);
  let given = 0;
  async function* lines() {
    for (; given < 500; given++) yield `line ${given}`;
  }
  let read = 0;
  for await (const line of pool.stream(null, { name: 'upper', input: lines() })) {
    assert.equal(line, `LINE ${read++}`);
    assert.ok(given <= read + 60, `${given} given, ${read} read`);
  }
  assert.equal(read, 500);
});

test('wrong input and wrong callbacks are refused', watched, async (t) => {
  const pool = streams(t);
  for (const options of [{ input: 1 }, { input: {} }, { onProgress: 'x' }])
    await assert.rejects(pool.run(1, options), { code: 'ERR_INVALID_ARG_TYPE' });
});
