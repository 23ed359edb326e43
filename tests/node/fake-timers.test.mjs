// Under the fake clocks of @sinonjs/fake-timers (which Jest and Vitest use) and of `node:test`, on
// either side, tasks run, pools begin and end, and time limits count real time.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Pool } from 'cenote';
import Piscina from 'cenote/piscina';
import { fixture, runProgram, sharedWords, until, watched } from './support/behaviour.mjs';

/** What is faked, for @sinonjs/fake-timers; null is all that it knows. */
const fakes = {
  setTimeout: ['setTimeout', 'clearTimeout'],
  setInterval: ['setInterval', 'clearInterval'],
  setImmediate: ['setImmediate', 'clearImmediate'],
  Date: ['Date'],
  performance: ['performance'],
  hrtime: ['hrtime'],
  nextTick: ['nextTick'],
  queueMicrotask: ['queueMicrotask'],
  "Vitest's set": [
    'setTimeout',
    'clearTimeout',
    'setInterval',
    'clearInterval',
    'setImmediate',
    'clearImmediate',
    'Date',
    'performance',
  ],
  everything: null,
  "what node:test's mock.timers fakes": 'node:test',
};

/** Sets up both entries; `Any` is the pool's class. Times are real, whatever is faked. */
const prologue = (entry) => `
  import { writeSync } from 'node:fs';
  import { createRequire } from 'node:module';
  import { mock } from 'node:test';
  import { setTimeout as after } from 'node:timers';
  ${entry === 'cenote' ? `import { Pool as Any } from 'cenote';` : `import Any from 'cenote/piscina';`}
  const require = createRequire(process.cwd() + '/');
  const { install } = require('@sinonjs/fake-timers');
  const say = (text) => writeSync(1, text + '\\n');
  const sleep = (ms) => new Promise((resolve) => after(resolve, ms));
  const toFake = JSON.parse(process.env.FAKE);
  let clock;
  function fake() {
    if (toFake === 'node:test') mock.timers.enable();
    else clock = install(toFake === null ? {} : { toFake });
  }
  const advance = (ms) => (clock ? clock.tick(ms) : mock.timers.tick(ms));
  const real = () => (clock ? clock.uninstall() : mock.timers.reset());
  const defaults = { filename: process.env.TASKS, minThreads: 1, maxThreads: 2 };
  const make = (options) => new Any({ ...defaults, ...options });
  async function code(promise) {
    try {
      return await promise;
    } catch ({ name, code, cause }) {
      return name === 'AbortError' ? name : (cause?.code ?? code);
    }
  }
  async function all(pool, count, task, options) {
    const runs = [];
    for (let n = 0; n < count; n++) runs.push(pool.run(task, options));
    return (await Promise.all(runs)).length;
  }
  async function retired(pool) {
    for (let n = 0; pool.threads.length > 1; n++) {
      if (n > 1000) throw new Error('no thread retired');
      await sleep(10);
    }
  }
`;

const body = `
  const before = make({ idleTimeout: 50 });
  await before.run(1);
  await sleep(20);
  fake();
  // An idle pool, a burst, and threads made meanwhile that then retire.
  say(await before.run(2));
  say(await all(before, 200, 3));
  say(await all(before, 10, { ms: 20 }, { name: 'pause' }));
  await retired(before);
  say('retired');
  const under = make();
  say(await under.run(4));
  const controller = new AbortController();
  const aborted = under.run({ ms: 1e6 }, { name: 'pause', signal: controller.signal });
  await under.run(5);
  controller.abort();
  say(await code(aborted));
  await under.close();
  const dropped = make();
  const left = code(dropped.run({ ms: 1e6 }, { name: 'pause' }));
  await dropped.destroy();
  await left;
  say('ended under it');
`;

/** Time limits, which only 'cenote' has: each ends its task, and no fake clock does. */
const limits = `
  const pool = make({ maxThreads: 1, timeout: 100, abortGrace: 100 });
  say(await code(pool.run({ ms: 1e6 }, { name: 'pause' })));
  const words = new Int32Array(new SharedArrayBuffer(8));
  const blocks = pool.run({ words }, { name: 'block', timeout: 60000 });
  say(await code(pool.run(1, { queueTimeout: 100 })));
  const waits = pool.run(7, { queueTimeout: 60000 });
  advance(120000);
  await sleep(20);
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  say(typeof (await blocks));
  say(await waits);
  // A handler that does not heed its signal costs its thread when the grace is over.
  const first = await pool.run(0, { name: 'threadId' });
  say(await code(pool.run({ ms: 1e6 }, { name: 'pause' })));
  say((await pool.run(0, { name: 'threadId', timeout: 60000 })) !== first);
  await pool.destroy();
  const hanging = new Int32Array(new SharedArrayBuffer(32));
  hanging[1] = 1;
  const hangs = make({
    filename: process.env.HANGS,
    workerData: { words: hanging },
    maxThreads: 1,
    bootTimeout: 200,
  });
  say(await code(hangs.run(0)));
  await hangs.destroy();
`;

