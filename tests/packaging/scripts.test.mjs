// The parts of `npm test` that nobody would notice if they were wrong: the watchdog, and the reading of counts.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { cargoCounts, nodeCounts } from '../../scripts/lib/counts.mjs';
import { inRoot } from '../../scripts/lib/root.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { suites } from '../../scripts/lib/suites.mjs';

const isAlive = (pid) => {
  try {
    process.kill(pid, 0);
    // A process that has ended is still listed until its parent asks; in a container that may be never.
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    assert.ok(error.code === 'ESRCH' || error.code === 'ENOENT', error);
    return false;
  }
};

async function ends(pid) {
  const giveUp = Date.now() + 20_000;
  while (isAlive(pid) && Date.now() < giveUp)
    await new Promise((resolve) => setTimeout(resolve, 10));
  return !isAlive(pid);
}

// Starts a grandchild that never ends, prints its process id, and then does `next`.
const withGrandchild = (next) => `
  const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
  console.log(child.pid);
  ${next}`;

describe('the watchdog of npm test', () => {
  it('ends a command that hangs, also one that ignores signals, with what it started', async () => {
    const script = withGrandchild("process.on('SIGINT', () => {});");
    const { timedOut, code, output } = await run(process.execPath, ['-e', script], {
      limitMs: 1_000,
    });
    assert.equal(timedOut, true);
    assert.notEqual(code, 0);
    assert.ok(await ends(Number(output)));
  });

  it('does not wait for what a command leaves running', async () => {
    const { timedOut, code, output } = await run(
      process.execPath,
      ['-e', withGrandchild('process.exit(0);')],
      {
        limitMs: 60_000,
      },
    );
    assert.equal(timedOut, false);
    assert.equal(code, 0);
    assert.ok(await ends(Number(output)));
  });

  it('leaves a command alone that ends in time', async () => {
    const { timedOut, code, output } = await run(process.execPath, ['-p', '6 * 7'], {
      limitMs: 60_000,
    });
    assert.deepEqual([timedOut, code, output.trim()], [false, 0, '42']);
  });
});

describe('the counts of npm test', () => {
  it('are those that node --test prints, with a hung test among the failed', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'cenote-counts-'));
    try {
      const file = join(dir, 'mixed.test.mjs');
      writeFileSync(
        file,
        `import { it } from 'node:test';
         it('passes', () => {});
         it('passes too', () => {});
         it('fails', () => { throw new Error('on purpose'); });
         it('hangs', { timeout: 50 }, () => new Promise((resolve) => setTimeout(resolve, 60_000).unref()));
         it('is skipped', { skip: true }, () => {});`,
      );
      const { output } = await run(process.execPath, ['--test', '--test-reporter=spec', file], {
        env: { NODE_TEST_CONTEXT: undefined },
        limitMs: 60_000,
      });
      assert.deepEqual(nodeCounts(output), { passed: 2, failed: 2, skipped: 1 });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('are the sum over all binaries that cargo test runs', () => {
    const line = (passed, failed) =>
      `test result: ${failed === 0 ? 'ok' : 'FAILED'}. ${passed} passed; ${failed} failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`;
    const output = `running 3 tests\n${line(3, 0)}\n   Doc-tests cenote_park\n${line(2, 4)}\n`;
    assert.deepEqual(cargoCounts(output), { passed: 5, failed: 4, skipped: 2 });
  });

  it('are missing, not zero, when a runner did not get to its end', () => {
    assert.equal(cargoCounts('error: could not compile `cenote-park`\n'), undefined);
    assert.equal(nodeCounts('✔ a test that passed before the runner was ended\n'), undefined);
  });
});

describe('the suites of npm test', () => {
  it('have names of their own, which CONTRIBUTING.md lists', () => {
    const names = suites.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    const listed = /^\| `npm test` \|.*$/m.exec(readFileSync(inRoot('CONTRIBUTING.md'), 'utf8'))[0];
    assert.deepEqual(
      [...listed.matchAll(/`([\w-]+)`/g)].map(([, name]) => name),
      names,
    );
  });

  it('say what is missing for one that was asked for by name, and fail', async () => {
    const nowhere = mkdtempSync(join(tmpdir(), 'cenote-path-'));
    try {
      const { code, output } = await run(
        process.execPath,
        [inRoot('scripts', 'test.mjs'), 'asan', 'valgrind'],
        {
          env: { PATH: nowhere },
          limitMs: 60_000,
        },
      );
      assert.equal(code, 1);
      assert.match(
        output,
        /cannot run asan: there is no Rust toolchain `nightly`, valgrind: there is no valgrind/,
      );
    } finally {
      rmSync(nowhere, { recursive: true });
    }
  });
});
