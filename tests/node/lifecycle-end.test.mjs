// How a process, or a thread, that owns pools ends: by itself, at once, or in the middle of
// everything.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createRequire } from 'node:module';
import { Pool } from 'cenote';
import { fixture, runProgram, until, watched } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const { measure, settlesAt } = require('./fixtures/chaos/measure.cjs');
const tasks = JSON.stringify(fixture('chaos/tasks.cjs'));

/** A program with a pool of two threads, named `pool`. */
const withPool = (body) => `
  import { Pool } from 'cenote';
  const pool = new Pool({ filename: ${tasks}, name: 'echo', minThreads: 2, maxThreads: 2 });
  ${body}
`;

test('a process with idle pools ends by itself', watched, async () => {
  for (const body of [
    '',
    'await pool.run(1);',
    `await pool.run({ ms: 5 }, { name: 'busy' }); setTimeout(() => {}, 50);`,
  ]) {
    const { code, stdout, stderr } = await runProgram(withPool(`${body} console.log('over');`));
    assert.equal(stdout, 'over\n', stderr);
    assert.equal(code, 0, stderr);
  }
});

test('a process does not end before its tasks have settled', watched, async () => {
  const { code, stdout } = await runProgram(
    withPool(`
      pool.run({ ms: 100 }, { name: 'busy' }).then(async () => {
        for (let i = 0; i < 20; i++) await pool.run(i);
        console.log('settled');
      });
    `),
  );
  assert.equal(stdout, 'settled\n');
  assert.equal(code, 0);
});

test('process.exit() in the middle of tasks ends the process with its code', watched, async () => {
  for (const when of [
    'setTimeout(exit, 20)',
    'setImmediate(exit)',
    'pool.run(1).then(exit)',
    'exit()',
  ]) {
    const { code, signal, stderr } = await runProgram(
      withPool(`
        const exit = () => process.exit(9);
        const loop = async () => { for (;;) await pool.run({ ms: 0.05 }, { name: 'busy' }); };
        for (let i = 0; i < 16; i++) void loop();
        ${when};
      `),
    );
    assert.deepEqual({ code, signal }, { code: 9, signal: null }, `${when}: ${stderr}`);
  }
});

test(
  'an exception in a continuation of run() is an unhandled rejection like any other',
  watched,
  async () => {
    const { code, stderr } = await runProgram(
      withPool(`pool.run(1).then(() => { throw new Error('in a continuation'); });`),
    );
    assert.equal(code, 1);
    assert.match(stderr, /in a continuation/);
    const heard = await runProgram(
      withPool(`
      process.on('unhandledRejection', (error) => console.log('unhandled', error.message));
      process.on('uncaughtException', (error) => console.log('uncaught', error.message));
      for (let i = 0; i < 3; i++) pool.run(i).then(() => { throw new Error('continuation ' + i); });
      for (let i = 0; i < 3; i++)
          pool.run(i).then(() => queueMicrotask(() => { throw new Error('microtask ' + i); }));
      for (let i = 0; i < 3; i++)
          pool.run(i).then(() => process.nextTick(() => { throw new Error('tick ' + i); }));
      for (let i = 0; i < 100; i++) await pool.run(i);
      await pool.close();
      console.log('closed');
    `),
    );
    const lines = heard.stdout.trim().split('\n');
    assert.equal(lines.pop(), 'closed', heard.stderr);
    assert.deepEqual(
      lines.sort(),
      [0, 1, 2]
        .flatMap((i) => [
          `unhandled continuation ${i}`,
          `uncaught microtask ${i}`,
          `uncaught tick ${i}`,
        ])
        .sort(),
    );
    assert.equal(heard.code, 0);
  },
);

test('a task that makes a pool of its own runs its tasks', watched, async (t) => {
  const pool = new Pool({
    filename: fixture('chaos/worker-with-pool.cjs'),
    minThreads: 2,
    maxThreads: 2,
  });
  t.after(() => pool.destroy());
  const sums = await Promise.all(Array.from({ length: 6 }, () => pool.run({ count: 50 })));
  assert.deepEqual(sums, new Array(6).fill((50 * 49) / 2));
  await pool.close();
});

test('process.exit() of a thread that owns a busy pool ends its threads too', watched, async () => {
  const before = measure();
  const worker = new Worker(
    `
    const { Pool } = require('cenote');
    const pool = new Pool({ filename: ${tasks}, minThreads: 2, maxThreads: 2 });
    const loop = async () => { for (;;) await pool.run({ ms: 0.05 }, { name: 'busy' }); };
    for (let i = 0; i < 8; i++) void loop();
    pool.run(1, { name: 'echo' }).then(() => setTimeout(() => process.exit(4), 20));
  `,
    { eval: true },
  );
  const [code] = await once(worker, 'exit');
  assert.equal(code, 4);
  assert.equal(await settlesAt(before), 'as before');
});

test('a thread with an idle pool ends by itself', watched, async () => {
  const worker = new Worker(
    `
    const { Pool } = require('cenote');
    const pool = new Pool({ filename: ${tasks}, name: 'echo', minThreads: 1, maxThreads: 1 });
    pool.run(1).then(() => {});
  `,
    { eval: true },
  );
  let code;
  worker.on('exit', (exitCode) => (code = exitCode));
  await until('the thread ends', () => code !== undefined);
  assert.equal(code, 0);
});
