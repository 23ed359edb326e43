// Code of the user's that the pool calls in the middle of things, and that ends the pool there:
// every task settles, and no thread stays.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { Piscina } from 'cenote/piscina';
import { fixture, watched } from './support/behaviour.mjs';

const filename = fixture('tasks.cjs');

/** A queue that calls back when a task is pushed. */
class CallingQueue {
  onPush;
  #tasks = [];
  get size() {
    return this.#tasks.length;
  }
  push(task) {
    this.#tasks.push(task);
    this.onPush?.();
  }
  shift() {
    return this.#tasks.shift() ?? null;
  }
  remove(task) {
    this.#tasks = this.#tasks.filter((other) => other !== task);
  }
}

test('a task whose queue destroys the pool is rejected', watched, async () => {
  const taskQueue = new CallingQueue();
  const pool = new Piscina({ filename, minThreads: 0, maxThreads: 1, taskQueue });
  taskQueue.onPush = () => void pool.destroy();
  await assert.rejects(pool.run(1), /Terminating worker thread/);
});

test('a task whose queue closes the pool is run', watched, async () => {
  const taskQueue = new CallingQueue();
  const pool = new Piscina({ filename, minThreads: 0, maxThreads: 1, taskQueue });
  let closed;
  taskQueue.onPush = () => {
    closed = pool.close();
  };
  assert.equal(await pool.run(1), 1);
  await closed;
});

test('no thread stays of a pool that is destroyed while it makes one', watched, async () => {
  let destroyed;
  const workerData = {
    get value() {
      destroyed ??= pool.destroy();
      return 1;
    },
  };
  const pool = new Pool({ filename, minThreads: 0, maxThreads: 2, workerData });
  await assert.rejects(pool.run(1), { code: 'ERR_CENOTE_POOL_DESTROYED' });
  await destroyed;
  assert.equal(pool.threads.length, 0);
});
