// Short tasks and such as end their worker, at random: what ended has its own result, and
// everything settles. CENOTE_STRESS_SEED repeats a run, CENOTE_STRESS_ROUNDS makes it longer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomOf, seedOf } from '../fixtures/chaos/random.mjs';
import { entries, outcomeOf, poolOf } from '../fixtures/kinds/entries.mjs';
import { checkShort, shortKinds } from '../fixtures/kinds/short-and-long.mjs';
import { sharedWords, until } from '../support/behaviour.mjs';

const rounds = Number(process.env.CENOTE_STRESS_ROUNDS ?? 40);
const kPerRound = 40;

for (const entry of entries) {
  for (const [threads, concurrentTasksPerWorker] of [
    [1, 1],
    [2, 1],
    [2, 4],
  ]) {
    const how = `${entry.name}, ${threads} threads, ${concurrentTasksPerWorker} at a time`;
    test(
      `${how}: at random, what ended has its own result whatever ended the worker`,
      { timeout: 60_000 + rounds * 2_000 },
      async (t) => {
        const random = randomOf(seedOf(t));
        const ended = sharedWords(rounds * kPerRound);
        const began = sharedWords();
        const pool = poolOf(t, entry, 'endings.cjs', {
          minThreads: threads,
          maxThreads: threads,
          concurrentTasksPerWorker,
          workerData: { ended, began },
        });
        for (let round = 0; round < rounds; round++) {
          const all = [];
          const aborts = [];
          const last = kPerRound - 1 - random(kPerRound);
          for (let i = 0; i < kPerRound; i++) {
            const id = round * kPerRound + i;
            const kind = shortKinds[random(shortKinds.length)];
            const prints = random(20) === 0;
            all.push({ id, kind, outcome: outcomeOf(pool.run({ id, kind, prints })) });
            if (random(10) === 0) await new Promise((resolve) => setImmediate(resolve));
            if (i !== last) continue;
            const ending = random(entry.name === 'cenote' ? 4 : 3);
            const controller = new AbortController();
            const task = { kind: ['exit', 'uncaught', 'loop', 'loop'][ending] };
            const more = ending === 2 ? { signal: controller.signal } : { timeout: 30 };
            all.push({ outcome: outcomeOf(pool.run(task, ending < 2 ? {} : more)) });
            if (ending === 2) aborts.push(setTimeout(() => controller.abort(), 20 + random(20)));
          }
          await until('all settle', () => all.every(({ outcome }) => outcome.settled));
          aborts.forEach(clearTimeout);
          for (const { id, kind, outcome } of all) {
            if (id === undefined) assert.ok(outcome.error !== undefined);
            else checkShort(outcome, { id, kind }, ended[id]);
          }
        }
      },
    );
  }
}
