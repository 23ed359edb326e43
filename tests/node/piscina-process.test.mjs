// What a pool means for its process: an idle one does not keep it, one with tasks does, and what
// tasks print arrives.
//
// With Piscina 5.3.2 these tests pass too.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { file, specifier } from './fixtures/piscina/implementation.mjs';
import { runProgram, watched } from './support/behaviour.mjs';

// A pool that waits portably says so in a warning.
const env = { NODE_NO_WARNINGS: '1', LOGS: file('logs.cjs'), PISCINA_TASKS: file('tasks.cjs') };
const start = `import Piscina from '${specifier}';
  const filename = process.env.LOGS;
  process.on('beforeExit', () => console.log('the end'));`;

async function program(source) {
  const { code, signal, stdout, stderr } = await runProgram(`${start}\n${source}`, { env });
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' });
  return stdout.split('\n').slice(0, -1);
}

for (const options of [
  {},
  { minThreads: 2, maxThreads: 2 },
  { minThreads: 0 },
  { minThreads: 1, idleTimeout: 60_000 },
]) {
  test(
    `an idle pool that nobody destroys lets the process end: ${JSON.stringify(options)}`,
    watched,
    async () => {
      const make = `const pool = new Piscina({ filename, name: 'hold', ...${JSON.stringify(options)} });`;
      assert.deepEqual(await program(make), ['the end']);
      assert.deepEqual(await program(`${make} console.log(await pool.run());`), [
        'held',
        'the end',
      ]);
      assert.deepEqual(
        await program(
          `${make} console.log(await Promise.all([pool.run(), pool.run(), pool.run()]));`,
        ),
        ["[ 'held', 'held', 'held' ]", 'the end'],
      );
    },
  );
}

for (const atomics of ['sync', 'async', 'disabled']) {
  test(
    `a process goes on until its tasks have settled, awaited or not: atomics '${atomics}'`,
    watched,
    async () => {
      assert.deepEqual(
        await program(`
        const pool = new Piscina({
          filename, name: 'hold', minThreads: 1, maxThreads: 1, stricterFIFO: true,
          atomics: '${atomics}',
        });
        for (const n of [1, 2, 3]) pool.run().then((value) => console.log(n, value));
        console.log('started');`),
        ['started', '1 held', '2 held', '3 held', 'the end'],
      );
    },
  );
}

// With 'async' and 'disabled' Piscina makes no promise about output.
test('what the last task prints arrives before the process ends', watched, async () => {
  const lines = Array.from({ length: 50 }, (_, i) => `line ${i} ${'-'.repeat(200)}`);
  assert.deepEqual(
    await program(`
      const pool = new Piscina({ filename, name: 'log', minThreads: 1, maxThreads: 1 });
      console.log(await pool.run(${JSON.stringify(lines)}));`),
    // The order of the two is that in which this process writes them.
    [...lines, 'logged', 'the end'],
  );
});

test(
  'the same for what it prints to stderr, and when nobody awaits the task',
  watched,
  async () => {
    const { code, stdout, stderr } = await runProgram(
      `${start}
     const pool = new Piscina({
       filename, name: 'error', minThreads: 1, maxThreads: 1, stricterFIFO: true,
     });
     for (const line of ['a', 'b', 'c']) pool.run([line, line]);`,
      { env },
    );
    assert.equal(code, 0);
    assert.equal(stderr, 'a\na\nb\nb\nc\nc\n');
    assert.equal(stdout, 'the end\n');
  },
);

test('close() and destroy() keep the process until they resolve', watched, async () => {
  assert.deepEqual(
    await program(`
      const make = () => new Piscina({ filename, name: 'hold', minThreads: 1, maxThreads: 1 });
      const [first, second] = [make(), make()];
      first.run().then(console.log);
      second.run().catch((error) => console.log(error.message));
      await second.destroy();
      console.log('destroyed');
      await first.close();
      console.log('closed');`),
    ['Terminating worker thread', 'destroyed', 'held', 'closed', 'the end'],
  );
});

test('process.exit() in the middle of tasks ends the process with its code', watched, async () => {
  const { code, stdout } = await runProgram(
    `${start}
     const pool = new Piscina({
       filename: process.env.PISCINA_TASKS, minThreads: 2, maxThreads: 2,
     });
     const words = new Int32Array(new SharedArrayBuffer(8));
     for (let i = 0; i < 4; i++) pool.run({ words }, { name: 'spinForever' });
     while (words[0] < 2) await new Promise((resolve) => setTimeout(resolve, 1));
     process.exit(7);`,
    { env },
  );
  assert.deepEqual([code, stdout], [7, '']);
});

test(
  'an uncaught exception of an idle worker that nobody listens for ends the process',
  watched,
  async () => {
    const { code, stderr } = await runProgram(
      `${start}
     const pool = new Piscina({
       filename: process.env.PISCINA_TASKS, minThreads: 1, maxThreads: 1, atomics: 'disabled',
     });
     await pool.run('from the idle worker', { name: 'throwAfterwards' });
     setInterval(() => {}, 1_000);`,
      { env },
    );
    assert.equal(code, 1);
    assert.match(stderr, /from the idle worker/);
  },
);

test(
  'the error event of an idle worker names what it threw, and the pool goes on',
  watched,
  async () => {
    assert.deepEqual(
      await program(`
      const pool = new Piscina({
        filename: process.env.PISCINA_TASKS, minThreads: 1, maxThreads: 1, atomics: 'disabled',
      });
      const heard = new Promise((resolve) => pool.once('error', resolve));
      await pool.run('from the idle worker', { name: 'throwAfterwards' });
      const keep = setInterval(() => {}, 1_000);
      const error = await heard;
      clearInterval(keep);
      console.log(error.name, error.message);
      console.log(await pool.run('next'));`),
      ['RangeError from the idle worker', 'next', 'the end'],
    );
  },
);
