// Cenote on other runtimes than the one that runs this: the whole Node tests on newer Nodes, the smoke test on Bun and
// Deno, where libuv is missing and the portable waiter must take over, with one warning.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { nodeCounts } from '../../scripts/lib/counts.mjs';
import { inRoot } from '../../scripts/lib/root.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { nodeTestArgs, noTuning, testFiles } from '../../scripts/lib/suites.mjs';
import { installRuntimes, nodes, others } from './runtimes.mjs';

before(installRuntimes);

async function smoke({ command, args = [] }) {
  const result = await run(command, [...args, inRoot('tests', 'matrix', 'smoke.mjs')], {
    env: noTuning,
    limitMs: 60_000,
  });
  assert.ok(!result.timedOut, `hung:\n${result.output}`);
  assert.equal(result.code, 0, result.output);
  const { warnings, ...happened } = JSON.parse(result.output.split('\n').find((line) => line.startsWith('{')));
  assert.deepEqual(happened, {
    doubled: Array.from({ length: 100 }, (_, n) => 2 * n),
    error: 'RangeError: on purpose',
    timerFired: true,
  });
  return warnings;
}

for (const runtime of nodes) {
  describe(runtime.name, () => {
    it('waits inside libuv, without a warning', async () => {
      assert.deepEqual(await smoke(runtime), []);
    });

    it('passes the Node tests', async (t) => {
      const { output, code, timedOut } = await run(runtime.command, nodeTestArgs(testFiles('tests/node')), {
        env: noTuning,
        limitMs: 300_000,
      });
      const counts = nodeCounts(output);
      assert.ok(!timedOut && code === 0, output);
      assert.ok(counts.passed > 0 && counts.failed === 0, output);
      t.diagnostic(`${runtime.name}: ${counts.passed} passed, ${counts.failed} failed`);
    });
  });
}

for (const runtime of others) {
  describe(runtime.name, () => {
    it('waits portably, with one warning', async () => {
      assert.deepEqual(await smoke(runtime), ['CENOTE_PORTABLE_WAIT']);
    });
  });
}
