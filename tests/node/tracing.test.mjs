// The channel `cenote:task`: each call is told of in the order of Node's tracing channels, with how
// long it waited and ran; and the pool does not mind what listeners do.

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { test } from 'node:test';
import { blocker, poolFor, watched } from './support/behaviour.mjs';

const kNames = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];

/** Listens until the test ends; what it hears is of that pool alone. */
function listen(t, pool) {
  const heard = [];
  const channel = tracingChannel('cenote:task');
  const listeners = Object.fromEntries(
    kNames.map((name) => [
      name,
      (message) => {
        if (message.pool === pool) heard.push({ name, message, at: { ...message } });
      },
    ]),
  );
  channel.subscribe(listeners);
  t.after(() => channel.unsubscribe(listeners));
  return heard;
}

test('a call is told of from its start to its result', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const heard = listen(t, pool);
  assert.equal(await pool.run(20, { name: 'busy' }), 20);
  assert.deepEqual(
    heard.map(({ name }) => name),
    ['start', 'end', 'asyncStart', 'asyncEnd'],
  );
  assert.ok(heard.every(({ message }) => message === heard[0].message));
  const { at: before } = heard[0];
  assert.equal(before.runTime, undefined);
  const { message } = heard[3];
  assert.equal(message.name, 'busy');
  assert.match(message.filename, /^file:.*tasks\.cjs$/);
  assert.equal(message.result, 20);
  assert.equal(message.error, undefined);
  assert.ok(message.runTime >= 20, `${message.runTime}`);
  assert.ok(message.queueTime >= 0);
  assert.equal(message.threadId, pool.threads[0].threadId);
});

test('what a handler throws is told of, and thrown', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const heard = listen(t, pool);
  const error = await pool.run('no', { name: 'throwError' }).catch((reason) => reason);
  assert.deepEqual(
    heard.map(({ name }) => name),
    ['start', 'end', 'error', 'asyncStart', 'asyncEnd'],
  );
  assert.equal(heard[2].message.error, error);
  assert.ok(heard[2].message.runTime >= 0);
});

test('a task that never ran has no times', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const held = blocker(pool);
  await held.started;
  const heard = listen(t, pool);
  const controller = new AbortController();
  const waiting = pool.run(1, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, { name: 'AbortError' });
  const { message } = heard.at(-1);
  assert.equal(message.error.name, 'AbortError');
  assert.deepEqual([message.queueTime, message.runTime], [undefined, undefined]);
  held.release();
  await held.done;
});

test('a wrong call is told of', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const heard = listen(t, pool);
  await assert.rejects(pool.run(1, { nmae: 'x' }), TypeError);
  assert.match(heard[2].message.error.message, /nmae/);
});

test('a store that is bound to the start is there in the continuations', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const storage = new AsyncLocalStorage();
  const channel = tracingChannel('cenote:task');
  channel.start.bindStore(storage, (message) => message);
  t.after(() => channel.start.unbindStore(storage));
  const seen = [];
  const listener = () => seen.push(storage.getStore());
  channel.asyncEnd.subscribe(listener);
  t.after(() => channel.asyncEnd.unsubscribe(listener));
  await pool.run(1, { name: 'echo' });
  assert.equal(seen.length, 1);
  assert.equal(seen[0].name, 'echo');
});

test('without listeners nothing is told, and they may come and go', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const channel = tracingChannel('cenote:task');
  const heard = [];
  const listener = (message) => message.pool === pool && heard.push(message.result);
  await pool.run(1, { name: 'echo' });
  channel.asyncEnd.subscribe(listener);
  await pool.run(2, { name: 'echo' });
  channel.asyncEnd.unsubscribe(listener);
  await pool.run(3, { name: 'echo' });
  assert.deepEqual(heard, [2]);
});
