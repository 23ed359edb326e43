// Tasks that run on the pool's own thread where that is cheaper than their hop, and what the pool
// says of its handlers.

import assert from 'node:assert/strict';
import { isMainThread } from 'node:worker_threads';
import { test } from 'node:test';
import { fixture, poolFor, untilSo, watched } from './support/behaviour.mjs';

const offloaded = (t) => poolFor(t, { filename: fixture('offload.mjs'), maxThreads: 1 });
const auto = { offload: 'auto' };

test('a cheap handler that says that it may comes to run here', watched, async (t) => {
  assert.ok(isMainThread);
  const pool = offloaded(t);
  assert.equal(await pool.run(1, { name: 'where', ...auto }), 'there');
  const run = async () => (await pool.run(1, { name: 'where', ...auto })) === 'here';
  await untilSo('it runs here', run);
  assert.equal(await pool.run(1, { name: 'where' }), 'there', 'only where it is asked for');
  const timed = await pool.run(1, { name: 'where', ...auto, timeout: 5_000 });
  assert.equal(timed, 'there', 'what may have to be stopped goes to a worker');
  const [advice] = pool.advise();
  assert.equal(advice.name, 'where');
  assert.equal(advice.pays, false);
  assert.ok(advice.inline >= 1 && advice.hopMs > advice.runMs, JSON.stringify(advice));
});

test('one that takes longer than its hop does not', watched, async (t) => {
  const pool = offloaded(t);
  for (let n = 0; n < 20; n++) assert.equal(await pool.run(1, { name: 'slow', ...auto }), 'there');
  assert.equal(pool.advise()[0].pays, true);
});

test(
  'nor one whose file does not say that it may, and that is not loaded here',
  watched,
  async (t) => {
    const pool = poolFor(t, { filename: fixture('tasks.cjs'), maxThreads: 1 });
    for (let n = 0; n < 50; n++) await pool.run(n, { name: 'echo', ...auto });
    assert.equal(pool.advise()[0].inline, 0);
  },
);

test(
  'also here a handler has a copy of its task, and throws as it would there',
  watched,
  async (t) => {
    const pool = offloaded(t);
    const options = { name: 'change', ...auto };
    const isHere = (name) => async () => {
      const before = pool.advise().find((advice) => advice.name === name)?.inline ?? 0;
      await pool.run({}, { name, ...auto }).catch(() => {});
      return (pool.advise().find((advice) => advice.name === name)?.inline ?? 0) > before;
    };
    await untilSo('it runs here', isHere('change'));
    const task = { list: [1] };
    const result = await pool.run(task, options);
    assert.deepEqual(result, { list: [1], changed: true });
    assert.equal(task.changed, undefined);
    assert.notEqual(result.list, task.list);
    await untilSo('that too', isHere('fail'));
    await assert.rejects(pool.run(1, { name: 'fail', ...auto }), RangeError);
    await untilSo('and that', isHere('values'));
    const context = { traceId: 5 };
    const seen = await pool.run(1, { name: 'values', context, ...auto });
    assert.deepEqual(seen, [context, context]);
  },
);

test('a task that runs here is one of the pool’s', watched, async (t) => {
  const pool = offloaded(t);
  const inline = () => pool.advise().find(({ name }) => name === 'where')?.inline ?? 0;
  await untilSo('it runs here', async () => {
    await pool.run(1, { name: 'where', ...auto });
    return inline() > 0;
  });
  const before = pool.stats().tasks;
  const lane = pool.lane('one', { maxRunning: 1 });
  assert.equal(await lane.run(1, { name: 'where', ...auto }), 'there', 'a lane has its own rules');
  const called = pool.run(1, { name: 'where', ...auto });
  assert.equal(pool.stats().tasks.accepted, before.accepted + 2);
  await pool.close();
  assert.equal(await called, 'here');
  assert.equal(pool.stats().tasks.completed, before.completed + 2);
  await assert.rejects(pool.run(1, { name: 'where', ...auto }), { code: 'ERR_CENOTE_POOL_CLOSED' });
});

test('wrong values are refused', watched, async (t) => {
  const pool = offloaded(t);
  await assert.rejects(pool.run(1, { offload: 'never' }), { code: 'ERR_OUT_OF_RANGE' });
  assert.deepEqual(pool.advise(), []);
});