const epilogue = `
  real();
  say(await before.run(8));
  const later = make();
  say(await all(later, 10, { ms: 5 }, { name: 'pause' }));
  await before.close();
  await later.close();
  say('closed');
  process.exit();
`;

const expectedBody = ['2', '200', '10', 'retired', '4', 'AbortError', 'ended under it'];
const expectedLimits = [
  'ERR_CENOTE_TIMEOUT',
  'ERR_CENOTE_QUEUE_TIMEOUT',
  'number',
  '7',
  'ERR_CENOTE_TIMEOUT',
  'true',
  'ERR_CENOTE_BOOT_TIMEOUT',
];
const expectedEpilogue = ['8', '10', 'closed'];

async function says(lines, source, toFake) {
  const { code, stdout, stderr } = await runProgram(source, {
    env: {
      FAKE: JSON.stringify(toFake),
      HANGS: fixture('features/never-loads.mjs'),
      NODE_NO_WARNINGS: '1',
    },
    limitMs: 20_000,
  });
  assert.deepEqual(stdout.trim().split('\n'), lines, stderr);
  assert.equal(code, 0, stderr);
}

for (const entry of ['cenote', 'cenote/piscina']) {
  const own = entry === 'cenote';
  for (const [what, toFake] of Object.entries(fakes)) {
    test(`${entry}: a pool's own thread fakes ${what}`, watched, async () => {
      const lines = [...expectedBody];
      if (own) lines.push(...expectedLimits);
      lines.push(...expectedEpilogue);
      await says(lines, prologue(entry) + body + (own ? limits : '') + epilogue, toFake);
    });
  }
}

test('limits count real time if a fake clock was there before the package', watched, async () => {
  const source = `
    import { createRequire } from 'node:module';
    const require = createRequire(process.cwd() + '/');
    require('@sinonjs/fake-timers').install({ toFake: JSON.parse(process.env.FAKE) });
    const { Pool } = require('cenote');
    const pool = new Pool({ filename: process.env.TASKS, maxThreads: 1 });
    console.log(await pool.run(1, { timeout: 60000 }));
    console.log(await pool.run({ ms: 1e6 }, { name: 'pause', timeout: 100 }).catch(({ code }) => code));
    await pool.close();
    console.log('closed');
    process.exit();
  `;
  const clocks = ['Date', 'performance', 'hrtime', 'nextTick', 'queueMicrotask'];
  await says(['1', 'ERR_CENOTE_TIMEOUT', 'closed'], source, clocks);
});

const makers = {
  cenote: (options) => new Pool(options),
  'cenote/piscina': (options) => new Piscina(options),
};

for (const [entry, make] of Object.entries(makers)) {
  for (const [what, toFake] of Object.entries(fakes)) {
    test(`${entry}: a worker fakes ${what}, for good`, watched, async (t) => {
      const own = entry === 'cenote';
      const options = {
        filename: fixture('clocks/tasks.cjs'),
        minThreads: 1,
        maxThreads: 1,
        ...(own ? { abortGrace: Infinity } : {}),
      };
      const pool = make(options);
      t.after(() => pool.destroy());
      const thread = await pool.run(0, { name: 'threadId' });
      await pool.run(toFake, { name: 'fake' });
      assert.equal(await pool.run(1, own ? { timeout: 20_000 } : {}), 1);
      assert.equal(await pool.run(2, { name: 'promise' }), 2);
      assert.equal(await pool.run(20, { name: 'pause' }), 20);
      // Longer than the pool's thread spins: the worker sleeps, and is rung.
      await new Promise((resolve) => setTimeout(resolve, 20));
      const many = Array.from({ length: 300 }, (_, n) =>
        pool.run(n, n % 2 ? { name: 'promise' } : {}),
      );
      assert.deepEqual(
        await Promise.all(many),
        Array.from({ length: 300 }, (_, n) => n),
      );
      if (own) {
        const words = sharedWords();
        const limited = pool.run(words, { name: 'untilAborted', timeout: 100 });
        await assert.rejects(limited, { code: 'ERR_CENOTE_TIMEOUT' });
        await until('the handler heard of its time-out', () => Atomics.load(words, 0) === 1);
        const running = pool.run(50, { name: 'pause', timeout: 20_000 });
        assert.equal(await running, 50);
        await pool.run(1e7, { name: 'advance' });
      }
      assert.equal(await pool.run(0, { name: 'threadId' }), thread);
      const controller = new AbortController();
      const aborted = pool.run(0, {
        name: own ? 'untilAborted' : 'never',
        signal: controller.signal,
      });
      aborted.catch(() => {});
      controller.abort();
      await assert.rejects(aborted, { name: 'AbortError' });
      assert.equal(await pool.run(3), 3);
      await pool.close();
    });
  }
}
