// An addon of napi-rs with cenote as its async runtime, in Node: its async functions, its blocking
// work, and the life of the environments it is loaded into.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { before, test as nodeTest } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { buildAddon, run } from './addon.mjs';

const require = createRequire(import.meta.url);

/** Far above what any of these tests needs. */
const kTestMs = 60_000;

let path;
let addon;

before(
  async () => {
    path = await buildAddon();
    addon = require(path);
  },
  // It may have to compile everything.
  { timeout: 600_000 },
);

/** A test that fails if it hangs. */
function test(name, body) {
  nodeTest(name, { timeout: kTestMs }, body);
}

/** Runs a program that has the addon as `addon` in a process of its own. */
function program(source) {
  const args = [
    '--input-type=commonjs',
    '--eval',
    `const addon = require(process.env.ADDON);\n${source}`,
  ];
  return run(process.execPath, args, { env: { ADDON: path }, limitMs: 30_000 });
}

/** The lines a program printed, if it ended well. */
async function linesOf(source) {
  const { code, signal, stdout, stderr } = await program(source);
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
  return stdout.trim().split('\n');
}

test('an async function resolves, on a worker of the pool that was configured', async () => {
  assert.equal(await addon.add(20, 22), 42);
  assert.match(await addon.nameOfWorker(), /^test-futures-[01]$/);
  // The promise is settled by the future, which ends a moment later.
  while (addon.completed() < 2) await setImmediate();
});

test('timers and sockets work in futures', async () => {
  const began = performance.now();
  assert.equal(await addon.sleep(30), 30);
  assert.ok(performance.now() - began >= 29);
  assert.equal(await addon.echo('there and back'), 'there and back');
});

test('errors and panics reject, and the worker lives', async () => {
  await assert.rejects(addon.fail(), { message: 'as it should' });
  for (let n = 0; n < 4; n++) await assert.rejects(addon.panic(), { message: /in the future/ });
  assert.equal(await addon.add(1, 2), 3);
});

test('thousands at once', async () => {
  const sums = await Promise.all(Array.from({ length: 5_000 }, (_, n) => addon.add(n, 1)));
  assert.deepEqual(
    sums,
    Array.from({ length: 5_000 }, (_, n) => n + 1),
  );
});

test('as many sleep at once as there are, on two threads', async () => {
  const began = performance.now();
  await Promise.all(Array.from({ length: 2_000 }, () => addon.sleep(200)));
  // One after the other, or by the default places of a worker, it would take far longer.
  assert.ok(performance.now() - began < 10_000);
});

test('blocking work runs elsewhere, grows, and holds no timer up', async () => {
  let blocked = true;
  const blocking = Promise.all(Array.from({ length: 4 }, () => addon.block(1_000))).finally(
    () => (blocked = false),
  );
  for (let n = 0; n < 5; n++) {
    await addon.sleep(10);
    assert.ok(blocked, 'the timers waited for the blocking work');
  }
  const names = await blocking;
  assert.equal(new Set(names).size, 4);
  for (const name of names) assert.match(name, /^test-blocking-[0-3]$/);
});

test('a shutdown rejects what is pending, waits for what runs, and the next call starts it anew', async () => {
  const lines = await linesOf(`
    (async () => {
      const hanging = addon.hang().then(() => 'resolved', (error) => error.message);
      const running = addon.blockUntilStopped().then(() => 'resolved', () => 'rejected');
      await addon.sleep(20);
      addon.shutDown();
      console.log(addon.isRunning(), addon.dropped());
      console.log(await hanging);
      console.log(await running);
      console.log(await addon.add(1, 1), addon.isRunning());
      addon.shutDown();
      addon.shutDown();
      addon.start();
      console.log(addon.isRunning(), await addon.sleep(5));
    })();
  `);
  assert.deepEqual(lines, [
    'false 1',
    'task was cancelled before completion',
    'rejected',
    '2 true',
    'true 5',
  ]);
});

test('a process with nothing pending ends by itself; one with a promise pending waits for it', async () => {
  assert.deepEqual(await linesOf(`addon.add(1, 1).then(console.log);`), ['2']);
  assert.deepEqual(await linesOf(`addon.sleep(200).then(console.log);`), ['200']);
  assert.deepEqual(await linesOf(`console.log('loaded');`), ['loaded']);
});

test('a process that exits with work under way ends in order', async () => {
  const lines = await linesOf(`
    addon.hang();
    addon.blockUntilStopped();
    for (let n = 0; n < 100; n++) addon.sleep(60_000);
    addon.sleep(20).then(() => {
      console.log('exits');
      process.exit(0);
    });
  `);
  assert.deepEqual(lines, ['exits']);
});

const inWorker = `
  const { parentPort, workerData } = require('node:worker_threads');
  const addon = require(workerData);
  addon.hang().catch(() => {});
  addon.sleep(5).then(async () => parentPort.postMessage(await addon.add(40, 2)));
`;

test('worker threads share the pool; one that is terminated takes nothing from the others', async () => {
  for (let round = 0; round < 5; round++) {
    const workers = Array.from(
      { length: 3 },
      () => new Worker(inWorker, { eval: true, workerData: path }),
    );
    const answers = workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    );
    assert.deepEqual(await Promise.all(answers), [42, 42, 42]);
    await Promise.all(workers.map((worker) => worker.terminate()));
    assert.equal(await addon.add(1, 1), 2);
  }
});

test('an addon that only worker threads load starts and stops with them', async () => {
  const source = `
    const { Worker } = require('node:worker_threads');
    const source = ${JSON.stringify(inWorker)};
    (async () => {
      for (let round = 0; round < 10; round++) {
        const worker = new Worker(source, { eval: true, workerData: process.env.ADDON });
        const answer = await new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
        console.log(answer);
        await worker.terminate();
      }
    })();
  `;
  const args = ['--input-type=commonjs', '--eval', source];
  const { code, signal, stdout, stderr } = await run(process.execPath, args, {
    env: { ADDON: path },
    limitMs: 30_000,
  });
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
  assert.equal(stdout, '42\n'.repeat(10));
});
