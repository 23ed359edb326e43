// The sources of a loop, without a pool: who is called by a drain, what a source that throws does
// to the others, and what nonsense in the shared words and replaced globals do to the wait.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { portable, runProgram } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const dist = dirname(require.resolve('cenote'));
const bindingPath = join(dist, 'native', 'binding.js');
const loopPath = join(dist, 'wait', 'loop.js');
const kExpectedUs = 16;

/** A test of the native wait; the portable waiter has no drains. */
const native = (name, body) => test(name, { timeout: 30_000, skip: portable }, body);

/** Runs a program that has `thisLoop`, `source(drain)`, `wakeUp()` and `until(condition)`. */
async function loopProgram(body, options) {
  const source = `
    import { createRequire } from 'node:module';
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const { thisLoop, wake, readStages } = require(${JSON.stringify(loopPath)});
    const { setTimeout: later } = require('node:timers');
    const { log } = console;
    const settings = { maxSpinUs: 0, turnBudgetUs: 1_000, spinUnderPressure: false };
    const source = (drain) => ({ ...settings, expectedUs: () => -1, drain });
    const wakeUp = () => wake(thisLoop.address);
    const until = async (condition) => {
      while (!condition()) await new Promise((resolve) => later(resolve, 2));
    };
    ${body}
  `;
  const { code, stdout, stderr } = await runProgram(source, options);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
  return stdout.trim().split('\n');
}

native('2^32 publications between two looks of a loop are work, and not none', async () => {
  const lines = await loopProgram(`
    let drains = 0;
    thisLoop.attach(source(() => void drains++));
    wakeUp();
    await until(() => drains > 0);
    const { words } = thisLoop.address;
    const seen = Atomics.load(words, 0);
    // The last of a lap is made. Of the others only their sum is there: the epoch is as before.
    Atomics.store(words, 0, 2 ** 30 - 1);
    const before = drains;
    wakeUp();
    Atomics.store(words, 0, seen);
    let over = false;
    later(() => (over = true), 5_000);
    await until(() => drains > before || over);
    log(drains > before ? 'drained' : 'slept');
    process.exit();
  `);
  assert.deepEqual(lines, ['drained']);
});

native('a source whose drain throws keeps none of the others from being drained', async () => {
  const lines = await loopProgram(`
    process.on('uncaughtException', ({ message }) => log('uncaught', message));
    const drained = [0, 0, 0, 0];
    const throwing = (index) => () => {
      if (drained[index]++ === 0) throw new Error('source ' + index);
    };
    thisLoop.attach(source(throwing(0)));
    thisLoop.attach(source(() => void drained[1]++));
    thisLoop.attach(source(throwing(2)));
    thisLoop.attach(source(() => void drained[3]++));
    thisLoop.hold();
    wakeUp();
    await until(() => drained.every((count) => count > 0));
    wakeUp();
    await until(() => drained.every((count) => count > 1));
    log(new Set(drained).size, 'count for all');
    process.exit();
  `);
  assert.deepEqual(lines, ['uncaught source 0', 'uncaught source 2', '1 count for all']);
});

native('an exception of a drain that nobody handles ends the process', async () => {
  const { code, stderr } = await runProgram(`
    import { createRequire } from 'node:module';
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const { thisLoop } = require(${JSON.stringify(loopPath)});
    const drain = () => { throw new Error('of a drain'); };
    const settings = { maxSpinUs: 0, turnBudgetUs: 1_000, spinUnderPressure: false };
    thisLoop.attach({ ...settings, expectedUs: () => -1, drain });
    thisLoop.hold();
    thisLoop.again();
  `);
  assert.equal(code, 1);
  assert.match(stderr, /Error: of a drain/);
});

native('sources that are attached and detached by a drain: who is called, and when', async () => {
  const lines = await loopProgram(`
    const calls = [];
    const plain = (name) => source(() => void calls.push(name));
    const [late, gone, last] = [plain('late'), plain('gone'), plain('last')];
    let first = true;
    const changing = source(() => {
      calls.push('changing');
      if (!first) return;
      first = false;
      thisLoop.detach(gone);
      thisLoop.attach(late);
      // Detached and attached again: called by the next drain, at the end.
      thisLoop.detach(changing);
      thisLoop.attach(changing);
    });
    for (const each of [changing, gone, last]) thisLoop.attach(each);
    thisLoop.hold();
    wakeUp();
    await until(() => calls.includes('late'));
    log(calls.splice(0).join());
    wakeUp();
    await until(() => calls.length > 0);
    log(calls.join());
    process.exit();
  `);
  assert.deepEqual(lines, ['changing,last,last,late,changing', 'last,late,changing']);
});

native(
  'the last source may detach itself in its drain, and a later one opens the loop anew',
  async () => {
    const lines = await loopProgram(`
    const { openStations } = require(${JSON.stringify(bindingPath)});
    const numbers = new Set();
    for (let i = 0; i < 5; i++) {
      let drained = false;
      const own = source(() => {
        thisLoop.detach(own);
        drained = true;
      });
      thisLoop.attach(own);
      numbers.add(thisLoop.address.station);
      wakeUp();
      await until(() => drained);
    }
    await until(() => openStations() === 0);
    log(numbers.size, thisLoop.address.station);
  `);
    assert.deepEqual(lines, ['5 0']);
  },
);

