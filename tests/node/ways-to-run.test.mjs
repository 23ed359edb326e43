// What every call owes its caller, whichever way its task takes into the pool: the caller's async
// context and stack, options that are read once and at the call, and limits that hold from then on.

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { describe, test } from 'node:test';
import { blocker, poolFor, watched } from './support/behaviour.mjs';

const one = { maxRunning: 1 };

const first = async (results) => {
  for await (const result of results) return result;
  return undefined;
};

/** A pool whose only place is taken until `release()`. */
async function busyPool(t, options) {
  const pool = poolFor(t, { maxThreads: 1, ...options });
  const held = blocker(pool);
  await held.started;
  return { pool, release: held.release };
}

/**
 * Ways for a task into a pool. Each gives the pool, a function that makes the call, and what lets
 * the task begin.
 */
const kWays = {
  'run()': (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    return { pool, call: (task, options) => pool.run(task, options), release() {} };
  },
  'run() that waits in the queue': async (t) => {
    const { pool, release } = await busyPool(t);
    return { pool, call: (task, options) => pool.run(task, options), release };
  },
  'run() that waits for room': async (t) => {
    const { pool, release } = await busyPool(t, { maxQueue: 0 });
    const call = (task, options) => pool.run(task, withWait(options));
    return { pool, call, release };
  },
  'a free lane': (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    const lane = pool.lane('free', { maxRunning: 1 });
    return { pool, call: (task, options) => lane.run(task, options), release() {} };
  },
  'a lane that is taken': async (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    const lane = pool.lane('taken', { maxRunning: 1 });
    const held = blocker(lane);
    await held.started;
    return { pool, call: (task, options) => lane.run(task, options), release: held.release };
  },
  'a free lane of a full pool': async (t) => {
    const { pool, release } = await busyPool(t, { maxQueue: 0 });
    const lane = pool.lane('free', { maxRunning: 1 });
    return { pool, call: (task, options) => lane.run(task, options), release };
  },
  'map()': (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    return { pool, call: (task, options) => first(pool.map([task], options)), release() {} };
  },
  'map() in a full pool': async (t) => {
    const { pool, release } = await busyPool(t, { maxQueue: 0 });
    return { pool, call: (task, options) => first(pool.map([task], options)), release };
  },
};

/** The same object, which says what is read of it, with one more option. */
function withWait(options = {}) {
  return new Proxy(options, {
    ownKeys: (target) => [...Reflect.ownKeys(target), 'whenFull'],
    get: (target, key, self) => (key === 'whenFull' ? 'wait' : Reflect.get(target, key, self)),
    getOwnPropertyDescriptor: (target, key) =>
      key === 'whenFull'
        ? { value: 'wait', configurable: true, enumerable: true }
        : Reflect.getOwnPropertyDescriptor(target, key),
  });
}

for (const [way, open] of Object.entries(kWays)) {
  describe(way, () => {
    test('its start is told of in the context of its call', watched, async (t) => {
      const { pool, call, release } = await open(t);
      const storage = new AsyncLocalStorage();
      const seen = [];
      const listeners = {
        start: (message) => message.pool === pool && seen.push(storage.getStore()),
      };
      const channel = tracingChannel('cenote:task');
      channel.subscribe(listeners);
      t.after(() => channel.unsubscribe(listeners));
      const calls = ['a', 'b'].map((who) => storage.run(who, () => call(who)));
      release();
      assert.deepEqual(await Promise.all(calls), ['a', 'b']);
      assert.deepEqual(seen, ['a', 'b']);
    });

    test('an error of the handler goes on with its callers', watched, async (t) => {
      const { call, release } = await open(t);
      async function theCaller() {
        await call('no', { name: 'throwError' });
      }
      const called = theCaller();
      release();
      const error = await called.catch((reason) => reason);
      assert.match(error.stack, /tasks\.cjs[^]*--- task in worker thread \d+, called from ---/);
      assert.match(error.stack, /called from ---\n[^]*at async theCaller \(.*ways-to-run/);
      assert.doesNotMatch(error.stack, /at async .*dist/, error.stack);
    });

    test('each option is read once, at the call', watched, async (t) => {
      const { call, release } = await open(t);
      const reads = {};
      const { signal } = new AbortController();
      const values = { name: 'echo', signal, timeout: 20_000, queueTimeout: 20_000, context: {} };
      const options = {};
      for (const [name, value] of Object.entries(values)) {
        reads[name] = 0;
        Object.defineProperty(options, name, {
          enumerable: true,
          get() {
            reads[name]++;
            return value;
          },
        });
      }
      const called = call(1, options);
      const once = Object.fromEntries(Object.keys(values).map((name) => [name, 1]));
      assert.deepEqual(reads, once);
      release();
      assert.equal(await called, 1);
      assert.deepEqual(reads, once);
    });

    test('what becomes of the options after the call changes nothing', watched, async (t) => {
      const { call, release } = await open(t);
      const options = { name: 'echo' };
      const called = call(1, options);
      options.name = 'throwError';
      options.nonsense = true;
      release();
      assert.equal(await called, 1);
    });

    test('a wrong option is refused before anything of it runs', watched, async (t) => {
      const { pool, call, release } = await open(t);
      const { accepted } = pool.stats().tasks;
      await assert.rejects(async () => call(1, { nmae: 'x' }), /Did you mean "name"/);
      assert.equal(pool.stats().tasks.accepted, accepted);
      release();
    });

    test('queueTimeout bounds all that it waits', watched, async (t) => {
      const { pool, call, release } = await open(t);
      // Where nothing is in its way, something is put there.
      const held = blocker(pool.stats().tasks.accepted === 0 ? pool : pool.lane('other', one));
      const called = call(1, { queueTimeout: 20 });
      await assert.rejects(called, { code: 'ERR_CENOTE_QUEUE_TIMEOUT' });
      release();
      held.release();
      await held.done.catch(() => {});
    });

    test('an abort ends its wait, and it never runs', watched, async (t) => {
      const { pool, call, release } = await open(t);
      const held = blocker(pool.stats().tasks.accepted === 0 ? pool : pool.lane('other', one));
      const words = new Int32Array(new SharedArrayBuffer(8));
      const controller = new AbortController();
      const called = call({ words }, { name: 'count', signal: controller.signal });
      controller.abort(new Error('enough'));
      await assert.rejects(called, { name: 'AbortError' });
      release();
      held.release();
      await held.done;
      await pool.run(1, { whenFull: 'wait' });
      assert.equal(words[0], 0);
    });

    test('a pool that ends settles it', watched, async (t) => {
      const { pool, call } = await open(t);
      const held = blocker(pool.stats().tasks.accepted === 0 ? pool : pool.lane('other', one));
      held.started.catch(() => {});
      const ended = assert.rejects(call(1), /CenoteError: The pool (was destroyed|is closed)/);
      await pool.destroy();
      await ended;
      await held.done.catch(() => {});
      assert.equal(pool.threads.length, 0);
    });
  });
}
