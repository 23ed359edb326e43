// A finished result waits for nothing: whatever the task behind it on the same worker does, the
// owner has it, soon, and nobody is told that it is lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entries, outcomeOf, poolOf } from './fixtures/kinds/entries.mjs';
import { checkShort, shortKinds } from './fixtures/kinds/short-and-long.mjs';
import { sharedWords, until, watched } from './support/behaviour.mjs';

/** The number of the tasks from which the pool learns how short they are. */
const kWarm = 15;
const none = () => {};

/** What the task behind does, what it is run with, and what happens to it once it has begun. */
const endings = [
  { kind: 'loop', stays: true },
  { kind: 'wait', stays: true },
  { kind: 'exit' },
  { kind: 'uncaught' },
  { kind: 'memory', options: { resourceLimits: { maxOldGenerationSizeMb: 16 } } },
  { what: 'a terminate', kind: 'loop', act: ({ pool }) => void pool.threads[0]?.terminate() },
  { what: 'an abort', kind: 'loop', signal: true, act: ({ controller }) => controller.abort() },
  { what: 'a timeout', kind: 'loop', run: { timeout: 50 }, only: 'cenote' },
];

/** A pool of one worker whose handler is known to be short. */
async function shortPool(t, entry, options) {
  const ended = sharedWords(kWarm + 1);
  const began = sharedWords();
  const pool = poolOf(t, entry, 'endings.cjs', {
    minThreads: 1,
    maxThreads: 1,
    ...options,
    workerData: { ended, began },
  });
  const warm = Array.from({ length: 100 }, () => pool.run({ id: kWarm, kind: 'number' }));
  await Promise.all(warm);
  return { pool, ended, began };
}

/** One short task of each kind. */
function runShort(pool, more = {}) {
  const outcomes = shortKinds.map((kind, id) => outcomeOf(pool.run({ id, kind, ...more })));
  return {
    outcomes,
    areSettled: (isNeeded) => outcomes.every(({ settled }, id) => settled || !isNeeded(id)),
    check: (ended) =>
      shortKinds.forEach((kind, id) => checkShort(outcomes[id], { id, kind }, ended[id])),
  };
}

for (const entry of entries) {
  for (const concurrentTasksPerWorker of [1, 4]) {
    for (const { what, kind, act = none, run, signal, stays, options, only } of endings) {
      if (only !== undefined && only !== entry.name) continue;
      const how = `${entry.name}, ${concurrentTasksPerWorker} at a time`;
      test(`${how}: finished tasks settle before ${what ?? `"${kind}"`}`, watched, async (t) => {
        const { pool, ended, began } = await shortPool(t, entry, {
          concurrentTasksPerWorker,
          ...options,
        });
        const controller = new AbortController();
        const short = runShort(pool);
        const more = signal ? { signal: controller.signal } : run;
        const last = outcomeOf(pool.run({ kind }, more));
        // They are posted in a microtask.
        await null;
        // This thread sees nothing of the results before the last has begun, if it begins so soon.
        if (more === undefined) Atomics.wait(began, 0, 0, 200);
        if (began[0] === 0) await until('the last begins', () => began[0] === 1);
        act({ pool, controller });
        await until('what ended is settled', () => short.areSettled((id) => ended[id] > 0));
        if (!stays) {
          await until('the last is rejected', () => last.error !== undefined);
          await until('all are settled', () => short.areSettled(() => true));
        }
        short.check(ended);
      });
    }
  }

  for (const kind of ['loop', 'exit']) {
    test(`${entry.name}: tasks that printed settle before "${kind}"`, watched, async (t) => {
      const { pool, ended, began } = await shortPool(t, entry);
      const short = runShort(pool, { prints: true });
      outcomeOf(pool.run({ kind }));
      await until('the last begins', () => began[0] === 1);
      await until('those before it settle', () => short.areSettled(() => true));
      assert.deepEqual([...ended].slice(0, shortKinds.length), Array(shortKinds.length).fill(1));
      short.check(ended);
    });
  }

  test(
    `${entry.name}: finished tasks have their results, though the pool is destroyed`,
    watched,
    async (t) => {
      const { pool, ended } = await shortPool(t, entry);
      const short = runShort(pool);
      await null;
      // Nothing is received meanwhile.
      const last = shortKinds.length - 1;
      const limit = performance.now() + 1_000;
      while (ended[last] === 0 && performance.now() < limit);
      // The last may be on its way still. When it began, those before it had ended.
      const isOver = shortKinds.map((_, id) => ended.subarray(id + 1, last + 1).includes(1));
      await pool.destroy();
      shortKinds.forEach((kind, id) => {
        if (isOver[id]) checkShort(short.outcomes[id], { id, kind }, 1);
      });
    },
  );
}
