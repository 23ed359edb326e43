// Below the worker's frames, an error's stack has the callers who await its task.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { runProgram, watched } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const { fromWire, toWire } = require('../../dist/wire/errors/decoder.js');
const { rejectWithCallerStack } = require('../../dist/owner/caller-stack.js');

/** An error that came from a worker. */
const arrived = () => fromWire(...structuredClone(toWire(new Error('x'))));

const kSeam = /^ {4}at --- task in worker thread 5, called from ---$/m;

/**
 * A promise that is rejected from a timer, as a result comes: with nobody of the callers on the
 * stack.
 */
function rejected(error) {
  return new Promise((resolve) =>
    setTimeout(() => rejectWithCallerStack(resolve, error, 'worker thread 5'), 1),
  );
}

async function innerCaller(error) {
  await rejected(error);
}

async function outerCaller(error) {
  return await innerCaller(error);
}

test("the callers who await follow below the worker's frames", async () => {
  const error = arrived();
  const { stack } = error;
  await assert.rejects(async () => {
    await outerCaller(error);
  }, error);
  assert.ok(error.stack.startsWith(`${stack}\n`));
  const appended = error.stack.slice(stack.length);
  assert.match(appended, kSeam);
  assert.match(appended, /at async innerCaller \(.*errors-callers.*\)\n\s+at async outerCaller \(/);
  assert.doesNotMatch(appended, /^(?!\s+at )./m);
  assert.doesNotMatch(appended, /caller-stack/);
  assert.equal(Object.prototype.propertyIsEnumerable.call(error, 'stack'), false);
});

test('callers are found through Promise.all', async () => {
  const error = arrived();
  async function together() {
    await Promise.all([Promise.resolve(), innerCaller(error)]);
  }
  await assert.rejects(together(), error);
  assert.match(error.stack, /at async innerCaller[^]*at async Promise.all[^]*at async together/);
});

test('a caller who only catches gets the stack of the worker', async () => {
  const error = arrived();
  const { stack } = error;
  const caught = await new Promise((resolve) => {
    rejected(error).catch(resolve);
  });
  assert.equal(caught, error);
  assert.equal(error.stack, stack);
});

test('whatever the error is, it is what the promise rejects with', async () => {
  const { stack: _, ...bare } = Object.getOwnPropertyDescriptors(new Error('bare'));
  const stuck = Object.defineProperty(new Error('stuck'), 'stack', {
    value: 'fixed',
    writable: false,
    configurable: false,
  });
  const values = [
    'text',
    null,
    undefined,
    { stack: 'data' },
    Object.freeze(new Error('frozen')),
    stuck,
  ];
  for (const value of [...values, Object.create(Error.prototype, bare)]) {
    const stack = value?.stack;
    let caught;
    try {
      await rejected(value);
      assert.fail('it did not reject');
    } catch (error) {
      caught = error;
    }
    assert.equal(caught, value);
    if (Object.isFrozen(value) || typeof value !== 'object') continue;
    if (value === stuck || !(value instanceof Error)) assert.equal(value.stack, stack);
  }
});

test('stacks that the program formats itself are left alone', async () => {
  const error = arrived();
  const { stack } = error;
  const before = Error.prepareStackTrace;
  try {
    Error.prepareStackTrace = (_error, sites) => sites;
    await innerCaller(error).catch(() => {});
  } finally {
    Error.prepareStackTrace = before;
  }
  assert.equal(error.stack, stack);
});

test(
  'a rejection is unhandled only if the caller does not handle it, and once',
  watched,
  async () => {
    const { stdout } = await runProgram(`
    import { createRequire } from 'node:module';
    const { rejectWithCallerStack } = createRequire(process.cwd() + '/')('./dist/owner/caller-stack.js');
    process.on('unhandledRejection', (error) => console.log('unhandled', error.message));
    process.on('rejectionHandled', () => console.log('handled late'));
    process.on('uncaughtException', (error) => console.log('uncaught', error.message));
    const rejected = (error) => new Promise((resolve) => rejectWithCallerStack(resolve, error, 5));
    rejected(new Error('caught')).catch((error) => console.log('caught', error.message));
    try { await rejected(new Error('awaited')); } catch (error) { console.log('caught', error.message); }
    rejected(new Error('nobody'));
    await new Promise((resolve) => setTimeout(resolve, 20));
  `);
    assert.deepEqual(stdout.trim().split('\n').sort(), [
      'caught awaited',
      'caught caught',
      'unhandled nobody',
    ]);
  },
);
