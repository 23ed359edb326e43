// Errors cross whatever user code has done to the globals of either thread, and however deep they
// hold what they hold.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { poolFor, runProgram, watched } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const decoder = require.resolve('../../dist/wire/errors/decoder.js');
const callerStack = require.resolve('../../dist/owner/caller-stack.js');
const { kThrewError } = require('../../dist/wire/messages.js');
const { fromWire, toWire } = require(decoder);
const { isDeeperThan, kDepthMax } = require('../../dist/wire/errors/depth.js');

/** What somebody's code may do to the thread that it runs on. */
const kPoisons = {
  'Error.prepareStackTrace throws':
    "Error.prepareStackTrace = () => { throw new Error('prepare'); };",
  'Error.prepareStackTrace returns an object': 'Error.prepareStackTrace = () => ({ frames: 1 });',
  'Error.stackTraceLimit is read-only':
    "Object.defineProperty(Error, 'stackTraceLimit', { value: 5, writable: false, configurable: false });",
  'both, and neither can be set': `
    Error.prepareStackTrace = () => { throw new Error('prepare'); };
    Object.freeze(Error);`,
  'Error.stackTraceLimit has a setter that throws':
    "Object.defineProperty(Error, 'stackTraceLimit', { get() { return 5; }, set() { throw new Error('set'); } });",
  'Error[Symbol.hasInstance] throws':
    "Object.defineProperty(Error, Symbol.hasInstance, { value() { throw new Error('hasInstance'); } });",
  'the globals are replaced': `
    globalThis.Error = globalThis.TypeError = globalThis.AggregateError = globalThis.DOMException =
      globalThis.Map = globalThis.Set = globalThis.Number = class {};
    Object.keys = Object.defineProperty = Object.getPrototypeOf = Object.hasOwn = () => { throw 1;
      };
    Reflect.set = Reflect.apply = Array.isArray = () => { throw 1; };`,
  'structuredClone throws': "globalThis.structuredClone = () => { throw new Error('clone'); };",
  'the methods of arrays, strings, maps and functions throw': `
    const { defineProperty, getOwnPropertyDescriptor } = Object;
    const { ownKeys } = Reflect;
    const classes9 = [Map, Set, RegExp, Promise, String, Array];
    // Node 20 itself does not come to a good end without the methods of functions.
    if (!process.version.startsWith('v20.')) classes9.push(Function);
    for (let i = 0; i < classes9.length; i++) {
      const { prototype } = classes9[i];
      const keys = ownKeys(prototype);
      for (let j = 0; j < keys.length; j++) {
        if (keys[j] === 'constructor' || keys[j] === Symbol.hasInstance) continue;
        if (typeof getOwnPropertyDescriptor(prototype, keys[j]).value !== 'function') continue;
        defineProperty(prototype, keys[j], { value() { throw new RangeError('poison'); } });
      }
    }`,
  'Array.prototype has setters': `
    for (let i = 0; i < 16; i++)
      Object.defineProperty(Array.prototype, i, { get() { return 'poison'; },
        set() { throw new RangeError('poison'); } });`,
  'Object.prototype has what descriptors have': `
    Object.prototype.get = Object.prototype.set = () => 'poison';`,
  'Object.prototype has setters': `
    for (const key of ['value', 'writable', 'enumerable', 'configurable', 'message', 'code', 'cause', 'length', 'extra'])
      Object.defineProperty(Object.prototype, key, { __proto__: null, get() { return undefined; },
        set() { throw new RangeError('poison'); } });`,
  'Promise.prototype.then throws': "Promise.prototype.then = () => { throw new Error('then'); };",
};

/**
 * Crosses an error on a poisoned thread, and hands what came of it to the outside by Node's own
 * means.
 */
const program = (poison) => `
  import { createRequire } from 'node:module';
  const require = createRequire(${JSON.stringify(import.meta.url)});
  const { toWire, fromWire } = require(${JSON.stringify(decoder)});
  const { rejectWithCallerStack } = require(${JSON.stringify(callerStack)});
  const { v8 } = { v8: require('node:v8') };
  const { writeSync } = require('node:fs');
  const { deserialize, serialize } = v8;
  const { stringify } = JSON;
  const then = Function.prototype.call.bind(Promise.prototype.then);
  const { getPrototypeOf } = Object;
  const classes = { RangeError: RangeError.prototype, DOMException: DOMException.prototype,
    AggregateError: AggregateError.prototype };
  const clone = structuredClone;
  process.on('unhandledRejection', () => { writeSync(1, 'UNHANDLED'); process.exit(3); });
  const make = () => {
    const cause = new DOMException('stop', 'AbortError');
    const error = new RangeError('outer', { cause });
    error.code = 'E_OUTER';
    error.extra = { list: [1, { two: 2 }], inner: error };
    error.method = () => {};
    return [error, new AggregateError([error, 1, cause], 'several')];
  };
  const [error, several] = make();
  void error.stack; void several.stack; void error.cause.stack;
  ${poison}
  const cross = (value) => { const wire = toWire(value); return fromWire(wire[0], clone(wire[1]));
    };
  const a = cross(error);
  const b = cross(several);
  const seen = [
    getPrototypeOf(a) === classes.RangeError, a.message, a.code, a.name, typeof a.stack,
    getPrototypeOf(a.cause) === classes.DOMException, a.cause.name, a.cause.message,
    a.extra.list[0], a.extra.list[1].two, a.extra.inner === a, 'method' in a,
    getPrototypeOf(b) === classes.AggregateError, b.message, b.errors.length, b.errors[0].message,
      b.errors[1],
  ];
  let resolve;
  const outer = new Promise((r) => { resolve = r; });
  rejectWithCallerStack(resolve, a, 7);
  then(outer, () => {}, (reason) => {
    let text = '';
    for (let i = 0; i < seen.length; i++) text += (i > 0 ? ' ' : '') + seen[i];
    text += ' ' + (reason === a);
    writeSync(1, text);
  });
`;
const kExpected =
  'true outer E_OUTER RangeError string true AbortError stop 1 2 true false true several 3 outer 1 true';

