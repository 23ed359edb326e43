// P2, threads that are ended from outside, at random moments: every task settles once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { randomOf, seedOf } from '../fixtures/chaos/random.mjs';
import { fixture, sharedWords, watched } from '../support/behaviour.mjs';

function poolOf(t, options) {
  const pool = new Pool({ filename: fixture('chaos/tasks.cjs'), maxThreads: 2, ...options });
  t.after(() => pool.destroy());
  return pool;
}

const kLost = 'ERR_CENOTE_WORKER_LOST';
const outcomeOf = (promise) => promise.catch((error) => error.code ?? error.message);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

for (const [minThreads, concurrentTasksPerWorker] of [
  [0, 1],
  [1, 1],
  [2, 4],
]) {
  test(
    `threads ended at random moments: from ${minThreads}, ${concurrentTasksPerWorker} at once`,
    watched,
    async (t) => {
      const seed = seedOf(t);
      const random = randomOf(seed);
      const pool = poolOf(t, { minThreads, concurrentTasksPerWorker });
      const ledger = sharedWords(800);
      const name = concurrentTasksPerWorker === 1 ? 'actNow' : 'act';
      let kills = 0;
      let over = false;
      const killing = (async () => {
        // Not for ever: where threads take long to start, the tasks would take as long as the
        // killing lasts.
        while (!over && kills < 40) {
          await sleep(random(25));
          const { threads } = pool;
          // Only what takes tasks: to end a thread while it starts is a failed start.
          const ready = pool
            .stats()
            .workers.flatMap(({ state }, i) => (state === 'ready' ? [threads[i]] : []));
          if (ready.length === 0) continue;
          void ready[random(ready.length)].terminate();
          kills++;
        }
      })();
      const tasks = [];
      for (let id = 0; id < ledger.length; id++) {
        tasks.push(outcomeOf(pool.run({ ledger, id, ms: random(3) === 0 ? 0.3 : 0 }, { name })));
        if (id % 50 === 0) await sleep(random(8));
      }
      const outcomes = await Promise.all(tasks);
      over = true;
      await killing;
      assert.ok(kills > 0);
      outcomes.forEach((outcome, id) => {
        assert.ok(outcome === id || outcome === kLost, `task ${id}: ${outcome}`);
        if (outcome === id) assert.equal(ledger[id], 1, `task ${id} settled with its value`);
        // One that is ended between claim and begin settles as lost, and has not run.
        else assert.ok(ledger[id] <= 1, `task ${id} ran twice`);
      });
      const { accepted, completed, lost } = pool.stats().tasks;
      assert.equal(completed, outcomes.filter((outcome) => outcome !== kLost).length);
      assert.equal(completed + lost, accepted);
      // A kill costs at most what ran on the thread.
      assert.ok(lost <= kills * concurrentTasksPerWorker, `${lost} lost to ${kills} kills`);
    },
  );
}
