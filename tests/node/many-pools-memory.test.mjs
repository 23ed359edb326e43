// Pools that live for a moment leave no memory behind, not even such as the garbage collector
// does not know of.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { runProgram, watched } from './support/behaviour.mjs';

/** Far above what a pool leaves; a few pools are no measure of less. */
const kBoundKiB = 2_048;
const kPools = 25;

for (const [what, load, options] of [
  ['cenote', `const { Pool } = require('cenote');`, {}],
  ['cenote/piscina', `const Pool = require('cenote/piscina');`, { workerHistogram: true }],
]) {
  test(`many pools in turn do not make the process grow: ${what}`, watched, async () => {
    const { code, stdout, stderr } = await runProgram(`
      import hooks from 'node:perf_hooks';
      import { createRequire } from 'node:module';
      // Each is some 40 KiB outside the heap, which nothing but a full collection frees.
      let histograms = 0;
      const { createHistogram } = hooks;
      hooks.createHistogram = (options) => {
        histograms++;
        return createHistogram(options);
      };
      const require = createRequire(process.cwd() + '/x.js');
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
      await make(${kPools});
      const before = residentKiB();
      await make(${kPools});
      console.log(JSON.stringify({ histograms, grownKiB: (residentKiB() - before) / ${kPools} }));
    `);
    assert.equal(code, 0, stderr);
    const { histograms, grownKiB } = JSON.parse(stdout);
    assert.equal(histograms, 0);
    assert.ok(grownKiB < kBoundKiB, `${grownKiB} KiB a pool`);
  });
}
