// `cenote/piscina` does not lose tasks where Piscina does: at close(), when a worker ends, when
// none can start.
//
// Each of these tests fails with Piscina 5.3.2 unless it says otherwise.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  file,
  messages,
  outcome,
  piscinaFor,
  settled,
  specifier,
} from './fixtures/piscina/implementation.mjs';
import { blocker, runProgram, sharedWords, until, watched } from './support/behaviour.mjs';

/** Tasks that hold their workers, all of them begun. */
async function holders(pool, count, name = 'hold') {
  const all = Array.from({ length: count }, () => {
    const words = sharedWords();
    const done = pool.run({ words }, { name });
    done.catch(() => {});
    return { done, words, release: () => Atomics.store(words, 1, 1) };
  });
  for (const { words } of all) await until('a task runs', () => Atomics.load(words, 0) > 0);
  return all;
}

for (const [threads, concurrentTasksPerWorker] of [
  [2, 1],
  [3, 1],
  [2, 2],
]) {
  test(
    `close() waits for every busy worker: ${threads} with ${concurrentTasksPerWorker} each`,
    watched,
    async (t) => {
      const pool = piscinaFor(t, {
        minThreads: threads,
        maxThreads: threads,
        concurrentTasksPerWorker,
      });
      const tasks = await holders(pool, threads * concurrentTasksPerWorker);
      let closed = false;
      const closing = pool.close().then(() => (closed = true));
      for (const [i, task] of tasks.entries()) {
        assert.equal(closed, false, `closed with ${tasks.length - i} tasks running`);
        task.release();
        assert.equal(typeof (await outcome(task.done)), 'number');
      }
      await outcome(closing);
      assert.equal(pool.threads.length, 0);
    },
  );
}

test('close() runs what is queued, on all workers, before it resolves', watched, async (t) => {
  const pool = piscinaFor(t, { minThreads: 2, maxThreads: 2 });
  const busy = await holders(pool, 2);
  const words = sharedWords();
  const queued = Array.from({ length: 6 }, () => pool.run({ words }, { name: 'count' }));
  const closing = pool.close();
  busy[0].release();
  await outcome(queued[5]);
  busy[1].release();
  await outcome(Promise.all([...busy.map(({ done }) => done), ...queued, closing]));
  assert.equal(words[0], 6);
});

for (const [end, start] of Object.entries({
  'process.exit(0)': (pool, words) => pool.run({ words, code: 0 }, { name: 'exit' }),
  'process.exit(5)': (pool, words) => pool.run({ words, code: 5 }, { name: 'exit' }),
  'an uncaught exception': (pool, words) =>
    pool.run({ words, message: 'uncaught' }, { name: 'throwLater' }),
})) {
  test(`with minThreads: 0 the tasks behind one that ends by ${end} run`, watched, async (t) => {
    const pool = piscinaFor(t, { minThreads: 0, maxThreads: 1 });
    const words = sharedWords();
    const ends = start(pool, words);
    const behind = Array.from({ length: 4 }, (_, i) => pool.run(i));
    await until('the task runs', () => Atomics.load(words, 0) === 1);
    Atomics.store(words, 1, 1);
    const expected = end.startsWith('process')
      ? `worker exited with code: ${end.slice(13, 14)}`
      : 'uncaught';
    assert.deepEqual(messages(await settled([ends, ...behind])), [expected, 0, 1, 2, 3]);
    assert.equal(await outcome(pool.run('later')), 'later');
  });
}

test('with minThreads: 0 the tasks behind one that is aborted run', watched, async (t) => {
  const pool = piscinaFor(t, { minThreads: 0, maxThreads: 1 });
  const words = sharedWords();
  const controller = new AbortController();
  const aborted = pool.run({ words }, { name: 'spinForever', signal: controller.signal });
  const behind = Array.from({ length: 4 }, (_, i) => pool.run(i));
  await until('the task runs', () => Atomics.load(words, 0) === 1);
  controller.abort();
  assert.deepEqual(messages(await settled([aborted, ...behind])), [
    'The task has been aborted',
    0,
    1,
    2,
    3,
  ]);
});

test('a process does not end while tasks behind a crash are unsettled', watched, async () => {
  const { code, stdout } = await runProgram(
    `import Piscina from '${specifier}';
     const pool = new Piscina({
       filename: process.env.PISCINA_TASKS, minThreads: 0, maxThreads: 1,
     });
     const words = new Int32Array(new SharedArrayBuffer(8));
     words[1] = 1;
     pool.run({ words, code: 1 }, { name: 'exit' }).catch((error) => console.log(error.message));
     const behind = [1, 2, 3].map((n) => pool.run(n));
     console.log(JSON.stringify(await Promise.all(behind)));`,
    { env: { PISCINA_TASKS: file('tasks.cjs') } },
  );
  assert.deepEqual(stdout.split('\n'), ['worker exited with code: 1', '[1,2,3]', '']);
  assert.equal(code, 0);
});

/** A file that prettier could not read. */
function syntaxError(t) {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'syntax-error.cjs');
  writeFileSync(path, 'module.exports = (value => value;\n');
  return path;
}

