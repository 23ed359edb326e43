// Results wait for what their tasks printed. Whatever handlers do to the streams, they do not wait
// for ever, and what ends the worker meanwhile does not take them along.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fixture, runProgram, watched } from './support/behaviour.mjs';

// The portable waiter says by a warning on stderr that it is in use.
const env = { STREAMS: fixture('races/streams.cjs'), NODE_NO_WARNINGS: '1' };

/** Runs `body` with a `pool` of one thread, and ends the process. */
const program = (body, options = '') =>
  runProgram(
    `import { Pool } from 'cenote';
    const pool = new Pool({ filename: process.env.STREAMS, maxThreads: 1, ${options} });
    const lost = [];
    pool.on('workerLost', (error, code) => lost.push(error?.message ?? code));
    const run = (name, task = name) => pool.run(task, { name });
    const first = await run('threadId');
    ${body}
    console.log(JSON.stringify(said));
    process.exit(0);`,
    { env },
  );

for (const [name, answer, printed] of [
  ['capture', 'captured', ['capture']],
  ['replace', 'replaced', []],
  ['end', 'ended', []],
  ['destroy', 'destroyed', []],
  ['cork', 'corked', []],
]) {
  test(
    `a handler may ${name} the stream that it prints to: its result and the next arrive`,
    watched,
    async () => {
      const { code, stdout, stderr } = await program(
        `const said = [await run('${name}'), (await run('threadId')) === first, lost];`,
      );
      assert.deepEqual([code, stderr], [0, '']);
      const lines = stdout.trim().split('\n');
      assert.deepEqual(JSON.parse(lines.pop()), [answer, true, []]);
      // Of a stream that was ended, destroyed or corked there may be more or less.
      for (const line of printed) assert.ok(lines.includes(line), stdout);
    },
  );
}

test(
  'what a handler keeps for itself has nothing in it that it did not print',
  watched,
  async () => {
    const { code, stdout, stderr } = await program(
      `await run('capture');
    await run('print', 'kept');
    const said = await run('restore');`,
    );
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(JSON.parse(stdout.trim().split('\n').pop()), ['kept\n']);
  },
);

for (const name of ['printAndExit', 'printAndThrow']) {
  test(`a task that printed and ended is not lost with its worker: ${name}`, watched, async () => {
    const { code, stdout } = await program(
      `const said = await run('${name}').catch((error) => error.code);`,
    );
    assert.equal(code, 0);
    assert.ok(stdout.includes('"printed"'), stdout);
  });
}

test(
  'a task that printed and ended is not lost to the time limit of another',
  watched,
  async () => {
    // The other is posted behind the first, which blocks its thread, and never lets the loop turn.
    const { code, stdout, stderr } = await program(
      `const words = new Int32Array(new SharedArrayBuffer(16));
    const printing = pool.run({ words, label: 'first' }, { name: 'printWhenLet' }).catch((error) => error.code);
    while (Atomics.load(words, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const spinning = pool.run({ words }, { name: 'spin', timeout: 300 }).catch((error) => error.code);
    await new Promise((resolve) => setImmediate(resolve));
    Atomics.store(words, 1, 1);
    Atomics.notify(words, 1);
    const said = [await printing, await spinning];`,
      'concurrentTasksPerWorker: 2',
    );
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(JSON.parse(stdout.trim().split('\n').pop()), [
      'printed',
      'ERR_CENOTE_TIMEOUT',
    ]);
  },
);

test('results arrive though nobody takes the output any more', watched, async () => {
  // Far more than the streams on the way hold back.
  const source = `import { Pool } from 'cenote';
    process.stdout.on('error', () => {});
    const pool = new Pool({ filename: process.env.PRINTS, maxThreads: 1 });
    const codes = [];
    for (let i = 0; i < 10; i++) codes.push(await pool.run({
      label: 'a', lines: 1000, length: 100,
    }).catch(({ code }) => code));
    await pool.close();
    process.exitCode = codes.every((answer) => answer === 1000) ? 7 : 8;`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: {
      ...process.env,
      ...env,
      NODE_TEST_CONTEXT: undefined,
      PRINTS: fixture('features/prints.cjs'),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const timer = setTimeout(() => child.kill('SIGKILL'), 25_000);
  assert.deepEqual(await once(child, 'exit'), [7, null]);
  clearTimeout(timer);
});
