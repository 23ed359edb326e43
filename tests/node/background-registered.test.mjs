// Registered background work (`waitUntil`): `close()` waits for it, a rejection is an event, and it
// is counted.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Pool } from 'cenote';
import { fixture, runProgram, sharedWords, until, watched } from './support/behaviour.mjs';

function poolOf(t, options = {}) {
  const pool = new Pool({
    filename: fixture('chaos/tasks.cjs'),
    minThreads: 1,
    maxThreads: 1,
    ...options,
  });
  t.after(() => pool.destroy());
  return pool;
}

/**
 * The next `backgroundError`. An idle pool does not keep the process alive, so this does meanwhile.
 */
async function backgroundError(pool) {
  let event;
  pool.once('backgroundError', (...values) => (event = values));
  await until('a backgroundError', () => event !== undefined);
  return event;
}

test('close() waits for registered background work, on every worker', watched, async (t) => {
  const pool = poolOf(t, { minThreads: 2, maxThreads: 2 });
  const words = sharedWords();
  const tasks = Array.from({ length: 4 }, () => pool.run({ words, ms: 150 }, { name: 'register' }));
  assert.deepEqual(await Promise.all(tasks), new Array(4).fill('registered'));
  assert.equal(Atomics.load(words, 0), 0, 'a result does not wait for it');
  await pool.close();
  assert.equal(Atomics.load(words, 0), 4);
});

test(
  'close() waits for work that a rejection ends, and the event comes first',
  watched,
  async (t) => {
    const pool = poolOf(t);
    const words = sharedWords();
    const events = [];
    pool.on('backgroundError', (error) => events.push(error.message));
    await pool.run({ words, ms: 50, rejection: 'late' }, { name: 'register' });
    await pool.close();
    assert.deepEqual(events, ['late']);
  },
);

test(
  'a rejection is an event with its error and thread, and the worker lives',
  watched,
  async (t) => {
    const pool = poolOf(t);
    const words = sharedWords();
    await pool.run(1, { name: 'echo' });
    const [{ threadId }] = pool.threads;
    const event = backgroundError(pool);
    await pool.run({ words, ms: 5, rejection: 'as told' }, { name: 'register' });
    const [error, from] = await event;
    assert.equal(error.message, 'as told');
    assert.equal(from, threadId);
    assert.equal(await pool.run('alive', { name: 'echo' }), 'alive');
    assert.deepEqual(
      pool.threads.map((thread) => thread.threadId),
      [threadId],
    );
  },
);

test('stats() counts background work that is alive, done and failed', watched, async (t) => {
  const pool = poolOf(t);
  const words = sharedWords();
  pool.on('backgroundError', () => {});
  await pool.run({ words, ms: 20_000 }, { name: 'register' });
  await pool.run({ words, ms: 1 }, { name: 'register' });
  await pool.run({ words, ms: 1, rejection: 'no' }, { name: 'register' });
  const wanted = { active: 1, completed: 1, failed: 1 };
  const current = () => pool.stats().background;
  await until('the counts', () => current().completed === 1 && current().failed === 1);
  assert.deepEqual(current(), wanted);
  assert.deepEqual(pool.stats().workers[0].background, wanted);
});

test('no snapshot counts the same background work twice', watched, async (t) => {
  const pool = poolOf(t, { minThreads: 2, maxThreads: 2 });
  const words = sharedWords();
  pool.on('backgroundError', () => {});
  const registered = 600;
  for (let i = 0; i < registered; i++) {
    const rejection = i % 2 === 0 ? undefined : 'no';
    await pool.run({ words, ms: 20 + (i % 40), rejection }, { name: 'register' });
  }
  const sum = ({ active, completed, failed }) => active + completed + failed;
  for (;;) {
    const { background, workers } = pool.stats();
    assert.ok(sum(background) <= registered, `${sum(background)} of ${registered} are counted`);
    for (const count of ['active', 'completed', 'failed']) {
      const ofWorkers = workers.reduce((total, worker) => total + worker.background[count], 0);
      assert.equal(background[count], ofWorkers, `the total of the workers, ${count}`);
    }
    if (background.completed + background.failed === registered) break;
    await nextTurn();
  }
});

test('waitUntil() refuses what is no promise', watched, async (t) => {
  const pool = poolOf(t);
  for (const value of [undefined, null, 1, 'text', {}, { then: 1 }]) {
    const thrown = await pool.run({ value }, { name: 'registerNoPromise' });
    assert.equal(thrown?.typeError, true);
    assert.equal(thrown.code, 'ERR_INVALID_ARG_TYPE');
    assert.match(thrown.message, /promise/);
  }
  assert.equal(pool.stats().background.active, 0);
});

test(
  'registered work of a worker that retires is finished, and its rejection heard',
  watched,
  async (t) => {
    const pool = poolOf(t, { minThreads: 0, idleTimeout: 20 });
    const words = sharedWords();
    const event = backgroundError(pool);
    await pool.run({ words, ms: 300, rejection: 'after retirement' }, { name: 'register' });
    const [error] = await event;
    assert.equal(error.message, 'after retirement');
    await until('the thread ends', () => pool.threads.length === 0);
    assert.deepEqual(pool.stats().background, { active: 0, completed: 0, failed: 1 });
  },
);

test(
  'a listener that throws reaches uncaughtException, and the pool goes on',
  watched,
  async () => {
    const { code, stdout, stderr } = await runProgram(`
    import { Pool } from 'cenote';
    const pool = new Pool({
      filename: ${JSON.stringify(fixture('chaos/tasks.cjs'))}, minThreads: 1, maxThreads: 1,
    });
    process.on('uncaughtException', (error, origin) => console.log('caught', error.message, origin));
    pool.on('backgroundError', (error) => { throw new Error('listener: ' + error.message); });
    const words = new Int32Array(new SharedArrayBuffer(32));
    await pool.run({ words, ms: 1, rejection: 'one' }, { name: 'register' });
    while (pool.stats().background.failed < 1) await pool.run(0, { name: 'echo' });
    await new Promise((resolve) => setImmediate(resolve));
    console.log('alive', await pool.run('yes', { name: 'echo' }), pool.threads.length);
    await pool.close();
    console.log('closed');
  `);
    assert.equal(stderr.replace(/.*(CENOTE_PORTABLE_WAIT|trace-warnings).*\n/g, ''), '');
    assert.deepEqual(stdout.trim().split('\n'), [
      'caught listener: one uncaughtException',
      'alive yes 1',
      'closed',
    ]);
    assert.equal(code, 0);
  },
);
