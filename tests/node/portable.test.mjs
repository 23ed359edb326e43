// The portable waiter: it is announced once, and only where it is in use.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poolFor, portable, runProgram, watched } from './support/behaviour.mjs';

/** Makes two pools, one with `options`, and prints their results and the warnings that came. */
const program = (options = {}) => `
  import { Pool } from 'cenote';
  const warnings = [];
  process.on('warning', ({ code, message }) => warnings.push({ code, message }));
  const pools = [{}, ${JSON.stringify(options)}].map((more) => new Pool({
    filename: process.env.TASKS, maxThreads: 1, ...more,
  }));
  const results = await Promise.all(pools.map((pool) => pool.run('ran')));
  await Promise.all(pools.map((pool) => pool.close()));
  console.log(JSON.stringify({ results, warnings }));
`;

async function outcome(options, env) {
  const { code, stdout, stderr } = await runProgram(program(options), { env });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

test(
  'CENOTE_FORCE_PORTABLE=1 warns once, whatever the number of pools, and works',
  watched,
  async () => {
    const { results, warnings } = await outcome({}, { CENOTE_FORCE_PORTABLE: '1' });
    assert.deepEqual(results, ['ran', 'ran']);
    assert.equal(warnings.length, 1);
    assert.equal(warnings[0].code, 'CENOTE_PORTABLE_WAIT');
    assert.match(warnings[0].message, /CENOTE_FORCE_PORTABLE/);
  },
);

test('the native wait warns of nothing', watched, async () => {
  const { results, warnings } = await outcome({}, { CENOTE_FORCE_PORTABLE: undefined });
  assert.deepEqual(results, ['ran', 'ran']);
  assert.deepEqual(warnings, []);
});

test('loading the package without making a pool warns of nothing', watched, async () => {
  const { code, stdout, stderr } = await runProgram(`await import('cenote')`, {
    env: { CENOTE_FORCE_PORTABLE: '1' },
  });
  assert.deepEqual([code, stdout, stderr], [0, '', '']);
});

test(
  'a process that allows no addons uses the portable waiter, and says why',
  watched,
  async () => {
    const { code, stdout, stderr } = await runProgram(program(), {
      env: { CENOTE_FORCE_PORTABLE: undefined },
      args: ['--no-addons'],
    });
    assert.equal(code, 0, stderr);
    const { results, warnings } = JSON.parse(stdout);
    assert.deepEqual(results, ['ran', 'ran']);
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['CENOTE_PORTABLE_WAIT'],
    );
  },
);

const workersWithoutAddon = {
  'execArgv: --no-addons': { execArgv: ['--no-addons'] },
  'env: CENOTE_FORCE_PORTABLE': { env: { CENOTE_FORCE_PORTABLE: '1' } },
};

for (const [label, options] of Object.entries(workersWithoutAddon)) {
  test(
    `workers that may not load the addon make their pool portable, and it says so: ${label}`,
    watched,
    async () => {
      const { results, warnings } = await outcome(options, { CENOTE_FORCE_PORTABLE: undefined });
      assert.deepEqual(results, ['ran', 'ran']);
      assert.deepEqual(
        warnings.map(({ code }) => code),
        ['CENOTE_PORTABLE_WAIT'],
      );
      assert.match(warnings[0].message, new RegExp(label.split(': ')[1]));
    },
  );
}

test('workers whose own NODE_OPTIONS forbid the addon fail clearly', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1, env: { NODE_OPTIONS: '--no-addons' } });
  if (portable) {
    assert.equal(await pool.run('ran'), 'ran');
    return;
  }
  await assert.rejects(pool.run('ran'), { code: 'ERR_CENOTE_WORKER_BOOT', message: /addon/ });
});
