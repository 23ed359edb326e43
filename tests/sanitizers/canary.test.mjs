// Each tool of `scripts/lib/sanitizers.mjs`, with the settings and suppressions of its suite, finds
// what it is there to find in `canary.rs`, and nothing where there is nothing. A tool that this
// machine lacks is left out: `npm test` says so.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inRoot } from '../../scripts/lib/root.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { tools } from '../../scripts/lib/sanitizers.mjs';

const expected = {
  asan: { use_after_free: /heap-use-after-free/, leak: /detected memory leaks/ },
  tsan: { race: /data race/, relaxed: /data race/ },
  valgrind: { use_after_free: /Invalid read/, leak: /definitely lost/ },
};

let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'cenote-canary-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('the canaries', () => {
  it('know every tool', () => assert.deepEqual(Object.keys(expected), Object.keys(tools)));
});

for (const [tool, { missing, rustFlags = [], env = {}, command = [] }] of Object.entries(tools)) {
  if (missing !== undefined) continue;
  describe(tool, () => {
    const binary = () => join(folder, tool);
    const under = async (test) => {
      const [program, ...args] = [...command, binary(), '--exact', test];
      return run(program, args, { env, limitMs: 120_000 });
    };

    before(async () => {
      const toolchain = rustFlags.length > 0 ? ['+nightly'] : [];
      const flags = ['--test', '--edition=2024', '-g', ...rustFlags, '-o', binary()];
      const { code, output } = await run('rustc', [
        ...toolchain,
        ...flags,
        inRoot('tests', 'sanitizers', 'canary.rs'),
      ]);
      assert.equal(code, 0, output);
    });

    for (const [test, report] of Object.entries(expected[tool])) {
      it(`finds ${test.replaceAll('_', ' ')}`, async () => {
        const { code, output } = await under(test);
        assert.match(output, report);
        assert.notEqual(code, 0, output);
      });
    }

    it('finds nothing where there is nothing', async () => {
      const { code, output } = await under('sound');
      assert.equal(code, 0, output);
      assert.match(output, /1 passed/);
    });
  });
}
