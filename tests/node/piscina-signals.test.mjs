// One signal for many tasks of a drop-in pool, and what a task that has settled still holds.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { EventEmitter, getEventListeners } from 'node:events';
import Piscina from 'cenote/piscina';
import { fixture, runProgram, until, watched } from './support/behaviour.mjs';

function poolFor(t, options = {}) {
  const filename = fixture('tasks.cjs');
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1, ...options });
  t.after(() => pool.destroy());
  return pool;
}

function warnings(t) {
  const seen = [];
  const listener = ({ name }) => void (name === 'MaxListenersExceededWarning' && seen.push(name));
  process.on('warning', listener);
  t.after(() => process.off('warning', listener));
  return seen;
}

test(
  'one AbortSignal for many tasks: one listener, no warning, all are aborted',
  watched,
  async (t) => {
    const seen = warnings(t);
    const pool = poolFor(t);
    const { signal, abort } = ((controller) => ({
      signal: controller.signal,
      abort: () => controller.abort('enough'),
    }))(new AbortController());
    const runs = Array.from({ length: 50 }, () =>
      pool.run({ ms: 60_000 }, { name: 'pause', signal }),
    );
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    abort();
    for (const { reason } of await Promise.allSettled(runs)) {
      assert.deepEqual([reason?.name, reason?.cause], ['AbortError', 'enough']);
    }
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(seen, []);
  },
);

test(
  'one emitter for many tasks: one listener, no warning, all are aborted',
  watched,
  async (t) => {
    const seen = warnings(t);
    const pool = poolFor(t);
    const signal = new EventEmitter();
    const done = await Promise.all(Array.from({ length: 20 }, (_, n) => pool.run(n, { signal })));
    assert.equal(done.length, 20);
    assert.equal(signal.listenerCount('abort'), 0);
    const runs = Array.from({ length: 50 }, () =>
      pool.run({ ms: 60_000 }, { name: 'pause', signal }),
    );
    assert.equal(signal.listenerCount('abort'), 1);
    signal.emit('abort');
    for (const { reason } of await Promise.allSettled(runs))
      assert.equal(reason?.name, 'AbortError');
    assert.equal(signal.listenerCount('abort'), 0);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(seen, []);
  },
);

test(
  'an emitter that all listeners were taken off aborts the tasks that come later',
  watched,
  async (t) => {
    const pool = poolFor(t);
    const signal = new EventEmitter();
    const first = pool.run({ ms: 50 }, { name: 'pause', signal });
    signal.removeAllListeners();
    const second = pool.run({ ms: 60_000 }, { name: 'pause', signal });
    await first;
    signal.emit('abort');
    await assert.rejects(second, { name: 'AbortError' });
  },
);

test('a signal that throws when its listener is taken off costs no result', watched, async () => {
  const { stdout, stderr } = await runProgram(`
    import Piscina from 'cenote/piscina';
    import { EventEmitter } from 'node:events';
    let uncaught = 0;
    process.on('uncaughtException', (error) => { if (error.message === 'of the user') uncaught++; else throw error; });
    const pool = new Piscina({ filename: process.env.TASKS, minThreads: 1, maxThreads: 1 });
    class Signal extends EventEmitter { off() { throw new Error('of the user'); } }
    console.log(await Promise.all([1, 2, 3].map((n) => pool.run(n, { signal: new Signal() }))));
    console.log(await pool.run(4), uncaught);
    await pool.close();
  `);
  assert.equal(stdout, '[ 1, 2, 3 ]\n4 3\n', stderr);
});

test('what a queue keeps of a task that has settled holds no payload', watched, async (t) => {
  const kept = [];
  const seen = [];
  class Keeping {
    #tasks = [];
    get size() {
      return this.#tasks.length;
    }
    push(task) {
      kept.push(task);
      seen.push(task[Piscina.queueOptionsSymbol]);
      this.#tasks.push(task);
    }
    shift() {
      return this.#tasks.shift() ?? null;
    }
    remove(task) {
      this.#tasks.splice(this.#tasks.indexOf(task), 1);
    }
  }
  const pool = poolFor(t, { taskQueue: new Keeping() });
  const controller = new AbortController();
  const options = { priority: 1 };
  const payload = { large: new Uint8Array(1_000), [Piscina.queueOptionsSymbol]: options };
  await pool.run(payload);
  const aborted = pool.run(payload, { signal: controller.signal });
  assert.equal(kept[1].task, payload);
  controller.abort();
  await assert.rejects(aborted, { name: 'AbortError' });
  await until('both were kept', () => kept.length === 2);
  for (const task of kept) {
    assert.equal(task.task, undefined);
    assert.equal(task[Piscina.queueOptionsSymbol], options);
  }
  assert.deepEqual(seen, [options, options]);
});
