// The station of a loop, and the sources that its drains call: without a pool, on the addon itself and
// on the file that drives it.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { portable, runProgram, sharedWords, until } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const dist = dirname(require.resolve('cenote'));
const binding = require(join(dist, 'native', 'binding.js'));
const kWords = 64;
const kExpectedUs = 16;

/** A test of the native wait; the portable waiter has no stations. */
const native = (name, body) => test(name, { timeout: 30_000, skip: portable }, body);

/** A station on this thread's loop that counts its drains, closed at the end of the test. */
function station(t, drain = () => {}) {
  const words = sharedWords(kWords);
  const opened = { words, drains: 0 };
  opened.number = binding.openLoop(
    words,
    () => {
      opened.drains++;
      drain(opened);
    },
    0,
    1_000,
  );
  t.after(() => binding.closeLoop(opened.number));
  return opened;
}

/** Runs a program that has `thisLoop`, `source(drain)`, `wakeUp()` and `until(condition)`. */
async function loopProgram(body, options) {
  const source = `
    import { createRequire } from 'node:module';
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const { thisLoop, wake, readStages } = require(${JSON.stringify(join(dist, 'wait', 'loop.js'))});
    const { setTimeout: later } = require('node:timers');
    const { log } = console;
    const source = (drain) => ({ maxSpinUs: 0, turnBudgetUs: 1_000, expectedUs: () => -1, drain });
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

native('no two stations have the same number, and each is an integer above 0', (t) => {
  const numbers = Array.from({ length: 50 }, () => station(t).number);
  assert.equal(new Set(numbers).size, 50);
  for (const number of numbers) assert.ok(Number.isSafeInteger(number) && number > 0, `${number}`);
});

native('a number that no station has is left alone, whatever it is', (t) => {
  const { number } = station(t);
  const before = binding.openStations();
  const wrapped = [number + 2 ** 32, number - 2 ** 32, number + 0.5, -number];
  for (const nobody of [...wrapped, 0, NaN, Infinity, 2 ** 53, 1e300]) {
    binding.ring(nobody);
    binding.referenceLoop(nobody);
    binding.configureLoop(nobody, 0, 1);
    binding.closeLoop(nobody);
  }
  assert.equal(binding.openStations(), before);
});

native('a publication from another thread is drained', async (t) => {
  const opened = station(t);
  new Worker(
    `
    const { workerData: { words, number, path } } = require('node:worker_threads');
    Atomics.add(words, 0, 1);
    if (Atomics.compareExchange(words, 1, 3, 4) === 3) require(path).ring(number);
  `,
    {
      eval: true,
      workerData: {
        words: opened.words,
        number: opened.number,
        path: join(dist, 'native', 'binding.js'),
      },
    },
  );
  await until('the drain', () => opened.drains > 0);
});

native('a drain may close its own station', async (t) => {
  const opened = station(t, ({ number }) => binding.closeLoop(number));
  Atomics.add(opened.words, 0, 1);
  await until('the drain', () => opened.drains === 1);
  await until('the station is gone', () => binding.openStations() === 0);
  Atomics.add(opened.words, 0, 1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(opened.drains, 1);
});

native('a drain that is not a function, or words that do not fit, open no station', () => {
  const before = binding.openStations();
  const fit = sharedWords(kWords);
  for (const drain of [undefined, null, 5, 'drain', {}, Symbol('drain')])
    assert.throws(() => binding.openLoop(fit, drain, 0, 1_000));
  for (const words of [undefined, {}, sharedWords(8), new Float64Array(kWords)])
    assert.throws(() => binding.openLoop(words, () => {}, 0, 1_000));
  assert.equal(binding.openStations(), before);
});

native('what stations held is collected: closed, closed in a drain, and never opened', async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { createRequire } from 'node:module';
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const { openLoop, closeLoop, openStations } = require(${JSON.stringify(join(dist, 'native', 'binding.js'))});
    const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
    const held = [];
    const words = () => {
      const words = new Int32Array(new SharedArrayBuffer(4 * ${kWords}));
      held.push(new WeakRef(words));
      return words;
    };
    const drain = (body = () => {}) => {
      const drain = () => body();
      held.push(new WeakRef(drain));
      return drain;
    };
    async function closed() {
      const one = words();
      const number = openLoop(one, drain(), 0, 1_000);
      Atomics.add(one, 0, 1);
      await turn();
      closeLoop(number);
    }
    async function closedInDrain() {
      const one = words();
      const number = openLoop(one, drain(() => closeLoop(number)), 0, 1_000);
      Atomics.add(one, 0, 1);
      await turn();
    }
    function neverOpened() {
      // A drain that no reference can be made to: by then there is one to the words.
      try { openLoop(words(), 5, 0, 1_000); } catch {}
      try { openLoop(words(), {}, 0, 1_000); } catch { return; }
      throw new Error('it opened');
    }
    for (let i = 0; i < 20; i++) {
      await closed();
      await closedInDrain();
      neverOpened();
    }
    const left = () => held.filter((reference) => reference.deref() !== undefined).length;
    for (let i = 0; i < 1_000 && (left() > 0 || openStations() > 0); i++) {
      await turn();
      gc();
    }
    console.log(held.length, left(), openStations());
  `,
    { args: ['--expose-gc'] },
  );
  assert.equal(code, 0, stderr);
  assert.equal(stdout, '120 0 0\n', stderr);
});

native('2^32 publications between two looks of a loop are work, and not none', async () => {
  const lines = await loopProgram(`
    let drains = 0;
    thisLoop.attach(source(() => void drains++));
    await until(() => drains > 0);
    const { words } = thisLoop.address;
    const seen = Atomics.load(words, 0);
    // The last of a lap comes by itself; of the others, only the sum is there: the epoch is as before.
    Atomics.store(words, 0, 2 ** 30 - 1);
    const before = drains;
    wakeUp();
    Atomics.store(words, 0, seen);
    await Promise.race([until(() => drains > before), new Promise((resolve) => later(resolve, 5_000))]);
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
    const { thisLoop } = require(${JSON.stringify(join(dist, 'wait', 'loop.js'))});
    const drain = () => { throw new Error('of a drain'); };
    thisLoop.attach({ maxSpinUs: 0, turnBudgetUs: 1_000, expectedUs: () => -1, drain });
    thisLoop.hold();
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
    const { openStations } = require(${JSON.stringify(join(dist, 'native', 'binding.js'))});
    const numbers = new Set();
    for (let i = 0; i < 5; i++) {
      let drained = false;
      const own = source(() => {
        thisLoop.detach(own);
        drained = true;
      });
      thisLoop.attach(own);
      numbers.add(thisLoop.address.station);
      await until(() => drained);
    }
    await until(() => openStations() === 0);
    log(numbers.size, thisLoop.address.station);
  `);
    assert.deepEqual(lines, ['5 0']);
  },
);

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
    await until(() => drains.length > 0);
    log(drains.slice(0, 6).join());
    const { words } = thisLoop.address;
    const values = new Float64Array(words.buffer);
    for (const nonsense of [NaN, -1, -Infinity, Infinity, 1e300, 1.5, -0, 5e-324]) {
      values.fill(nonsense, 16, 22);
      const counts = Object.values(readStages(words));
      if (!counts.every((count) => Number.isSafeInteger(count) && count >= 0)) log(nonsense, counts);
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
    for (const name of ['setTimeout', 'setInterval', 'clearInterval', 'queueMicrotask', 'Float64Array'])
      globalThis[name] = bad;
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
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
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
