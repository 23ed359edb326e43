// `pool.exec()`: closed functions run in a worker as they would here, and any name from outside is
// refused by that name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInThisContext } from 'node:vm';
import { Pool } from 'cenote';
import * as cjs from './fixtures/inline/caller.cjs';
import * as esm from './fixtures/inline/caller.mjs';
import { watched } from './support/behaviour.mjs';

function poolOf(t) {
  const pool = new Pool({ maxThreads: 1 });
  t.after(() => pool.destroy());
  return pool;
}

/** A function of this source, whose outside is nothing but globals. */
const made = (source) => runInThisContext(`'use strict'; (${source})`);

/** The names that an error of `exec()` refuses. */
async function refusedBy(pool, fn) {
  const error = await pool.exec(fn).then(
    (value) => assert.fail(`accepted: ${fn}, which gave ${value}`),
    (reason) => reason,
  );
  assert.equal(error.code, 'ERR_CENOTE_NOT_CLOSED', `${fn}: ${error.stack}`);
  return [...error.message.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
}

test('closed functions of each form run in another thread', watched, async (t) => {
  const pool = poolOf(t);
  const forms = [
    (a, b) => a + b,
    async (a, b) => a + b,
    function (a, b) {
      return a + b;
    },
    function named(a, b) {
      return a === 0 ? b : named(a - 1, b + 1);
    },
    async function (a, b) {
      return (await a) + b;
    },
    {
      method(a, b) {
        return a + b;
      },
    }.method,
    {
      async ['computed' + 1](a, b) {
        return a + b;
      },
    }.computed1,
    class {
      static add(a, b) {
        return a + b;
      }
    }.add,
  ];
  for (const form of forms) assert.equal(await pool.exec(form, 2, 3), 5, String(form));
  const { threadId } = await import('node:worker_threads');
  const there = await pool.exec(async () => (await import('node:worker_threads')).threadId);
  assert.notEqual(there, threadId);
});

test('`this` is undefined, and arguments and results are copies', watched, async (t) => {
  const pool = poolOf(t);
  const isUndefined = function () {
    return this === undefined && arguments.length === 0;
  };
  assert.equal(await pool.exec(isUndefined), true);
  const list = [1];
  assert.deepEqual(await pool.exec((given) => [...given, given.push(2)], list), [1, 2]);
  assert.deepEqual(list, [1]);
});

const kClosed = [
  '(a, { b, c: [d = a, ...e], ...f }) => [a, b, d, e, f]',
  '() => { x = 1; var x; return x; }',
  '() => { if (true) { var x = 1; } return x; }',
  '() => { for (var i = 0; i < 1; i++); return i; }',
  '() => { for (const k of []) k; for (let k in {}) k; }',
  '() => { try { } catch ({ message }) { message; } }',
  '() => { later(); function later() {} }',
  '() => { outer: for (;;) { break outer; } }',
  '() => { class A extends Array { #p = this; static { this.q = super.length; } m() { return super.at(0) ?? A; } } }',
  'function f() { return new.target ?? arguments ?? this ?? f; }',
  '() => ({ key: 1, nested: { other: 2 } }).key.nested?.other',
  '() => ({ toString() { return super.toString(); } })',
  '() => { switch (1) { case 0: let x; default: x = 2; } }',
  '(a, b = () => a) => b()',
  '() => [Array, Math, process, Buffer, console, fetch, setTimeout, performance, structuredClone]',
  '() => typeof require',
];

test('what is declared in the function, in whatever way, is not refused', watched, async (t) => {
  const pool = poolOf(t);
  // Whether they run well does not matter here.
  for (const source of kClosed) {
    await pool.exec(made(source)).catch((error) => {
      assert.notEqual(error.code, 'ERR_CENOTE_NOT_CLOSED', `${source}: ${error.message}`);
    });
  }
});

const kOpen = [
  ['() => x', 'x'],
  ['() => { { let x; } return x; }', 'x'],
  ['() => { for (let x = 0; x < 0;); x; }', 'x'],
  ['() => { try {} catch (x) {} x; }', 'x'],
  ['() => { (function x() {}); x; }', 'x'],
  ['() => { (class x {}); x; }', 'x'],
  ['() => { { function x() {} } x; }', 'x'],
  ['(a = x) => { var x; }', 'x'],
  ['({ [x]: a }) => a', 'x'],
  ['() => { switch (x) { case 0: let x; } }', 'x'],
  ['() => { (() => { var x; })(); x; }', 'x'],
  ['() => { x: for (;;) break x; return x; }', 'x'],
  ['() => ({ x })', 'x'],
  ['() => ({ [x]: 1 })', 'x'],
  ['() => { class A { [x] = 1; } }', 'x'],
  ['() => { class A { static { var x; } } x; }', 'x'],
  ['() => `${x}`', 'x'],
  ['() => a[x]', 'a', 'x'],
  ['() => { x = 1; }', 'x'],
  ['() => typeof x', 'x'],
  ['() => this', 'this'],
  ['() => arguments', 'arguments'],
  ['() => ({ a: () => this })', 'this'],
  ['{ f() { return super.x; } }.f', 'super'],
  ['() => __filename', '__filename'],
];

test('each name from outside is refused by its name', watched, async (t) => {
  const pool = poolOf(t);
  for (const [source, ...names] of kOpen)
    assert.deepEqual(await refusedBy(pool, made(source)), names, source);
  assert.deepEqual(await refusedBy(pool, () => import.meta.url), ['import.meta']);
});

test('a message says where the name is', watched, async (t) => {
  const pool = poolOf(t);
  await assert.rejects(pool.exec(made('(n) => {\n  return (\n    n * factor);\n}')), {
    code: 'ERR_CENOTE_NOT_CLOSED',
    message:
      'The function passed to exec() uses `factor`, which is defined outside of it ' +
      '(line 3, column 9). Pass it as an argument, or export the function from a file.',
  });
  await assert.rejects(pool.exec(made('() => factor')), /\(line 1, column 7\)/);
});

test('a global that the program added itself is refused', watched, async (t) => {
  const pool = poolOf(t);
  globalThis.addedByTest = 1;
  t.after(() => delete globalThis.addedByTest);
  assert.deepEqual(await refusedBy(pool, made('() => addedByTest')), ['addedByTest']);
});

/** Ways to bind a name for what stands in its block: the text before that, and after. */
const kBindings = [
  (name) => [`const ${name} = 1;`, ''],
  (name) => [`let ${name};`, ''],
  (name) => [`{ var ${name}; }`, ''],
  (name) => ['', `if (false) { for (var ${name} of []); }`],
  (name) => ['', `function ${name}() {}`],
  (name) => [`class ${name} {}`, ''],
  (name) => [`const { a: [${name} = 1] = [] } = {};`, ''],
  (name) => [`const [, ...${name}] = [];`, ''],
  (name) => [`for (const ${name} of [1]) {`, '}'],
  (name) => [`try { throw 1; } catch (${name}) {`, '}'],
  (name) => [`((${name}) => {`, '})();'],
  (name) => [`((...[{ ${name} } = {}]) => {`, '})();'],
  (name) => [`(function ${name}() {`, '})();'],
];

test(
  'made programs: accepted whole, and refused by the name that is left out',
  watched,
  async (t) => {
    const pool = poolOf(t);
    let seed = 42;
    const random = (below) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let n = 0; n < 200; n++) {
      const names = Array.from({ length: 1 + random(6) }, (_, i) => `v${n}_${i}`);
      const bindings = names.map((name) => kBindings[random(kBindings.length)](name));
      const program = (without) => {
        let text = `{ (() => [${names.join(', ')}])(); }`;
        bindings.forEach(([before, after], i) => {
          if (i !== without) text = `{ ${before} ${text} ${after} }`;
        });
        return made(`() => ${text.startsWith('{') ? text : `{ ${text} }`}`);
      };
      await pool.exec(program(-1));
      const without = random(names.length);
      assert.deepEqual(await refusedBy(pool, program(without)), [names[without]]);
    }
  },
);

