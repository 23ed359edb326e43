// A task that is posted while its caller does not know yet that the thread takes tasks.

import { test } from 'node:test';
import Piscina from 'cenote/piscina';
import assert from 'node:assert/strict';
import { fixture, sharedWords, watched } from './support/behaviour.mjs';

test(
  'a task that is posted behind the first of a thread, before the caller heard that it is ready',
  watched,
  async (t) => {
    for (let round = 0; round < 5; round++) {
      const options = { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 2 };
      const pool = new Piscina({ filename: fixture('tasks.cjs'), ...options });
      t.after(() => pool.destroy());
      const words = sharedWords();
      const first = pool.run({ words }, { name: 'hold' });
      const sleep = (ms) => Atomics.wait(sharedWords(1), 0, 0, ms);
      // The loop of this thread does not turn, so what the worker posts is not received.
      while (words[0] === 0) sleep(1);
      sleep(100);
      const second = pool.run('second', { name: 'echo' });
      assert.equal(await second, 'second');
      words[1] = 1;
      await first;
    }
  },
);