native('what was published before a source was attached is drained', async () => {
  const lines = await loopProgram(`
    thisLoop.attach(source(() => {}));
    thisLoop.hold();
    wakeUp();
    let drained = false;
    // By then the loop has seen all that was published.
    later(() => thisLoop.attach(source(() => (drained = true))), 20);
    await until(() => drained);
    log('drained');
    process.exit();
  `);
  assert.deepEqual(lines, ['drained']);
});

native('nonsense in the words throws nothing, and what is read of it makes sense', async () => {
  const lines = await loopProgram(`
    const drains = [];
    thisLoop.attach(source(() => {
      const { words } = thisLoop.address;
      for (const nonsense of [-(2 ** 31), -1, 0, 500, 1_000, 2 ** 31 - 1]) {
        words[19] = nonsense;
        drains.push(thisLoop.turnLeftMs);
      }
    }));
    wakeUp();
    await until(() => drains.length > 0);
    log(drains.slice(0, 6).join());
    const { words } = thisLoop.address;
    const values = new Float64Array(words.buffer);
    for (const nonsense of [NaN, -1, -Infinity, Infinity, 1e300, 1.5, -0, 5e-324]) {
      values.fill(nonsense, 16, 22);
      const counts = Object.values(readStages(words));
      const sound = counts.every((count) => Number.isSafeInteger(count) && count >= 0);
      if (!sound) log(nonsense, counts);
    }
    const seen = drains.length;
    // Every word at once, but those that say whether and how the loop sleeps.
    for (const nonsense of [-(2 ** 31), -1, 1, 2 ** 31 - 1]) words.fill(nonsense, 2);
    thisLoop.expect();
    wakeUp();
    await until(() => drains.length > seen);
    log('drained');
    process.exit();
  `);
  assert.deepEqual(lines, ['0.001,0.001,0.001,0.5,1,1', 'drained']);
});

native('when work is expected fits its word, whatever a source says', async () => {
  const lines = await loopProgram(`
    let expected = 0;
    const spinning = { ...source(() => {}), maxSpinUs: 50, expectedUs: () => expected };
    thisLoop.attach(spinning);
    const { words } = thisLoop.address;
    for (expected of [0, 7, 2 ** 31, 2 ** 32 + 5, Infinity, NaN, -1, -5]) {
      thisLoop.expect();
      log(words[${kExpectedUs}]);
    }
    thisLoop.detach(spinning);
  `);
  const most = `${2 ** 31 - 1}`;
  assert.deepEqual(lines, ['0', '7', most, most, most, '-1', '-1', '-1']);
});

test(
  'the wait keeps to its own functions when the globals are replaced',
  { timeout: 30_000 },
  async () => {
    const lines = await loopProgram(
      `
    let drains = 0;
    const counted = source(() => void drains++);
    thisLoop.attach(counted);
    const bad = () => { throw new Error('the wait called a function of the user'); };
    const typedArray = Object.getPrototypeOf(Int32Array.prototype);
    const own = Object.getOwnPropertyDescriptors;
    const replaced = [Atomics, Math, Map.prototype, Set.prototype, Array.prototype, typedArray];
    for (const object of [...replaced, Promise.prototype, String.prototype]) {
      for (const [key, { value, configurable }] of Object.entries(own(object))) {
        if (key === 'constructor' || !configurable) continue;
        if (typeof value === 'function') object[key] = bad;
        else Object.defineProperty(object, key, { __proto__: null, get: bad, configurable: true });
      }
    }
    const globals = ['setTimeout', 'setInterval', 'clearInterval', 'queueMicrotask', 'Float64Array'];
    for (const name of globals) globalThis[name] = bad;
    for (const key of ['get', 'set', 'spins', 'parks'])
      Object.defineProperty(Object.prototype, key, { __proto__: null, get: bad, set: bad });
    let outcome = 'worked';
    try {
      thisLoop.hold();
      wakeUp();
      thisLoop.again();
      thisLoop.expect();
      void [thisLoop.turnLeftMs, thisLoop.stages];
      const second = source(() => void drains++);
      thisLoop.attach(second);
      thisLoop.detach(second);
      thisLoop.release();
      thisLoop.detach(counted);
    } catch (error) {
      outcome = error.stack;
    }
    process.stdout.write(outcome);
    process.reallyExit(0);
  `,
      { env: { NODE_NO_WARNINGS: '1' } },
    );
    assert.deepEqual(lines, ['worked']);
  },
);

test(
  'the portable waiter holds the loop for as long as it is asked to',
  { timeout: 30_000 },
  async () => {
    const lines = await loopProgram(
      `
    const own = source(() => {});
    thisLoop.hold();
    thisLoop.attach(own);
    const isTimer = (kind) => kind === 'Timeout';
    const timers = () => process.getActiveResourcesInfo().filter(isTimer).length;
    log(timers());
    thisLoop.detach(own);
    log(timers());
    // Held still, and attached anew.
    thisLoop.attach(own);
    log(timers());
    thisLoop.release();
    log(timers());
    thisLoop.detach(own);
  `,
      { env: { CENOTE_FORCE_PORTABLE: '1' } },
    );
    assert.deepEqual(lines, ['1', '0', '1', '0']);
  },
);
