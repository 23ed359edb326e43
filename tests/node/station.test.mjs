// The station of a loop, without a pool: the addon itself, called as `loop.ts` calls it.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { portable, runProgram, sharedWords, until } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const dist = dirname(require.resolve('cenote'));
const bindingPath = join(dist, 'native', 'binding.js');
const binding = require(bindingPath);
const kWords = 64;

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
    binding.configureLoop(nobody, 0, 1, false);
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
        path: bindingPath,
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
    const binding = ${JSON.stringify(bindingPath)};
    const { openLoop, closeLoop, openStations } = require(binding);
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
