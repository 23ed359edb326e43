// A smoke test on other runtimes than the one that runs this: newer Nodes, which wait inside libuv,
// and Bun and Deno, where libuv is missing and the portable waiter must take over, with one
// warning. `npm test` also runs the whole Node tests on the newer Nodes.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { inRoot } from '../../scripts/lib/root.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { noTuning } from '../../scripts/lib/runners.mjs';
import { installRuntimes, nodes, others } from './runtimes.mjs';

before(installRuntimes);

/** Runs `smoke.mjs` on a runtime, checks what happened, and returns the warnings it emitted. */
async function smoke({ command, args = [] }) {
  const script = inRoot('tests', 'matrix', 'smoke.mjs');
  const { output, code, timedOut } = await run(command, [...args, script], {
    env: noTuning,
    limitMs: 60_000,
  });
  assert.ok(!timedOut, `hung:\n${output}`);
  assert.equal(code, 0, output);
  const { warnings, ...happened } = JSON.parse(
    output.split('\n').find((line) => line.startsWith('{')),
  );
  assert.deepEqual(happened, {
    doubled: Array.from({ length: 100 }, (_, n) => 2 * n),
    error: 'RangeError: on purpose',
    timerFired: true,
  });
  return warnings;
}

for (const runtime of nodes) {
  describe(runtime.name, () => {
    it('runs tasks and background work, and waits inside libuv without a warning', async () => {
      assert.deepEqual(await smoke(runtime), []);
    });
  });
}

for (const runtime of others) {
  describe(runtime.name, () => {
    it('runs tasks and background work, and waits portably with one warning', async () => {
      assert.deepEqual(await smoke(runtime), ['CENOTE_PORTABLE_WAIT']);
    });
  });
}
