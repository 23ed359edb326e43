// Nothing that was taken back is ever mistaken for another task: a rejected one never runs, and
// every caller gets its own result, however often tasks are taken back from a worker that does not
// read.
//
// The random programs print their seed; CENOTE_STRESS_SEED repeats it.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { entries, poolOf } from './fixtures/kinds/entries.mjs';
import { randomProgram } from './fixtures/kinds/taken-back.mjs';
import { sharedWords, watched } from './support/behaviour.mjs';

/** More than numbers of 16 bits tell apart. */
const kRevokes = 70_000;

test('cenote/piscina: tasks taken back from one unread port never run', watched, async (t) => {
  const entry = entries.find(({ name }) => name === 'cenote/piscina');
  const ran = sharedWords(kRevokes + 1);
  const gate = sharedWords(1);
  const pool = poolOf(t, entry, 'marked.cjs', {
    minThreads: 1,
    maxThreads: 1,
    workerData: { ran, gate },
  });
  let aborted = 0;
  const foreign = [];
  for (let id = 0; id < kRevokes; id++) {
    const controller = new AbortController();
    pool.run({ id }, { signal: controller.signal }).then(
      (value) => foreign.push(value),
      () => aborted++,
    );
    controller.abort();
  }
  const last = pool.run({ id: kRevokes });
  gate[0] = 1;
  Atomics.notify(gate, 0);
  assert.equal((await last).id, kRevokes);
  assert.deepEqual(foreign, []);
  assert.equal(aborted, kRevokes);
  assert.deepEqual([ran.indexOf(1), ran[kRevokes]], [kRevokes, 1]);
});

for (const entry of entries) {
  for (const [threads, concurrentTasksPerWorker] of [
    [1, 1],
    [2, 1],
    [1, 4],
    [3, 3],
  ]) {
    const how = `${entry.name}, ${threads} threads, ${concurrentTasksPerWorker} at a time`;
    test(
      `${how}: at random, every result is its caller's own and what was rejected never runs`,
      watched,
      (t) => randomProgram(t, entry, { threads, concurrentTasksPerWorker, rounds: 8 }),
    );
  }
}
