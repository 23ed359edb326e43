// Whatever becomes of the globals on the pool's thread, its crew and its dispatcher go on: tasks
// run, time-outs are in real time, threads retire, pools close.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fixture, runProgram, watched } from './support/behaviour.mjs';

const { resolve } = createRequire(import.meta.url);
const bundle = join(dirname(resolve('cenote')), 'lib', 'pool.js');

/** For each line of the bundle, from 1, whether it is of a file in `owner/`: 1 or 0. */
const ownerLines = linesOf('owner/');
for (const mark of ['0', '1']) assert.ok(ownerLines.split(mark).length > 1000, 'both are found');

function linesOf(folder) {
  let inFolder = '0';
  let marks = '0';
  for (const line of readFileSync(bundle, 'utf8').split('\n')) {
    // The bundler says so before each file.
    const file = /^\/\/ (\S+\.js)$/.exec(line)?.[1];
    if (file !== undefined) inFolder = file.startsWith(folder) ? '1' : '0';
    marks += inFolder;
  }
  return marks;
}

/** What user code may do, once the package is loaded. */
const poisons = {
  'timers that never fire': `
    const timer = { ref() { return timer; } };
    for (const name of ['setTimeout', 'setInterval', 'setImmediate']) globalThis[name] = () => timer;
    for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate']) globalThis[name] = () => {};
  `,
  'a clock that stands still': `
    const still = performance.now();
    performance.now = () => still;
    globalThis.performance = { now: () => still };
    Date.now = () => 0;
    process.hrtime = Object.assign(() => [0, 0], { bigint: () => 0n });
  `,
  'microtasks that never run': `
    globalThis.queueMicrotask = () => {};
    process.nextTick = () => {};
  `,
  'a Promise of its own': `
    const broken = () => { throw new Error('then of the user'); };
    Promise.prototype.then = broken;
    Promise.prototype.finally = broken;
    globalThis.Promise = class {};
  `,
  'methods of collections that throw': `
    const broken = () => { throw new Error('collections of the user'); };
    for (const { prototype } of [Map, Set, WeakMap, WeakSet]) {
      for (const name of ['get', 'set', 'has', 'add', 'delete', 'forEach']) if (name in prototype) prototype[name] = broken;
    }
  `,
  'methods of arrays that throw where the package calls them': `
    const { apply } = Reflect;
    const { BUNDLE, OWNER_LINES } = process.env;
    for (const name of Object.getOwnPropertyNames(Array.prototype)) {
      const original = Array.prototype[name];
      if (typeof original !== 'function' || name === 'constructor') continue;
      const spy = function (...args) {
        const { stack } = new Error();
        const caller = typeof stack === 'string' ? apply(nth, stack, [2]) : '';
        if (isOwner(caller)) throw new Error(name + ' of the user: ' + caller);
        return apply(original, this, args);
      };
      Object.defineProperty(Array.prototype, name, { __proto__: null, value: spy, writable: true,
        configurable: true });
    }
    function nth(line) {
      let from = 0;
      for (let n = 0; n < line; n++) from = apply(indexOf, this, ['\\n', from]) + 1;
      const to = apply(indexOf, this, ['\\n', from]);
      return apply(slice, this, [from, to < 0 ? undefined : to]);
    }
    function isOwner(frame) {
      const at = apply(indexOf, frame, [BUNDLE]);
      return at >= 0 && OWNER_LINES[parseInt(apply(slice, frame, [at + BUNDLE.length]), 10)] === '1';
    }
    const { indexOf, slice } = String.prototype;
  `,
  'properties on Object.prototype': `
    Object.prototype.get = () => 'of the user';
    Object.prototype.set = () => {};
    Object.prototype.once = false;
    Object.prototype.loadFailure = ['of the user'];
  `,
  'numbers that lie': `
    for (const name of ['min', 'max', 'ceil', 'floor', 'round', 'trunc', 'random', 'clz32']) Math[name] = () => NaN;
  `,
};

/** Both threads run tasks, one of them made after the globals changed, and one retires. */
const growAndRetire = `
    const pool = new Pool({ filename: process.env.TASKS, minThreads: 1, maxThreads: 2,
      idleTimeout: 50 });
    await sleep(50);
    poison();
    const runs = [];
    for (let n = 0; n < 10; n++) runs[n] = pool.run({ ms: 20 }, { name: 'pause' });
    for (let n = 0; n < 10; n++) await runs[n];
    say('ran');
    for (let n = 0; pool.threads.length > 1; n++) {
      if (n > 1000) throw new Error('no thread retired');
      await sleep(10);
    }
    say('retired');
`;

/** What a program does once the globals are as they are. It may use nothing of them. */
const bodies = {
  cenote: `
    ${growAndRetire}
    const hangs = new Pool({ filename: process.env.HANGS, workerData: { words: hanging },
      minThreads: 1, maxThreads: 1, bootTimeout: 200 });
    try { await hangs.run(0); } catch (error) { say(error.cause.code); }
    const stats = pool.stats();
    say(stats.tasks.completed);
    await pool.ready();
    await pool.close();
    await hangs.destroy();
    say('closed');
  `,
  'cenote/piscina': `
    ${growAndRetire}
    const [one] = await pool.broadcastTask(1);
    say(one);
    say(pool.completed);
    const controller = new AbortController();
    const aborted = pool.run({ ms: 10000 }, { name: 'pause', signal: controller.signal });
    controller.abort();
    try { await aborted; } catch (error) { say(error.name); }
    const closing = new Pool({ filename: process.env.TASKS, maxThreads: 1, closeTimeout: 100 });
    closing.on('error', (error) => say(error.message));
    const long = closing.run({ ms: 100000 }, { name: 'pause' });
    const settled = (async () => { try { await long; } catch {} })();
    await closing.close();
    await settled;
    await pool.close();
    say('closed');
  `,
};

const expected = {
  cenote: ['ran', 'retired', 'ERR_CENOTE_BOOT_TIMEOUT', '10', 'closed'],
  'cenote/piscina': [
    'ran',
    'retired',
    '1',
    '11',
    'AbortError',
    'Close operation timed out',
    'closed',
  ],
};

const load = {
  cenote: `import { Pool } from 'cenote';`,
  'cenote/piscina': `import Pool from 'cenote/piscina';`,
};

for (const [entry, body] of Object.entries(bodies)) {
  for (const [what, poison] of Object.entries(poisons)) {
    test(`${entry}: ${what}`, watched, async () => {
      const { code, stdout, stderr } = await runProgram(
        `
        ${load[entry]}
        import { writeSync } from 'node:fs';
        import { setTimeout as after } from 'node:timers';
        const say = (text) => writeSync(1, text + '\\n');
        const RealPromise = Promise;
        const sleep = (ms) => new RealPromise((resolve) => after(resolve, ms));
        const hanging = new Int32Array(new SharedArrayBuffer(32));
        hanging[1] = 1;
        function poison() {
          ${poison}
        }
        process.on('uncaughtException', (error) => { say(error.stack); process.reallyExit(1); });
        ${body}
        process.reallyExit(0);
      `,
        {
          env: {
            HANGS: fixture('features/never-loads.mjs'),
            NODE_NO_WARNINGS: '1',
            BUNDLE: `${bundle}:`,
            OWNER_LINES: ownerLines,
          },
          limitMs: 15_000,
        },
      );
      assert.deepEqual(stdout.trim().split('\n'), expected[entry], stderr);
      assert.equal(code, 0, stderr);
    });
  }
}
