// What a task writes to its worker's stdout and stderr is delivered before its result is: a program
// that ends with the result loses none of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture, runProgram, watched } from './support/behaviour.mjs';

// The portable waiter says by a warning on stderr that it is in use.
const env = { PRINTS: fixture('features/prints.cjs'), NODE_NO_WARNINGS: '1' };
const lines = (label, count, tail = '') =>
  Array.from({ length: count }, (_, n) => `${label} ${n}${tail}\n`).join('');

/** Runs `body` with a `pool`, and ends it as `end` says. */
const program = (body, { options = '', end = '' } = {}) =>
  runProgram(
    `import { Pool } from 'cenote';
    const pool = new Pool({ filename: process.env.PRINTS, maxThreads: 1, ${options} });
    // Referenced, so that no collection of the pool ends the program.
    globalThis.pool = pool;
    ${body}
    ${end}`,
    { env },
  );

const ends = {
  'that ends by itself': '',
  'that calls process.exit()': 'process.exit(0);',
  'that closes the pool': 'await pool.close();',
  'that destroys the pool': 'await pool.destroy();',
  'that destroys the pool and exits': 'void pool.destroy(); process.exit(0);',
};

for (const [what, end] of Object.entries(ends)) {
  test(`all that a task printed is there, in a program ${what}`, watched, async () => {
    const { code, stdout, stderr } = await program(`await pool.run({ label: 'a', lines: 100 });`, {
      end,
    });
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(stdout, lines('a', 100));
  });
}

for (const stream of ['stdout', 'stderr']) {
  test(
    `a megabyte of ${stream} is there in a program that ends with the result`,
    watched,
    async () => {
      const result = await program(
        `await pool.run({ label: 'a', lines: 1_000, length: 1_000, stream: '${stream}' });`,
      );
      assert.equal(result.code, 0);
      assert.equal(result[stream].length, lines('a', 1_000, '.'.repeat(1_000)).length);
      assert.equal(result[stream], lines('a', 1_000, '.'.repeat(1_000)));
    },
  );

  test(`the first lines of a fresh thread are there: ${stream}`, watched, async () => {
    const result = await program(`await pool.run({ label: 'a', lines: 1, stream: '${stream}' });`, {
      options: 'minThreads: 0',
      end: 'process.exit(0);',
    });
    assert.deepEqual([result.code, result[stream]], [0, 'a 0\n']);
  });
}

test('what was printed before an error is there when the error is', watched, async () => {
  const { code, stdout } = await program(
    `await pool.run({ label: 'a', lines: 50, fail: true }).catch((error) => {
      console.log(error.message);
      process.exit(3);
    });`,
  );
  assert.equal(code, 3);
  assert.equal(stdout, `${lines('a', 50)}after the output\n`);
});

test(
  'output comes before its result, not after: what the caller prints is behind it',
  watched,
  async () => {
    const { code, stdout } = await program(
      `await pool.ready();
    for (let n = 0; n < 20; n++) {
      await pool.run({ label: String(n), lines: 3 });
      console.log('caller ' + n);
    }
    process.exit(0);`,
    );
    assert.equal(code, 0);
    assert.equal(
      stdout,
      Array.from({ length: 20 }, (_, n) => `${lines(n, 3)}caller ${n}\n`).join(''),
    );
  },
);

test('the output of an asynchronous task, and an unfinished line, are there', watched, async () => {
  const { code, stdout } = await program(
    `await pool.run({ label: 'a', lines: 20 }, { name: 'inTurns' });`,
    {
      end: 'process.exit(0);',
    },
  );
  assert.deepEqual([code, stdout], [0, `${lines('a', 20)}a end`]);
});

test(
  'the output of many tasks on several workers is there, that of each in order',
  watched,
  async () => {
    const { code, stdout } = await program(
      `const runs = Array.from({ length: 40 }, (_, n) => pool.run({ label: 'task' + n, lines: 25 }));
    await Promise.all(runs);`,
      { options: 'maxThreads: 2', end: 'process.exit(0);' },
    );
    assert.equal(code, 0);
    const printed = stdout.split('\n').filter((line) => line !== '');
    assert.equal(printed.length, 1_000);
    for (let n = 0; n < 40; n++) {
      const own = printed.filter((line) => line.startsWith(`task${n} `));
      assert.equal(own.map((line) => `${line}\n`).join(''), lines(`task${n}`, 25));
    }
  },
);
