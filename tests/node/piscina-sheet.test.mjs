// `cenote/piscina`, looked at row by row against Piscina's tables of options, statics and limits:
// what other tests of the interface do not say.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const Piscina = createRequire(import.meta.url)('cenote/piscina');

const folder = mkdtempSync(join(tmpdir(), 'cenote-sheet-'));
// An idle pool does not hold the process, and a test may wait for what an idle worker does.
const hold = setInterval(() => {}, 60_000);
after(() => {
  clearInterval(hold);
  rmSync(folder, { recursive: true, force: true });
});
const filename = join(folder, 'worker.cjs');
writeFileSync(
  filename,
  `const { parentPort } = require('node:worker_threads');
   module.exports = (x) => x;
   module.exports.never = () => {
    parentPort.postMessage('started');
    return new Promise(() => setInterval(() => {}, 1e6));
  };
   module.exports.later = () => { setTimeout(() => { throw new Error('left behind'); }, 5); return 'done'; };`,
);

/** A pool of one thread, destroyed at the end of the test. */
function poolOf(t, options = {}) {
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1, ...options });
  t.after(() => pool.destroy());
  return pool;
}

test('statics are members like those of a class: not listed, inherited, and usable without it', () => {
  assert.deepEqual(Object.keys(Piscina), []);
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(Piscina))) {
    if (name === 'prototype') continue;
    assert.equal(property.configurable, true, name);
    if (property.get !== undefined) assert.throws(() => void (Piscina[name] = 1), TypeError, name);
  }
  class Mine extends Piscina {}
  const { move } = Mine;
  const buffer = new ArrayBuffer(8);
  assert.equal(move(buffer)[Mine.transferableSymbol], buffer);
  assert.equal(Mine.Piscina, Piscina);
  assert.equal(Mine.version, '5.3.2');
});

test('a signal that is none is refused with the same words', async (t) => {
  const pool = poolOf(t);
  await assert.rejects(pool.run(1, { signal: {} }), {
    name: 'TypeError',
    message: 'abortSignal.once is not a function',
  });
  assert.equal(await pool.run(2), 2);
});

test('options that are undefined, null or a fraction show what is in force', (t) => {
  const options = poolOf(t, {
    minThreads: undefined,
    maxThreads: 1.5,
    name: null,
    atomics: null,
    maxQueue: 'auto',
  }).options;
  assert.equal(options.minThreads <= 1.5 && options.minThreads >= 1, true);
  assert.deepEqual(
    [options.maxThreads, options.name, options.atomics, options.maxQueue],
    [1.5, 'default', 'sync', 1.5 ** 2],
  );
  assert.equal(options.taskQueue instanceof Piscina.FixedQueue, true);
});

test(
  'what a task left behind may throw while the worker is idle: it is emitted',
  { timeout: 60_000 },
  async (t) => {
    const pool = poolOf(t);
    const emitted = once(pool, 'error', { signal: AbortSignal.timeout(50_000) }).catch((error) => [
      error,
    ]);
    assert.equal(await pool.run(null, { name: 'later' }), 'done');
    const [error] = await emitted;
    assert.equal(error.message, 'left behind');
    assert.equal(await pool.run('again'), 'again');
  },
);

test(
  'a task that was aborted while it ran is not counted as completed',
  { timeout: 60_000 },
  async (t) => {
    const pool = poolOf(t);
    await pool.run(1);
    const controller = new AbortController();
    const started = once(pool, 'message');
    const aborted = assert.rejects(pool.run(2, { name: 'never', signal: controller.signal }), {
      name: 'AbortError',
    });
    await started;
    controller.abort();
    await aborted;
    await pool.run(3);
    assert.equal(pool.completed, 2);
  },
);
