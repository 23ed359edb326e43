// Pools work whatever the globals and the built-in prototypes are like: frozen, read-only, with
// setters for names and indices that everybody uses, in a process that may not make code of texts.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { fixture, runProgram, watched } from './support/behaviour.mjs';

const changes = [
  'frozen prototypes',
  'a stackTraceLimit that cannot be written',
  'setters on Object.prototype',
  'a setter at 0 of Object.prototype',
  'a setter at 0 of Array.prototype',
];
const flags = ['--frozen-intrinsics', '--disallow-code-generation-from-strings'];

const classes = {
  cenote: `import { Pool as Any } from 'cenote';`,
  'cenote/piscina': `import Any from 'cenote/piscina';`,
};

/** The program itself fills no array by index, and passes no object that inherits anything. */
const program = (entry) => `
  import { writeSync } from 'node:fs';
  import { createRequire } from 'node:module';
  ${classes[entry]}
  const say = (text) => writeSync(1, text + '\\n');
  process.on('uncaughtException', (error) => { say(error.stack); process.reallyExit(1); });
  const { change } = createRequire(process.cwd() + '/')(process.env.GLOBALS);
  const { ON, WHAT } = process.env;
  const named = (name, more) => Object.assign({ __proto__: null, name }, more);
  const make = () => new Any({ filename: process.env.GLOBALS, minThreads: 1, maxThreads: 2 });
  async function nameOf(promise) {
    try { return await promise; } catch ({ name, message }) { return name + ': ' + message; }
  }
  const before = make();
  await before.run(1);
  if (ON === 'owner') change(WHAT);
  else await before.run(WHAT, named('change'));
  say(await before.run(2));
  say(await before.run({ __proto__: null, a: 'x', b: 'y' }, named('sum')));
  const pool = make();
  if (ON === 'worker') await pool.run(WHAT, named('change'));
  let sum = 0;
  await new Promise((resolve) => {
    let left = 100;
    for (let n = 0; n < 100; n++) void (async () => {
      const value = await pool.run(n, named(n % 2 ? 'later' : 'default'));
      sum += value;
      if (--left === 0) resolve();
    })();
  });
  say(sum);
  say(await nameOf(pool.run('of the user', named('fail'))));
  const mixed = { __proto__: null, map: new Map([[1, 2]]), list: JSON.parse('[5, 6]') };
  const list = await pool.run(mixed);
  say(list.map.size + ' ' + list.list.length + ' ' + list.list[1]);
  say((await nameOf(pool.run(0, named('exit')))).includes('exited with code'));
  const controller = new AbortController();
  const aborted = nameOf(pool.run(0, named('never', { signal: controller.signal })));
  controller.abort();
  say((await aborted).slice(0, 10));
  if (${entry === 'cenote'}) await pool.run(0, named('never', { timeout: 50 })).catch(({ code }) => say(code));
  say((await nameOf(pool.run(() => {}))).includes('loned'));
  await before.close();
  await pool.close();
  say('closed');
  process.reallyExit(0);
`;

const expected = (entry) => [
  '2',
  'xy',
  '4950',
  'RangeError: of the user',
  '1 2 6',
  'true',
  'AbortError',
  ...(entry === 'cenote' ? ['ERR_CENOTE_TIMEOUT'] : []),
  'true',
  'closed',
];

async function works(entry, { on = 'owner', what = 'nothing', args = [] }) {
  const { stdout, stderr } = await runProgram(program(entry), {
    env: { GLOBALS: fixture('hostile/globals.cjs'), ON: on, WHAT: what, NODE_NO_WARNINGS: '1' },
    args,
  });
  assert.deepEqual(stdout.trim().split('\n'), expected(entry), stderr);
}

for (const entry of Object.keys(classes)) {
  for (const flag of flags)
    test(`${entry}: under ${flag}`, watched, () => works(entry, { args: [flag] }));
  for (const on of ['owner', 'worker']) {
    for (const what of changes) {
      // Node's own EventEmitterAsyncResource, which Piscina's pool is, cannot emit there.
      const skip = entry === 'cenote/piscina' && on === 'owner' && what.startsWith('a setter at 0');
      if (skip) continue;
      const where = on === 'owner' ? "on the pool's thread" : 'in the worker';
      test(`${entry}: ${what}, ${where}`, watched, () => works(entry, { on, what }));
    }
  }
}
