// A pool that nobody holds any more leaves nothing, and one that has nothing to do costs nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture, runProgram, watched } from './support/behaviour.mjs';

test('a pool that is dropped is collected, and its threads end', watched, async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { createRequire } from 'node:module';
    import { Pool } from 'cenote';
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const { measure, settlesAt } = require('./fixtures/chaos/measure.cjs');
    const turn = () => new Promise((resolve) => setTimeout(resolve, 10));
    // Opens what output needs: a worker's own output would open it later.
    void process.stderr;
    console.log('begins');
    await turn();
    const before = measure();
    async function dropped() {
      const pool = new Pool({
        filename: ${JSON.stringify(fixture('chaos/tasks.cjs'))},
        name: 'echo', minThreads: 2, maxThreads: 2,
      });
      pool.on('workerLost', () => console.log('lost'));
      if (await pool.run(1) !== 1) throw new Error('wrong');
      return new WeakRef(pool);
    }
    const references = [];
    for (let i = 0; i < 5; i++) references.push(await dropped());
    const end = performance.now() + 15_000;
    const isLeft = (reference) => reference.deref() !== undefined;
    while (references.some(isLeft) && performance.now() < end) {
      await turn();
      gc();
    }
    console.log(references.filter(isLeft).length, 'pools left');
    console.log(await settlesAt(before));
  `,
    { args: ['--expose-gc'] },
  );
  assert.equal(stdout, 'begins\n0 pools left\nas before\n', stderr);
  assert.equal(code, 0);
});

test('a dropped pool still settles its tasks', watched, async () => {
  const { stdout, stderr } = await runProgram(
    `
    import { Pool } from 'cenote';
    const start = () => new Pool({
      filename: ${JSON.stringify(fixture('chaos/tasks.cjs'))}, maxThreads: 1,
    }).run({ ms: 300 }, { name: 'busy' });
    const task = start();
    const timer = setInterval(() => gc(), 10);
    console.log('settled', await task);
    clearInterval(timer);
  `,
    { args: ['--expose-gc'] },
  );
  assert.equal(stdout, 'settled undefined\n', stderr);
});

/** What the pool's thread does while a pool rests, after 10,000 tasks. */
const resting = {
  'an idle pool': { options: {}, begin: '' },
  // Nothing settles, and nothing is submitted.
  'a pool whose workers hold many long tasks each': {
    options: { concurrentTasksPerWorker: 10 },
    begin: `for (let i = 0; i < 20; i++)
      pool.run(null, { name: 'never' }).catch(() => {});`,
  },
};

for (const [what, { options, begin }] of Object.entries(resting)) {
  test(`${what} costs no CPU time`, watched, async () => {
    const { stdout, stderr } = await runProgram(`
      import { Pool } from 'cenote';
      const pool = new Pool({
        filename: ${JSON.stringify(fixture('clocks/tasks.cjs'))},
        minThreads: 2, maxThreads: 2, ...${JSON.stringify(options)},
      });
      await Promise.all(Array.from({ length: 10_000 }, (_, i) => pool.run(i)));
      ${begin}
      // What the load left behind (collections, compilation) comes to rest sooner or later.
      const used = [];
      for (let i = 0; i < 5; i++) {
        const before = process.cpuUsage();
        await new Promise((resolve) => setTimeout(resolve, 500));
        const { user, system } = process.cpuUsage(before);
        used.push(Math.round((user + system) / 1000));
      }
      console.log(JSON.stringify(used));
      await pool.destroy();
    `);
    assert.notEqual(stdout, '', stderr);
    const least = Math.min(...JSON.parse(stdout));
    assert.ok(least < 13, `${stdout} ms of CPU in half a second each`);
  });
}
