// Tasks whose caller's thread blocks until they have ended.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fixture,
  poolFor,
  readyWorkers,
  runProgram,
  sharedWords,
  watched,
} from './support/behaviour.mjs';

test('it returns the result, of a pool that has yet to start too', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 0, maxThreads: 2 });
  assert.deepEqual(pool.runSync({ a: [1, new Map([[1, 2]])] }), { a: [1, new Map([[1, 2]])] });
  for (let n = 0; n < 500; n++) assert.equal(pool.runSync(n), n);
  assert.equal(await pool.run(1), 1, 'the pool goes on as ever');
  assert.equal(pool.stats().tasks.completed, 502);
});

test('a handler that awaits is waited for', watched, (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  assert.equal(pool.runSync({ ms: 20, value: 'late' }, { name: 'pause' }), 'late');
});

test('tasks that were submitted before go first, and settle later', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const order = [];
  const before = [1, 2, 3].map((n) => pool.run(n).then((value) => order.push(value)));
  order.push(pool.runSync('sync'));
  await Promise.all(before);
  assert.deepEqual(order, ['sync', 1, 2, 3]);
});

test('what the handler throws is thrown, with the stack of the call', watched, (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  function theCaller() {
    return pool.runSync('no', { name: 'throwError' });
  }
  assert.throws(theCaller, (error) => {
    assert.ok(error instanceof RangeError);
    assert.match(error.stack, /tasks\.cjs[^]*called from ---\n\s+at theCaller \(.*run-sync/);
    return true;
  });
  assert.throws(() => pool.runSync(1, { name: 'missing' }), {
    code: 'ERR_CENOTE_HANDLER_NOT_FOUND',
  });
  assert.throws(() => pool.runSync({ bad() {} }), { name: 'DataCloneError' });
});

test('it works with processes as well', watched, async (t) => {
  const pool = poolFor(t, { runtime: 'process', maxThreads: 1 });
  assert.equal(pool.runSync(1), 1);
  assert.throws(() => pool.runSync('no', { name: 'throwError' }), RangeError);
  assert.equal(await pool.run(2), 2);
});

test('a timeout ends the wait, and the task', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const words = sharedWords();
  const options = { name: 'spinForever', timeout: 100 };
  assert.throws(() => pool.runSync({ words }, options), { code: 'ERR_CENOTE_TIMEOUT' });
  assert.equal(pool.stats().tasks.timedOut, 1);
  assert.equal(await pool.run(1), 1);
});

test('a worker that ends is noticed', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  await readyWorkers(pool, 1);
  assert.throws(() => pool.runSync('exit', { name: 'exitIfTold' }), {
    code: 'ERR_CENOTE_WORKER_LOST',
  });
  assert.equal(await pool.run(1), 1);
});

test('what a task writes does not keep its result back for ever', watched, (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  assert.equal(pool.runSync(1, { filename: fixture('talks.cjs') }), 1);
});

test('a closed pool, a full one and wrong options refuse it', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1, maxQueue: 0 });
  const wrong = [
    [{ signal: new AbortController().signal }, 'ERR_INVALID_ARG_TYPE'],
    [{ timeout: 0 }, 'ERR_OUT_OF_RANGE'],
    ['name', 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [options, code] of wrong) assert.throws(() => pool.runSync(1, options), { code });
  const running = pool.run({ ms: 50, value: 1 }, { name: 'pause' });
  assert.throws(() => pool.runSync(1), { code: 'ERR_CENOTE_QUEUE_FULL' });
  await running;
  await pool.close();
  assert.throws(() => pool.runSync(1), { code: 'ERR_CENOTE_POOL_CLOSED' });
});

test('it works in a worker as well, and a program ends after it', watched, async () => {
  const { stdout } = await runProgram(`
    import { Worker } from 'node:worker_threads';
    import { Pool } from 'cenote';
    const filename = ${JSON.stringify(fixture('tasks.cjs'))};
    const pool = new Pool({ filename, maxThreads: 1 });
    console.log(pool.runSync('main'));
    const worker = new Worker(\`
      const { Pool } = require(process.cwd() + '/dist/index.js');
      const pool = new Pool({ filename: \${JSON.stringify(filename)}, maxThreads: 1 });
      require('node:worker_threads').parentPort.postMessage(pool.runSync('worker'));
    \`, { eval: true, execArgv: [] });
    worker.on('message', (message) => console.log(message));
  `);
  assert.equal(stdout, 'main\nworker\n');
});