for (const [kind, caller] of [
  ['an ES module', esm],
  ['CommonJS', cjs],
]) {
  test(`import() and require start at the caller's file: ${kind}`, watched, async (t) => {
    const pool = poolOf(t);
    assert.equal(await caller.imports(pool), 'beside the ES module');
    assert.equal(await caller.requires(pool), 'beside the CommonJS module');
  });

  test(`an error has the stacks of both threads: ${kind}`, watched, async (t) => {
    const error = await caller.fails(poolOf(t)).catch((reason) => reason);
    assert.ok(error instanceof RangeError);
    const [there, here] = error.stack.split('--- task in worker thread');
    assert.match(there, /at failing \(.*inline\/caller\.[cm]js:/);
    assert.match(here, /fails .*inline\/caller\.[cm]js:/);
  });
}

test('what is no function with code of its own is refused', watched, async (t) => {
  const pool = poolOf(t);
  const refused = [
    undefined,
    null,
    '() => 1',
    {},
    Math.max,
    (() => 1).bind(null),
    class {},
    function* () {},
    async function* () {},
    Object.getOwnPropertyDescriptor({ get a() { return 1; } }, 'a').get, // prettier-ignore
    new Proxy(() => 1, {}),
  ];
  for (const fn of refused)
    await assert.rejects(pool.exec(fn), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  assert.equal(await pool.exec(() => 1), 1);
});

test('the call leaves the formatting of stacks as it was', watched, async (t) => {
  const pool = poolOf(t);
  const { stackTraceLimit } = Error;
  const before = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  await pool.exec(() => 1);
  assert.equal(Error.stackTraceLimit, stackTraceLimit);
  assert.deepEqual(Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace'), before);
});
