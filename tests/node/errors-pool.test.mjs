// What the callers of a pool see of an error that a worker threw.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { fixture, watched } from './support/behaviour.mjs';

function throwingPool(t, name) {
  const pool = new Pool({ filename: fixture('errors/throws.cjs'), name, maxThreads: 1 });
  t.after(() => pool.destroy());
  return pool;
}

async function thrownBy(t, name, task) {
  const pool = throwingPool(t, name);
  async function caller() {
    return await pool.run(task);
  }
  try {
    await caller();
  } catch (error) {
    return error;
  }
  return assert.fail('it did not throw');
}

test('what is no error arrives as thrown', watched, async (t) => {
  assert.equal(await thrownBy(t, 'text'), 'only text');
  assert.deepEqual(await thrownBy(t, 'object'), { code: 42, message: 'not an error' });
  assert.equal(await thrownBy(t, 'nothing'), null);
});

for (const name of ['plain', 'rejects']) {
  test(`the stack has the worker's frames, then the caller's (${name})`, watched, async (t) => {
    const error = await thrownBy(t, name, 'message');
    assert.equal(error.message, 'message');
    assert.match(
      error.stack,
      /message\n[^]*throws\.cjs:\d+[^]*\n {4}at --- task in worker thread \d+, called from ---\n/,
    );
    assert.match(error.stack, /, called from ---\n +at async caller \(/);
  });
}

test('tasks that fail together each have their own callers', watched, async (t) => {
  const pool = throwingPool(t, 'plain');
  async function one() {
    await pool.run('1');
  }
  async function two() {
    await pool.run('2');
  }
  const [first, second] = await Promise.allSettled([one(), two()]);
  assert.match(first.reason.stack, /at async one/);
  assert.doesNotMatch(first.reason.stack, /at async two/);
  assert.match(second.reason.stack, /at async two/);
});

test('classes, names and codes arrive', watched, async (t) => {
  const named = await thrownBy(t, 'named');
  assert.deepEqual([named.name, named.code, named.message], ['NamedFailure', 'E_NAMED', 'named']);
  const unnamed = await thrownBy(t, 'unnamed');
  assert.ok(unnamed instanceof TypeError);
  assert.match(unnamed.stack, /^UnnamedFailure/);
  const foreign = await thrownBy(t, 'foreign');
  assert.ok(foreign instanceof RangeError);
  assert.equal(foreign.code, 'E_FOREIGN');
  const node = await thrownBy(t, 'node');
  assert.ok(node instanceof TypeError);
  assert.equal(node.code, 'ERR_INVALID_ARG_TYPE');
  const aborted = await thrownBy(t, 'aborted');
  assert.ok(aborted instanceof DOMException);
  assert.equal(aborted.name, 'AbortError');
});

test(
  'an error with something in it that cannot be cloned arrives without that',
  watched,
  async (t) => {
    const error = await thrownBy(t, 'uncloneable');
    assert.equal(error.message, 'partly');
    assert.deepEqual({ ...error }, { kept: { a: [1] } });
  },
);

test('causes and errors arrive whole', watched, async (t) => {
  const cycle = await thrownBy(t, 'cycle');
  assert.equal(cycle.message, 'a');
  assert.ok(cycle.cause instanceof TypeError);
  assert.equal(cycle.cause.cause, cycle);
  const aggregate = await thrownBy(t, 'aggregate');
  assert.ok(aggregate instanceof AggregateError);
  assert.ok(aggregate.errors[0] instanceof RangeError);
  assert.equal(aggregate.errors[1], 'second');
});

test('what background work rejects with arrives whole', watched, async (t) => {
  const pool = throwingPool(t, 'background');
  const reported = once(pool, 'backgroundError');
  await pool.run();
  // An idle pool keeps no process alive; one that closes waits for its background work.
  await pool.close();
  const [error] = await reported;
  assert.deepEqual([error.name, error.code], ['NamedFailure', 'E_NAMED']);
});
