// The parts of `npm test` that nobody would notice if they were wrong: the watchdog, and the
// reading of counts.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { countsOf } from '../../scripts/lib/counts.mjs';
import { inRoot } from '../../scripts/lib/root.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { longSuites, suites } from '../../scripts/lib/suites.mjs';
import { faultOf, remarkOf } from '../../scripts/lib/verdict.mjs';

const isAlive = (pid) => {
  try {
    process.kill(pid, 0);
    // A process that has ended is still listed until its parent asks; in a container that may be
    // never.
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
         it('hangs', { timeout: 50 }, () => new Promise((go) => setTimeout(go, 60_000).unref()));
         it('is skipped', { skip: true }, () => {});`,
      );
      const { output } = await run(process.execPath, ['--test', '--test-reporter=spec', file], {
        env: { NODE_TEST_CONTEXT: undefined },
        limitMs: 60_000,
      });
      assert.deepEqual(countsOf(output), { passed: 2, failed: 2, skipped: 1 });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('are the sum over all binaries that cargo test runs', () => {
    const output = `running 3 tests
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
   Doc-tests cenote_park
test result: FAILED. 2 passed; 4 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
`;
    assert.deepEqual(countsOf(output), { passed: 5, failed: 4, skipped: 2 });
  });

  it('are those that cargo-nextest prints, with a hung test among the failed', () => {
    const output = `
     Summary [   1.307s] 8/9 tests run: 5 passed (2 slow), 2 failed, 1 timed out, 3 skipped
        FAIL [   0.010s] (4/9) cenote of_mine`;
    assert.deepEqual(countsOf(output), { passed: 5, failed: 3, skipped: 3 });
  });

  it("are those that Piscina's tests end with, not those of one file among them", () => {
    const output = `ℹ pass 6
ℹ fail 1
the tests of Piscina 5.3.2, with cenote: 127 passed, 27 failed, 3 skipped, 1 deviating`;
    assert.deepEqual(countsOf(output), { passed: 127, failed: 27, skipped: 4 });
  });

  it('are missing, not zero, when a runner did not get to its end', () => {
    assert.equal(countsOf('error: could not compile `cenote-park`\n'), undefined);
    assert.equal(countsOf('✔ a test that passed before the runner was ended\n'), undefined);
  });
});

const script = (...args) =>
  run(process.execPath, [inRoot('scripts', 'test.mjs'), ...args], { limitMs: 60_000 });

describe('the suites of npm test', () => {
  it('have names of their own, a reason and a budget', () => {
    const all = [...suites, ...longSuites];
    assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
    for (const { name, about, budget } of all) assert.ok(about !== '' && budget > 0, name);
  });

  it('are told by --list', async () => {
    const { code, output } = await script('--list');
    assert.equal(code, 0, output);
    const told = output.trim().split('\n');
    assert.deepEqual(
      told.map((line) => line.split(' ')[0]),
      suites.map(({ name }) => name),
    );
  });

  it('are told when there is none of that name', async () => {
    const { code, output } = await script('nodes');
    assert.equal(code, 1);
    assert.match(output, /no such suite: nodes\. Known suites: cargo, /);
  });

  it('say what is missing for one that was asked for by name, and fail', async () => {
    const nowhere = mkdtempSync(join(tmpdir(), 'cenote-path-'));
    try {
      const { code, output } = await run(
        process.execPath,
        [inRoot('scripts', 'test.mjs'), '--long', 'asan', 'valgrind'],
        { env: { PATH: nowhere }, limitMs: 60_000 },
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

  it('fail where one hangs, breaks, or runs nothing, and are told of where one is slow', () => {
    const fine = { code: 0, signal: null, timedOut: false, ms: 60_000 };
    const counts = { passed: 3, failed: 0, skipped: 0 };
    assert.equal(faultOf(fine, counts, 60_000), undefined);
    assert.equal(faultOf(fine, counts, 59_000), undefined);
    assert.equal(remarkOf(60_000, 59_000), 'over its budget of 59.0 s');
    assert.equal(remarkOf(60_000, 60_000), '');
    const faults = [
      [{ ...fine, code: 1, timedOut: true }, counts, 30_000, /^hangs .*, its budget is 30\.0 s$/],
      [{ ...fine, code: 101 }, counts, 60_000, 'exit code 101'],
      [{ ...fine, code: null, signal: 'SIGKILL' }, counts, 60_000, 'ended by SIGKILL'],
      [fine, { ...counts, failed: 1 }, 60_000, 'has failed tests'],
      [fine, { ...counts, passed: 0 }, 60_000, 'ran no tests'],
      [fine, undefined, 60_000, 'ran no tests'],
    ];
    for (const [ended, counted, budget, expected] of faults) {
      const fault = faultOf(ended, counted, budget);
      if (expected instanceof RegExp) assert.match(fault, expected);
      else assert.equal(fault, expected);
    }
  });
});
