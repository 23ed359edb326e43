// A task whose output is still on its way has ended, whatever the tasks beside it do to the worker.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture, poolFor, sharedWords, watched } from './support/behaviour.mjs';

const filename = fixture('kinds/printing.cjs');

for (const how of ['timeout', 'exit', 'terminate', 'blocked for a while']) {
  test(`what printed and ended keeps its result: ${how}`, watched, async (t) => {
    for (let round = 0; round < 5; round++) {
      const words = sharedWords();
      const options = { filename, maxThreads: 1, concurrentTasksPerWorker: 4 };
      const pool = poolFor(t, { ...options, workerData: { words }, name: 'print' });
      await pool.ready();
      const beside = pool.run(
        how,
        how === 'timeout' ? { name: 'block', timeout: 50 } : { name: 'block' },
      );
      beside.catch(() => {});
      const printed = pool.run(round);
      if (how === 'terminate') {
        while (Atomics.load(words, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        await pool.threads[0].terminate();
      }
      assert.equal(await printed, round);
      if (how === 'blocked for a while')
        assert.equal(Atomics.load(words, 1), 0, 'it waited for the other');
      Atomics.store(words, 1, 1);
      Atomics.notify(words, 1);
      await beside.catch(() => {});
      await pool.destroy();
    }
  });
}
