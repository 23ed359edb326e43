// Which module and export handles a task: every form that a handler may have, and what is said
// where there is none.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Pool } from 'cenote';
import {
  fixture,
  nodeVersion,
  poolFor,
  readyWorkers,
  runProgram,
  sharedWords,
  watched,
  until,
} from './support/behaviour.mjs';

const handlers = (name) => fixture(`handlers/${name}`);

const forms = [
  ['function.cjs', undefined, 'cjs function'],
  ['named.cjs', 'first', 'cjs first'],
  ['named.cjs', 'second', 'cjs second'],
  ['promise.cjs', undefined, 'cjs promise'],
  ['promise.cjs', 'named', 'cjs named promise'],
  ['compiled.cjs', undefined, 'compiled default'],
  ['compiled.cjs', 'named', 'compiled named'],
  ['module.mjs', undefined, 'esm default'],
  ['module.mjs', 'named', 'esm named'],
  ['module.mjs', 'promised', 'esm promise'],
];

// Node strips types by itself from these versions on.
if (nodeVersion >= 22.018 && !(nodeVersion >= 23 && nodeVersion < 23.006)) {
  forms.push(
    ['typed.mts', undefined, 'mts default'],
    ['typed.mts', 'named', 'mts'],
    ['typed.ts', undefined, 'ts'],
  );
}

for (const [file, name, label] of forms) {
  test(`a handler may be in ${file}, ${name ?? 'the default'}`, watched, async (t) => {
    const pool = new Pool({
      filename: handlers(file),
      ...(name === undefined ? {} : { name }),
      maxThreads: 1,
    });
    t.after(() => pool.destroy());
    assert.deepEqual(await pool.run(1), [label, 1]);
    // And as the choice of one call.
    const other = poolFor(t, { maxThreads: 1 });
    assert.deepEqual(await other.run(2, { filename: handlers(file), name: name ?? 'default' }), [
      label,
      2,
    ]);
    assert.equal(await other.run(3), 3);
  });
}

test('a file may be a path, a relative path, a file: string or a URL', watched, async (t) => {
  const path = handlers('function.cjs');
  const url = pathToFileURL(path);
  for (const filename of [
    path,
    relative(process.cwd(), path),
    `./${relative(process.cwd(), path)}`,
    url.href,
    url,
  ]) {
    const pool = new Pool({ filename, maxThreads: 1 });
    t.after(() => pool.destroy());
    assert.deepEqual(await pool.run(1), ['cjs function', 1]);
    assert.equal(pool.options.filename, url.href);
    assert.deepEqual(await poolFor(t, { maxThreads: 1 }).run(2, { filename }), ['cjs function', 2]);
  }
});

test('a path may have spaces, #, ?, % and letters of any alphabet in it', watched, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cenote with space '));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of [
    'a b.cjs',
    'a#b.cjs',
    'a%20b.cjs',
    'a?b=c.cjs',
    '100%.cjs',
    'héllo-źdźbło-池.cjs',
  ]) {
    const filename = join(folder, name);
    copyFileSync(handlers('function.cjs'), filename);
    const pool = new Pool({ filename, maxThreads: 1 });
    t.after(() => pool.destroy());
    assert.deepEqual(await pool.run(name), ['cjs function', name]);
  }
});

test('one call may name another file, another export, or both', watched, async (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  assert.deepEqual(await pool.run(1, { filename: handlers('named.cjs'), name: 'first' }), [
    'cjs first',
    1,
  ]);
  assert.equal((await pool.run(2, { name: 'inspect' })).type, 'number');
  assert.deepEqual(await pool.run(3, { filename: handlers('function.cjs') }), ['cjs function', 3]);
  const nameless = new Pool({ name: 'second', maxThreads: 1 });
  t.after(() => nameless.destroy());
  assert.deepEqual(await nameless.run(4, { filename: handlers('named.cjs') }), ['cjs second', 4]);
});

test('tasks of different handlers in one tick each get theirs', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const choices = forms.map(([file, name, label]) => [
    { filename: handlers(file), name: name ?? 'default' },
    label,
  ]);
  for (let round = 0; round < 3; round++) {
    const results = await Promise.all(choices.map(([options], n) => pool.run(n, options)));
    assert.deepEqual(
      results,
      choices.map(([, label], n) => [label, n]),
    );
  }
});

test('a call without any file rejects', watched, async (t) => {
  const pool = new Pool({ maxThreads: 1 });
  t.after(() => pool.destroy());
  const expected = { name: 'CenoteError', code: 'ERR_CENOTE_NO_FILENAME', message: /filename/ };
  await assert.rejects(pool.run(1), expected);
  await assert.rejects(pool.run(1, { name: 'x' }), expected);
  assert.deepEqual(await pool.run(2, { filename: handlers('function.cjs') }), ['cjs function', 2]);
});

test(
  'a file that does not exist rejects its tasks and is named; the worker lives',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const threadId = await pool.run(0, { name: 'threadId' });
    const filename = handlers('not there.cjs');
    const settled = await Promise.allSettled([
      pool.run(1, { filename }),
      pool.run(2),
      pool.run(3, { filename }),
    ]);
    assert.equal(settled[1].value, 2);
    for (const { reason } of [settled[0], settled[2]])
      assert.match(reason.message, /not there\.cjs/);
    assert.equal(await pool.run(0, { name: 'threadId' }), threadId);
  },
);

