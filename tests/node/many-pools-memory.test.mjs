// Pools that live for a moment leave no memory behind, not even such as the garbage collector does not know of.

import assert from 'node:assert/strict';
import { behaviour, runProgram } from './support/behaviour.mjs';

/** Far above what a pool leaves, and half of what the native histograms of one take. */
const kBoundKiB = 100;

for (const [what, load, options] of [
  ['cenote', `import { Pool } from 'cenote';`, {}],
  ['cenote/piscina', `import Pool from 'cenote/piscina';`, { workerHistogram: true }],
]) {
  behaviour(`150 pools in turn do not make the process grow: ${what}`, async () => {
    const { code, stdout, stderr } = await runProgram(`
      ${load}
      const options = {
        filename: process.env.TASKS,
        minThreads: 2,
        maxThreads: 2,
        ...${JSON.stringify(options)},
      };
      async function make(count) {
        for (let n = 0; n < count; n++) {
          const pool = new Pool(options);
          await Promise.all([pool.run(1), pool.run(2)]);
          await pool.close();
        }
      }
      const residentKiB = () => process.memoryUsage().rss / 1024;
      await make(100);
      const before = residentKiB();
      await make(150);
      console.log((residentKiB() - before) / 150);
    `);
    assert.equal(code, 0, stderr);
    const grownKiB = Number(stdout);
    assert.ok(stdout !== '' && grownKiB < kBoundKiB, `${stdout} KiB a pool`);
  });
}
