// What a worker has begun stays begun, however much it does meanwhile; and it is ended once,
// however many ask for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture, poolFor, runProgram, sharedWords, until, watched } from './support/behaviour.mjs';

test(
  'a task that runs while tens of thousands pass it runs once, and is lost with its worker',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 2 });
    const words = sharedWords();
    const long = pool.run({ words }, { name: 'hold' });
    const lost = assert.rejects(long, { code: 'ERR_CENOTE_WORKER_LOST' });
    await until('it has begun', () => Atomics.load(words, 0) === 1);
    // Past half of the range of the claim word's count, which is where before and after would be
    // mistaken for each other.
    for (let passed = 0; passed < 40_000; passed += 1_000) {
      await Promise.all(Array.from({ length: 1_000 }, () => pool.run(1, { name: 'echo' })));
    }
    await pool.threads[0].terminate();
    await lost;
    // Its successor would have it by now.
    assert.equal(await pool.run('after', { name: 'echo' }), 'after');
    assert.equal(Atomics.load(words, 0), 1);
  },
);

test(
  'a worker whose many tasks all run out of time is ended without a warning',
  watched,
  async () => {
    const program = `
    import { Pool } from 'cenote';
    const pool = new Pool({
      filename: ${JSON.stringify(fixture('tasks.cjs'))}, minThreads: 1, maxThreads: 1,
      concurrentTasksPerWorker: 16,
    });
    const words = new Int32Array(new SharedArrayBuffer(32));
    const runs = Array.from({ length: 16 }, () => pool.run({ words }, { name: 'hold', timeout: 300 }));
    const settled = await Promise.allSettled(runs);
    await pool.close();
    console.log(settled.filter(({ reason }) => /_TIMEOUT$|_LOST$/.test(reason?.code)).length);
  `;
    const { stdout, stderr } = await runProgram(program, { env: { CENOTE_FORCE_PORTABLE: '' } });
    assert.deepEqual([stdout, stderr], ['16\n', '']);
  },
);