test('a pool whose own file does not exist rejects every task with that', watched, async (t) => {
  const pool = new Pool({ filename: handlers('missing.mjs'), minThreads: 1, maxThreads: 1 });
  t.after(() => pool.destroy());
  const settled = await Promise.allSettled(Array.from({ length: 5 }, (_, n) => pool.run(n)));
  for (const { reason } of settled) assert.match(reason?.message, /missing\.mjs/);
  // No thread of it serves, whatever the task.
  await assert.rejects(pool.run('x', { filename: fixture('tasks.cjs') }), /missing\.mjs/);
});

for (const file of ['throws.cjs', 'throws.mjs']) {
  test(
    `a module that throws is evaluated once a worker and rejects every task with that: ${file}`,
    watched,
    async (t) => {
      const workerData = sharedWords();
      const pool = new Pool({ filename: handlers(file), workerData, minThreads: 2, maxThreads: 2 });
      t.after(() => pool.destroy());
      const expected = { name: 'RangeError', message: 'this module cannot be' };
      // As the first tasks of the pool, and again later, by each name.
      for (const { reason } of await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) => pool.run(n)),
      )) {
        assert.equal(reason?.message, expected.message);
      }
      for (const name of ['default', 'other', 'another'])
        await assert.rejects(pool.run(0, { name }), expected);
      for (const { reason } of await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) => pool.run(n)),
      )) {
        assert.equal(reason?.message, expected.message);
      }
      assert.equal(pool.stats().tasks.failed, 43);
      await until('no thread stays', () => pool.threads.length === 0);
      assert.ok(workerData[0] >= 3 && workerData[0] <= 8, `evaluated ${workerData[0]} times`);
    },
  );
}

test(
  'a module is evaluated once a worker, however many of its exports are used',
  watched,
  async (t) => {
    const workerData = sharedWords();
    const filename = handlers('counted.mjs');
    const pool = new Pool({ filename, workerData, minThreads: 2, maxThreads: 2 });
    t.after(() => pool.destroy());
    await readyWorkers(pool, 2);
    await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        pool.run(n, { name: n % 2 === 0 ? 'other' : 'default', filename }),
      ),
    );
    assert.equal(workerData[0], 2);
  },
);

test('a module with a syntax error rejects its tasks with the SyntaxError', watched, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ['broken.mjs', 'broken.cjs']) {
    const filename = join(folder, name);
    writeFileSync(filename, 'const = ;');
    const pool = poolFor(t, { maxThreads: 1 });
    await assert.rejects(pool.run(0, { filename }), { name: 'SyntaxError' });
    assert.equal(await pool.run('fine'), 'fine');
  }
});

const notFound = (...parts) => ({
  name: 'CenoteError',
  code: 'ERR_CENOTE_HANDLER_NOT_FOUND',
  message: new RegExp(parts.map((part) => part.replace(/[.\\]/g, '\\$&')).join('.*')),
});

test('an export that is missing is named, with its file and what there is', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const file = handlers('named.cjs');
  await assert.rejects(
    pool.run(0, { filename: file, name: 'third' }),
    notFound(file, '"third"', 'first', 'second'),
  );
  await assert.rejects(
    pool.run(0, { filename: file }),
    notFound('"default"', file, 'first', 'second'),
  );
  const esm = handlers('module.mjs');
  await assert.rejects(pool.run(0, { filename: esm, name: 'nothing' }), notFound(esm, '"nothing"'));
  assert.equal(await pool.run('fine'), 'fine');
});

test('what every function or object inherits is no export', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  for (const name of ['call', 'constructor', 'toString', 'hasOwnProperty', '__proto__', 'length']) {
    await assert.rejects(pool.run('return 1', { name }), { code: 'ERR_CENOTE_HANDLER_NOT_FOUND' });
  }
});

test('an export that is no function says so', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const filename = handlers('module.mjs');
  await assert.rejects(
    pool.run(0, { filename, name: 'number' }),
    notFound('"number"', filename, 'not a function'),
  );
  await assert.rejects(
    pool.run(0, { filename, name: 'promisedNumber' }),
    notFound('"promisedNumber"', 'not a function'),
  );
  await assert.rejects(
    pool.run(0, { name: 'notAFunction' }),
    notFound('"notAFunction"', 'not a function'),
  );
  await assert.rejects(pool.run(0, { filename, name: 'rejected' }), {
    name: 'RangeError',
    message: 'no handler today',
  });
});

test(
  'a relative path starts at the working directory when the pool is made, or run() is called',
  watched,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const { code, stdout, stderr } = await runProgram(
      `
      import { dirname, basename } from 'node:path';
      import { Pool } from 'cenote';
      const home = process.cwd();
      process.chdir(dirname(process.env.TASKS));
      const filename = basename(process.env.TASKS);
      const pool = new Pool({ filename, minThreads: 0, maxThreads: 1 });
      process.chdir(process.env.FOLDER);
      console.log(await pool.run('made there'));
      process.chdir(home);
    `,
      { env: { FOLDER: folder } },
    );
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'made there\n');
  },
);
