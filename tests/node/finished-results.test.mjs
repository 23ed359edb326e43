// A finished result waits for nothing: whatever the task behind it on the same worker does, the
// owner has it, soon, and nobody is told that it is lost.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { entries, outcomeOf, poolOf } from './fixtures/kinds/entries.mjs';
import { sharedWords, until, watched } from './support/behaviour.mjs';

const kShort = [
  'number',
  'async',
  'object',
  'later',
  'map',
  'text',
  'throws',
  'buffer',
  'moved',
  'rejects',
];

const isError = (id) => (error) => error instanceof RangeError && error.message === `bad ${id}`;
const isRight = {
  number: ({ value }, id) => value === id,
  async: ({ value }, id) => value === id,
  later: ({ value }, id) => value === id,
  object: ({ value }, id) => value?.id === id && value.list[1] === String(id),
  map: ({ value }, id) => value?.get('id') === id,
  text: ({ value }, id) => value?.length === 200 * 1024 && value.charCodeAt(9) === 97 + (id % 26),
  buffer: ({ value }, id) => value?.length === 1 && value[0] === id,
  moved: ({ value }, id) => value?.byteLength === 1 && new Uint8Array(value)[0] === id,
  throws: ({ error }, id) => isError(id)(error),
  rejects: ({ error }, id) => isError(id)(error),
};

const settledAll = (outcomes) => outcomes.every(({ settled }) => settled);
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
  const ended = sharedWords(16);
  const began = sharedWords();
  const pool = poolOf(t, entry, 'endings.cjs', {
    minThreads: 1,
    maxThreads: 1,
    ...options,
    workerData: { ended, began },
  });
  const warm = Array.from({ length: 100 }, () => pool.run({ id: 15, kind: 'number' }));
  await Promise.all(warm);
  return { pool, ended, began };
}

for (const entry of entries) {
  for (const concurrentTasksPerWorker of [1, 4]) {
    for (const { what, kind, act = none, run, signal, stays, options, only } of endings) {
      if (only !== undefined && only !== entry.name) continue;
      const name = `${entry.name}, ${concurrentTasksPerWorker} at a time: finished tasks settle before ${what ?? `"${kind}"`}`;
      test(name, watched, async (t) => {
        const { pool, ended, began } = await shortPool(t, entry, {
          concurrentTasksPerWorker,
          ...options,
        });
        const controller = new AbortController();
        const outcomes = kShort.map((kind, id) => outcomeOf(pool.run({ id, kind })));
        const more = signal ? { signal: controller.signal } : run;
        const last = outcomeOf(pool.run({ kind }, more));
        // This thread sees nothing of the results before the last has begun, if it begins so soon.
        if (more === undefined) Atomics.wait(began, 0, 0, 200);
        if (began[0] === 0) await until('the last begins', () => began[0] === 1);
        act({ pool, controller });
        await until('what ended is settled', () =>
          outcomes.every(({ settled }, id) => settled || ended[id] === 0),
        );
        if (!stays) await until('the last is rejected', () => last.settled && last.error);
        await until('all are settled', () =>
          outcomes.every(({ settled }, id) => settled || (stays && ended[id] === 0)),
        );
        outcomes.forEach((outcome, id) => {
          if (!outcome.settled) return;
          const how = `${kShort[id]}: ${outcome.error ?? outcome.value}`;
          if (ended[id] > 0) assert.ok(isRight[kShort[id]](outcome, id), how);
          assert.ok(ended[id] <= 1, `${kShort[id]} ran ${ended[id]} times`);
        });
      });
    }
  }

  for (const kind of ['loop', 'exit']) {
    test(`${entry.name}: tasks that printed settle before "${kind}"`, watched, async (t) => {
      const { pool, ended, began } = await shortPool(t, entry, {});
      const outcomes = kShort.map((kind, id) => outcomeOf(pool.run({ id, kind, prints: true })));
      outcomeOf(pool.run({ kind }));
      await until('the last begins', () => began[0] === 1);
      await until('those before it settle', () => settledAll(outcomes));
      assert.deepEqual([...ended].slice(0, kShort.length), Array(kShort.length).fill(1));
      outcomes.forEach((outcome, id) => assert.ok(isRight[kShort[id]](outcome, id), kShort[id]));
    });
  }
}