for (const minThreads of [0, 1, 2]) {
  for (const [what, filenameFor, expected] of [
    ['throws', () => file('throws.cjs'), /^this module cannot be$/],
    ['does not exist', () => file('missing.cjs'), /missing\.cjs/],
    [
      'has no such export',
      () => file('empty.cjs'),
      /^No handler function exported from .*empty\.cjs$/,
    ],
    ['has a syntax error', syntaxError, /missing \)|[Uu]nexpected|Invalid/],
    ['exits while it is loaded', () => file('exits.cjs'), /worker exited with code: 3/],
  ]) {
    test(
      `a file that ${what} rejects every task, with minThreads: ${minThreads}`,
      watched,
      async (t) => {
        const filename = filenameFor(t);
        const workerData = sharedWords();
        const pool = piscinaFor(t, {
          filename,
          workerData,
          minThreads,
          maxThreads: Math.max(minThreads, 1),
        });
        for (let round = 0; round < 2; round++) {
          const outcomes = await settled(Array.from({ length: 5 }, (_, i) => pool.run(i)));
          for (const { status, reason } of outcomes) {
            assert.equal(status, 'rejected');
            assert.ok(reason instanceof Error);
            assert.match(reason.message, expected);
          }
        }
        // Another task, whose signal must not send it to where nobody looks.
        const { signal } = new AbortController();
        const [{ reason }] = await settled([pool.run(1, { signal })]);
        assert.match(reason?.message, expected);
        await outcome(pool.close());
      },
    );
  }
}

test('process.exit() in a task settles all tasks of its worker', watched, async (t) => {
  for (const code of [0, 4]) {
    const pool = piscinaFor(t, { minThreads: 0, maxThreads: 1, concurrentTasksPerWorker: 3 });
    const exits = { words: sharedWords(), code };
    const begun = [pool.run(exits, { name: 'exit' })];
    const held = sharedWords(2);
    begun.push(
      pool.run({ words: held }, { name: 'hold' }),
      pool.run({ words: held }, { name: 'hold' }),
    );
    const behind = [1, 2].map((n) => pool.run(n));
    await until(
      'three tasks run',
      () => Atomics.load(exits.words, 0) + Atomics.load(held, 0) === 3,
    );
    Atomics.store(exits.words, 1, 1);
    const expected = `worker exited with code: ${code}`;
    assert.deepEqual(messages(await settled([...begun, ...behind])), [
      expected,
      expected,
      expected,
      1,
      2,
    ]);
  }
});

test('tasks that were given to the worker but not begun run elsewhere', watched, async (t) => {
  const pool = piscinaFor(t, { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 4 });
  const words = sharedWords();
  const ends = pool.run({ words, code: 4 }, { name: 'blockThenExit' });
  await until('the task runs', () => Atomics.load(words, 0) === 1);
  const counted = sharedWords();
  const behind = Array.from({ length: 3 }, () => pool.run({ words: counted }, { name: 'count' }));
  // What was posted has been posted by now; its worker is blocked until it exits.
  await new Promise((resolve) => setImmediate(resolve));
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  const [first, ...others] = messages(await settled([ends, ...behind]));
  assert.equal(first, 'worker exited with code: 4');
  assert.deepEqual(others.sort(), [0, 1, 2]);
  assert.equal(counted[0], 3);
});

for (const end of ['close', 'destroy']) {
  test(
    `run() after ${end}() rejects and runs nothing, and no thread comes back`,
    watched,
    async (t) => {
      const pool = piscinaFor(t, { minThreads: 1, maxThreads: 2 });
      assert.equal(await pool.run(1), 1);
      await pool[end]();
      const words = sharedWords();
      for (const options of [
        {},
        { signal: new AbortController().signal },
        { filename: file('tasks.cjs') },
      ]) {
        await assert.rejects(outcome(pool.run({ words }, { ...options, name: 'count' })), {
          name: 'AbortError',
          message: 'The task has been aborted',
          cause: 'queue is being terminated',
        });
      }
      await pool[end]();
      assert.equal(pool.threads.length, 0);
      assert.equal(words[0], 0);
    },
  );
}

// With Piscina these pass: they say that the two above are of one piece with what it does.
test('run() while close() waits rejects in the same way', watched, async (t) => {
  const pool = piscinaFor(t, { minThreads: 1, maxThreads: 1 });
  const busy = blocker(pool);
  await busy.started;
  const closing = pool.close();
  await assert.rejects(outcome(pool.run(1)), {
    name: 'AbortError',
    cause: 'queue is being terminated',
  });
  busy.release();
  await outcome(Promise.all([busy.done, closing]));
});

test(
  'close({ force: true }) rejects what is queued, and waits for what runs',
  watched,
  async (t) => {
    const pool = piscinaFor(t, { minThreads: 1, maxThreads: 1 });
    const busy = blocker(pool);
    await busy.started;
    const { signal } = new AbortController();
    const queued = [pool.run(1), pool.run(2, { signal }), pool.run(3)];
    const closing = pool.close({ force: true });
    for (const { reason } of await settled(queued)) {
      assert.deepEqual(
        [reason?.name, reason?.message],
        ['AbortError', 'The task has been aborted'],
      );
      assert.equal(reason.cause, 'pool is closed');
    }
    busy.release();
    assert.equal(typeof (await outcome(busy.done)), 'number');
    await outcome(closing);
  },
);

test('destroy() rejects what is queued and what runs', watched, async (t) => {
  const pool = piscinaFor(t, { minThreads: 1, maxThreads: 1 });
  const words = sharedWords();
  const running = pool.run({ words }, { name: 'spinForever' });
  await until('the task runs', () => Atomics.load(words, 0) === 1);
  const all = settled([
    running,
    pool.run(1),
    pool.run(2, { signal: new AbortController().signal }),
  ]);
  await outcome(pool.destroy());
  assert.deepEqual(messages(await all), new Array(3).fill('Terminating worker thread'));
});