for (const [name, poison] of Object.entries(kPoisons)) {
  test(`errors cross although ${name}`, watched, async () => {
    const { code, stdout, stderr } = await runProgram(program(poison));
    assert.equal(stdout, kExpected, stderr);
    assert.equal(code, 0, stderr);
  });
}

test('errors cross under --frozen-intrinsics', watched, async () => {
  const { stdout, stderr } = await runProgram(program(''), { args: ['--frozen-intrinsics'] });
  assert.equal(stdout, kExpected, stderr);
});

test('errors cross where structuredClone was missing from the start', watched, async () => {
  const source = program('').replace(
    "import { createRequire } from 'node:module';",
    "import { createRequire } from 'node:module'; const { structuredClone } = globalThis; delete globalThis.structuredClone;",
  );
  const { stdout, stderr } = await runProgram(source);
  assert.equal(stdout, kExpected, stderr);
});

// What cannot be read

test('a record that cannot be decoded is an error all the same', () => {
  for (const record of [
    null,
    undefined,
    7,
    'text',
    {},
    [99, 'message', 'stack'],
    [0, 'm', 's', null, 5, 7],
  ]) {
    const outcome = fromWire(kThrewError, record);
    assert.ok(typeof outcome === 'object' && outcome !== null, String(record));
  }
});

// Depth

const nest = (levels) => {
  let value = null;
  for (let i = 0; i < levels; i++) value = { value };
  return value;
};
const cross = (error) => {
  const [code, value] = structuredClone(toWire(error));
  return fromWire(code, value);
};

test('what is too deep in an error is left out, and nothing else is', () => {
  for (const levels of [10, 200, 300, 6_000, 100_000]) {
    const error = Object.assign(new Error('deep'), {
      before: { a: 1 },
      data: nest(levels),
      list: [nest(levels)],
      map: new Map([[1, new Set([nest(levels)])]]),
      reason: new Error('inner'),
      after: 2,
    });
    const arrived = cross(error);
    assert.deepEqual(
      Object.keys(arrived),
      levels <= 200
        ? ['before', 'data', 'list', 'map', 'reason', 'after']
        : ['before', 'reason', 'after'],
      `${levels} levels`,
    );
    assert.deepEqual(
      [arrived.before, arrived.after, arrived.reason.message],
      [{ a: 1 }, 2, 'inner'],
    );
  }
});

test('how deep a value is follows the way in which it is written', () => {
  assert.equal(isDeeperThan(nest(10), 10), false);
  assert.equal(isDeeperThan(nest(11), 10), true);
  // All items are near, but each leads to the next.
  const ring = Array.from({ length: 50 }, () => ({}));
  ring.forEach((item, n) => (item.next = ring[(n + 1) % 50]));
  assert.equal(isDeeperThan(ring, 20), true);
  assert.equal(isDeeperThan(ring, 60), false);
  const shared = nest(5);
  assert.equal(isDeeperThan([shared, [shared], [[shared]]], 7), false);
  assert.equal(isDeeperThan(new Error('x', { cause: nest(20) }), 20), true);
});

test('a thousand causes arrive', () => {
  let error = new Error('0');
  for (let i = 1; i < 1_000; i++) error = new Error(String(i), { cause: error });
  let count = 0;
  for (let at = cross(error); at !== undefined; at = at.cause) count++;
  assert.equal(count, 1_000);
});

test('what crosses can be read by a thread with a small stack', watched, async (t) => {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
    parentPort.on('message', (value) => parentPort.postMessage(value.data !== undefined));
    parentPort.on('messageerror', () => parentPort.postMessage(false));`,
    { eval: true, resourceLimits: { stackSizeMb: 0.5 } },
  );
  t.after(() => worker.terminate());
  worker.postMessage({ data: nest(kDepthMax) });
  assert.deepEqual(await once(worker, 'message'), [true]);
});

test(
  'an error with deep data costs its task nothing but the data, and others nothing',
  watched,
  async (t) => {
    const pool = poolFor(t, {
      filename: require.resolve('./fixtures/errors/deep.cjs'),
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 4,
    });
    const thread = await pool.run(0, { name: 'id' });
    const beside = pool.run('beside', { name: 'later' });
    await assert.rejects(pool.run(6_000, { name: 'fail' }), (error) => {
      assert.equal(error.message, 'deep');
      assert.equal(error.kept, 1);
      assert.equal('data' in error, false);
      return true;
    });
    assert.equal(await beside, 'beside');
    assert.equal(await pool.run(0, { name: 'id' }), thread);
  },
);
