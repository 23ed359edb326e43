// The random programs of identities.test.mjs, for longer. They print their seed; CENOTE_STRESS_SEED
// repeats it, and CENOTE_STRESS_ROUNDS says for how many rounds.

import { test } from 'node:test';
import { entries } from '../fixtures/kinds/entries.mjs';
import { randomProgram } from '../fixtures/kinds/taken-back.mjs';

const rounds = Number(process.env.CENOTE_STRESS_ROUNDS ?? 150);

for (const entry of entries) {
  for (const [threads, concurrentTasksPerWorker] of [
    [1, 1],
    [2, 2],
    [1, 4],
    [4, 3],
  ]) {
    const how = `${entry.name}, ${threads} threads, ${concurrentTasksPerWorker} at a time`;
    test(
      `${how}: at random for long, every result is its caller's own and what was rejected never runs`,
      { timeout: 30_000 + rounds * 1_000 },
      (t) => randomProgram(t, entry, { threads, concurrentTasksPerWorker, rounds }),
    );
  }
}
