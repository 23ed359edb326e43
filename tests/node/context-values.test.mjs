// `run(task, { context })`: values go with a task, beside its payload, into whatever asynchronous
// code its handler starts, and into no other task's.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { contextValues, move } from 'cenote';
import { fixture, poolFor, watched } from './support/behaviour.mjs';

const filename = fixture('features/context-values.cjs');
const values = { traceId: 'a1', user: { id: 7 } };

test('a handler finds the values, also after it has waited', watched, async (t) => {
  const pool = poolFor(t, { filename, maxThreads: 1 });
  const seen = await pool.run({ n: 1 }, { name: 'both', context: values });
  assert.deepEqual(seen, { payload: { n: 1 }, given: values, before: values, after: values });
});

test('each of the tasks that run at once finds its own', watched, async (t) => {
  const pool = poolFor(t, { filename, maxThreads: 1, concurrentTasksPerWorker: 50 });
  const calls = Array.from({ length: 50 }, (_, n) =>
    pool.run(n, n % 2 === 0 ? { name: 'both' } : { name: 'both', context: { n } }),
  );
  (await Promise.all(calls)).forEach(({ payload, given, after }, n) => {
    assert.equal(payload, n);
    assert.deepEqual([given, after], n % 2 === 0 ? [undefined, undefined] : [{ n }, { n }]);
  });
});

test('a task without values finds none after one that had some', watched, async (t) => {
  const pool = poolFor(t, { filename, name: 'now', maxThreads: 1 });
  assert.deepEqual(await pool.run(0, { context: values }), values);
  assert.equal(await pool.run(0), null);
  assert.deepEqual(await pool.run(0, { context: {} }), {});
});

test('what a handler left running still finds them', watched, async (t) => {
  const pool = poolFor(t, { filename, maxThreads: 1 });
  const { port1, port2 } = new MessageChannel();
  const told = once(port1, 'message');
  await pool.run(
    { port: port2, ms: 20 },
    { name: 'later', context: values, transferList: [port2] },
  );
  assert.deepEqual((await told)[0], values);
});

test('a payload that moves takes them along', watched, async (t) => {
  const pool = poolFor(t, { filename, maxThreads: 1 });
  const buffer = new ArrayBuffer(64);
  const seen = await pool.run(move(buffer), { name: 'size', context: values });
  assert.deepEqual(seen, [64, values]);
  assert.equal(buffer.byteLength, 0);
});

test('an error arrives as it does without them', watched, async (t) => {
  const pool = poolFor(t, { filename, maxThreads: 1 });
  await assert.rejects(pool.run(0, { name: 'fail', context: values }), RangeError('of a1'));
});

test('values that cannot be cloned fail their own call', watched, async (t) => {
  const pool = poolFor(t, { filename, name: 'now', maxThreads: 1 });
  await assert.rejects(pool.run(0, { context: { bad() {} } }), { name: 'DataCloneError' });
  assert.equal(await pool.run(0), null);
});

test('a context that is no object is refused', watched, async (t) => {
  const pool = poolFor(t, { filename, name: 'now', maxThreads: 1 });
  for (const context of [1, 'x', [], null, () => {}])
    await assert.rejects(pool.run(0, { context }), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('outside of a handler there are none', () => assert.equal(contextValues(), undefined));
