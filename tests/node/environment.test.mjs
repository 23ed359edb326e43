// The environment variables: below an option, above the default, and refused by name if they cannot
// be used.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { fixture, poolFor, runProgram, watched } from './support/behaviour.mjs';

const variables = [
  ['CENOTE_MAX_THREADS', 'maxThreads', 3, { least: 1, most: 65_536 }],
  ['CENOTE_MAX_SPIN_US', 'maxSpinUs', 7, { least: 0, most: 10_000 }],
  ['CENOTE_TURN_BUDGET_US', 'turnBudgetUs', 500, { least: 1, most: 1_000_000 }],
];

const initial = { ...process.env };

/** Sets a variable until the end of the test. */
function setVariable(t, name, value) {
  assign(name, value);
  // The value of before the test, not of before this call: such hooks run in the order of their
  // making.
  t.after(() => assign(name, initial[name]));
}

function assign(name, value) {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

for (const [variable, option, value, { least, most }] of variables) {
  test(`${variable} is in force where the option is left out`, watched, async (t) => {
    setVariable(t, variable, String(value));
    const pool = poolFor(t, { minThreads: 1 });
    assert.equal(pool.options[option], value);
    assert.equal(pool.options.sources[option], 'environment');
    assert.equal(await pool.run('works'), 'works');
    const given = poolFor(t, { minThreads: 0, [option]: value + 1 });
    assert.equal(given.options[option], value + 1);
    assert.equal(given.options.sources[option], 'option');
  });

  test(`${variable}: empty or unset is the default`, watched, (t) => {
    for (const text of ['', undefined]) {
      setVariable(t, variable, text);
      assert.equal(poolFor(t, { minThreads: 0 }).options.sources[option], 'default');
    }
  });

  test(`${variable}: what cannot be used is refused by the variable's name`, watched, (t) => {
    for (const text of [
      'many',
      '1.5',
      '-1',
      ' ',
      '1e3',
      '0x10',
      'NaN',
      'Infinity',
      '3 ',
      String(most + 1),
      String(least - 1),
    ]) {
      setVariable(t, variable, text);
      assert.throws(() => new Pool({ filename: fixture('tasks.cjs') }), {
        name: 'RangeError',
        code: 'ERR_OUT_OF_RANGE',
        message: new RegExp(variable),
      });
      // An option takes its place, whatever it says.
      const pool = poolFor(t, { minThreads: 0, [option]: value });
      assert.equal(pool.options[option], value);
    }
  });
}

test('minThreads above CENOTE_MAX_THREADS is refused, and the variable named', watched, (t) => {
  setVariable(t, 'CENOTE_MAX_THREADS', '1');
  assert.throws(() => new Pool({ filename: fixture('tasks.cjs'), minThreads: 2 }), {
    code: 'ERR_OUT_OF_RANGE',
    message: /minThreads.*CENOTE_MAX_THREADS/,
  });
});

test('CENOTE_SPIN_UNDER_PRESSURE is 0 or 1', watched, async (t) => {
  const variable = 'CENOTE_SPIN_UNDER_PRESSURE';
  for (const text of ['', '0', '1']) {
    setVariable(t, variable, text);
    assert.equal(await poolFor(t).run('works'), 'works');
  }
  for (const text of ['2', 'true', ' ']) {
    setVariable(t, variable, text);
    assert.throws(() => new Pool({ filename: fixture('tasks.cjs') }), {
      name: 'RangeError',
      code: 'ERR_OUT_OF_RANGE',
      message: new RegExp(variable),
    });
  }
});

test('the variables of a process reach its pools', watched, async () => {
  const { code, stdout, stderr } = await runProgram(
    `
      import { Pool } from 'cenote';
      const pool = new Pool({ filename: process.env.TASKS });
      const { maxThreads, maxSpinUs, turnBudgetUs, sources } = pool.options;
      const told = [maxThreads, maxSpinUs, turnBudgetUs, sources.maxThreads];
    console.log(JSON.stringify([...told, await pool.run('ran')]));
    `,
    { env: { CENOTE_MAX_THREADS: '2', CENOTE_MAX_SPIN_US: '0', CENOTE_TURN_BUDGET_US: '100' } },
  );
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), [2, 0, 100, 'environment', 'ran']);
});
