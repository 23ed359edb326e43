// `pool.map()` as a stage of web streams and of Node's.

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { poolFor, until, watched } from './support/behaviour.mjs';

const upTo = (to) => Array.from({ length: to }, (_, n) => n);

function webSource(items) {
  const iterator = items[Symbol.iterator]();
  const state = { pulled: 0, cancelled: false };
  const stream = new ReadableStream(
    {
      pull(controller) {
        const { done, value } = iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
        state.pulled++;
      },
      cancel() {
        state.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, state };
}

async function collect(iterable) {
  const all = [];
  for await (const item of iterable) all.push(item);
  return all;
}

test('a web stage gives the results in order', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 2 });
  const { stream } = webSource(upTo(500));
  assert.deepEqual(await collect(stream.pipeThrough(pool.transform())), upTo(500));
});

test('a web stage takes no more than it has room for', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const { stream, state } = webSource(upTo(1_000));
  const reader = stream.pipeThrough(pool.transform({ concurrency: 4 })).getReader();
  for (let n = 0; n < 20; n++) assert.deepEqual(await reader.read(), { done: false, value: n });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(state.pulled <= 20 + 4 + 4, `${state.pulled}`);
  await reader.cancel();
  await until('the source is cancelled', () => state.cancelled);
  assert.equal(pool.queueSize, 0);
});

test('an error of a handler, or of the source, ends a web stage', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const { stream, state } = webSource(upTo(100));
  const stage = pool.transform({ name: 'failAt3' });
  await assert.rejects(collect(stream.pipeThrough(stage)), /3/);
  await until('the source is cancelled', () => state.cancelled);
  const failing = webSource(
    (function* () {
      yield 1;
      throw new Error('of the source');
    })(),
  );
  await assert.rejects(collect(failing.stream.pipeThrough(pool.transform())), /of the source/);
});

test('a Node stage gives the results in order', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 2 });
  const all = [];
  await pipeline(Readable.from(upTo(500)), pool.duplex(), async (results) => {
    for await (const result of results) all.push(result);
  });
  assert.deepEqual(all, upTo(500));
});

test('an error of a handler ends a Node pipeline', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const source = Readable.from(upTo(100));
  const all = async (results) => {
    for await (const result of results) assert.notEqual(result, 3);
  };
  await assert.rejects(pipeline(source, pool.duplex({ name: 'failAt3' }), all), /3/);
  assert.ok(source.destroyed);
});

test('wrong options are refused at the call', watched, (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  for (const call of [() => pool.transform({ concurency: 1 }), () => pool.duplex({ ordered: 1 })])
    assert.throws(call, { code: 'ERR_INVALID_ARG_TYPE' });
});
