// Calls that people often get wrong, and what the pool says: it names what was passed, and what to
// write instead.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'cenote';
import { fixture, poolFor, watched } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const filename = fixture('tasks.cjs');

/** What a call was refused with: by the constructor, or by a pool's `run()`. */
async function refusal(t, call) {
  try {
    const made = await call();
    if (made instanceof Pool) t.after(() => made.destroy());
  } catch (error) {
    assert.ok(error instanceof TypeError, String(error));
    assert.equal(error.code, 'ERR_INVALID_ARG_TYPE');
    return error.message;
  }
  return assert.fail('it was accepted');
}

test(
  'something else in the place of the options is refused, with what to write',
  watched,
  async (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    const { signal } = new AbortController();
    const cases = [
      [() => new Pool([]), /^The "options" argument must be an object\. Received \[\]$/],
      [
        () => new Pool('./worker.js'),
        /Received '.\/worker\.js'\. Pass a file as \{ filename \}\.$/,
      ],
      [() => new Pool(new URL('file:///worker.js')), /Pass a file as \{ filename \}\.$/],
      [() => new Pool(() => 1), /Functions cannot cross threads: export this one from a file/],
      [
        () => pool.run(1, []),
        /^The "options" argument .* Pass a transfer list as \{ transferList \}/,
      ],
      [() => pool.run(1, [new ArrayBuffer(8)]), /Pass a transfer list as \{ transferList \}\.$/],
      [() => pool.run(1, signal), /Pass a signal as \{ signal \}\.$/],
      [() => pool.run(1, 'sum'), /Received 'sum'\. Pass the name of an export as \{ name \}\.$/],
      [() => pool.run(1, new URL('file:///a.js')), /Pass a file as \{ filename \}\.$/],
      [() => pool.run(1, (x) => x), /Functions cannot cross threads/],
    ];
    for (const [call, text] of cases) assert.match(await refusal(t, call), text);
    assert.equal(pool.stats().tasks.accepted, 0);
    assert.equal(await pool.run('fine', { __proto__: null }), 'fine');
  },
);

test(
  'a function as the task, or as the file, is refused: functions come from files',
  watched,
  async (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    const text =
      /Received .* Functions cannot cross threads: export this one from a file, and name/;
    for (const call of [
      () => pool.run((n) => n + 1),
      () => pool.run(async () => 1, { name: 'inspect' }),
      () => pool.run(class Job {}),
      () => pool.run(1, { filename: () => 1 }),
      () => new Pool({ filename: (n) => n + 1 }),
    ]) {
      assert.match(await refusal(t, call), text);
    }
    assert.equal(pool.stats().tasks.accepted, 0);
    // A function inside a task is what a clone cannot have, and says so itself.
    await assert.rejects(pool.run({ job() {} }), { name: 'DataCloneError' });
  },
);

test(
  'an option that does not exist is refused, with the one that was meant',
  watched,
  async (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    const known = 'Known options: filename, name, ';
    const cases = [
      [{ fileName: 'a' }, `Unknown option "fileName". Did you mean "filename"? ${known}`],
      [{ maxthreads: 1 }, `Unknown option "maxthreads". Did you mean "maxThreads"? ${known}`],
      [{ maxTreads: 1 }, `Unknown option "maxTreads". Did you mean "maxThreads"? ${known}`],
      [{ threads: 1 }, `Unknown option "threads". Did you mean "minThreads"? ${known}`],
      [{ maxQueueSize: 1 }, `Unknown option "maxQueueSize". Did you mean "maxQueue"? ${known}`],
      [{ recordTiming: true }, `Unknown option "recordTiming". ${known}`],
      [{ signal: null }, `Unknown option "signal". It is an option of run(). ${known}`],
    ];
    for (const [options, start] of cases) {
      const text = await refusal(t, () => new Pool({ filename, ...options }));
      assert.ok(text.startsWith(start), text);
      assert.match(text, /, prefetchWindowUs$/);
    }
    const calls = [
      [{ timeOut: 1 }, 'Did you mean "timeout"?'],
      [{ transfer: [] }, 'Did you mean "transferList"?'],
      [{ signals: [] }, 'Did you mean "signal"?'],
      [{ abortGrace: 1 }, 'It is an option of new Pool().'],
      [{ retries: 1 }, ''],
    ];
    for (const [options, hint] of calls) {
      const text = await refusal(t, () => pool.run(1, options));
      const [name] = Object.keys(options);
      assert.equal(
        text,
        `Unknown option "${name}". ${hint === '' ? '' : `${hint} `}` +
          'Known options: filename, name, transferList, signal, queueTimeout, timeout, context, ' +
          'whenFull, priority, group, key, coalesce, onProgress, input, retry, idempotent, ' +
          'offload',
      );
    }
  },
);

test(
  'a file that does not exist: the error says where the pool looked, and from where',
  watched,
  async (t) => {
    const missing = new Pool({ filename: './nowhere/worker.mjs', minThreads: 0, maxThreads: 1 });
    t.after(() => missing.destroy());
    await assert.rejects(missing.run(1), (error) => {
      assert.equal(error.name, 'CenoteError');
      assert.equal(error.code, 'ERR_CENOTE_FILE_NOT_FOUND');
      const path = join(process.cwd(), 'nowhere', 'worker.mjs');
      assert.ok(
        error.message.startsWith(`Cannot find the file ${path}. A relative`),
        error.message,
      );
      assert.ok(error.message.includes(`the working directory, which is ${process.cwd()};`));
      assert.match(error.message, /new URL\('\.\/worker\.mjs', import\.meta\.url\)/);
      return true;
    });
    // A pool whose own file is not there has no threads for other files either.
    await assert.rejects(missing.run('fine', { filename }), { code: 'ERR_CENOTE_FILE_NOT_FOUND' });
  },
);

test(
  'a file name without its extension: the error names the file that is there',
  watched,
  async (t) => {
    const pool = poolFor(t, { maxThreads: 1 });
    const bare = filename.replace(/\.cjs$/, '');
    await assert.rejects(pool.run(1, { filename: bare }), (error) => {
      assert.ok(error.message.includes(`Cannot find the file ${bare}. Did you mean ${filename}?`));
      return true;
    });
  },
);

test('a file that imports what does not exist keeps its own error', watched, async (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cenote-')));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const file = join(folder, 'worker.mjs');
  writeFileSync(file, "import './part.mjs';\nexport default () => 1;\n");
  const pool = poolFor(t, { maxThreads: 1 });
  await assert.rejects(pool.run(1, { filename: file }), (error) => {
    assert.equal(error.code, 'ERR_MODULE_NOT_FOUND');
    assert.match(error.message, /part\.mjs/);
    return true;
  });
});

test('what a pool shows cannot be set, in strict code and in sloppy code', watched, (t) => {
  const pool = poolFor(t, { maxThreads: 1 });
  const sloppy = new Function('pool', 'name', 'pool[name] = 4');
  for (const [name, hint] of [
    ['threads', 'pass minThreads and maxThreads to new Pool()'],
    ['options', 'pass them to new Pool()'],
    ['queueSize', 'pass maxQueue to new Pool()'],
    ['completed', 'counts the tasks'],
  ]) {
    const before = pool[name];
    for (const assign of [() => (pool[name] = 4), () => sloppy(pool, name)]) {
      assert.throws(assign, (error) => {
        assert.ok(error instanceof TypeError);
        assert.ok(error.message.startsWith(`Cannot set pool.${name} to 4: it is read-only. `));
        assert.ok(error.message.includes(hint), error.message);
        return true;
      });
    }
    assert.deepEqual(pool[name], before);
  }
});

test(
  'run() of a pool works while Promise and the methods of arrays are others',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    await pool.ready();
    const { Promise: kept } = globalThis;
    const kept2 = { ...methods() };
    const { signal } = new AbortController();
    let runs;
    try {
      globalThis.Promise = class {
        constructor() {
          throw new Error('another Promise');
        }
      };
      for (const name of Object.keys(kept2)) {
        Array.prototype[name] = () => {
          throw new Error(`another ${name}`);
        };
      }
      runs = [
        pool.run(1),
        pool.run(2, { name: 'default' }),
        pool.run(3, { signal, transferList: [] }),
        pool.run(4, { timeOut: 1 }),
      ];
    } finally {
      globalThis.Promise = kept;
      Object.assign(Array.prototype, kept2);
    }
    const settled = await Promise.allSettled(runs);
    assert.deepEqual(
      settled.map(({ value }) => value),
      [1, 2, 3, undefined],
    );
    assert.match(settled[3].reason.message, /^Unknown option "timeOut"/);
  },
);

function methods() {
  const {
    includes,
    indexOf,
    map,
    filter,
    forEach,
    every,
    some,
    concat,
    slice,
    join: joins,
  } = Array.prototype;
  return { includes, indexOf, map, filter, forEach, every, some, concat, slice, join: joins };
}

test('the options of a pool cannot be changed behind its back', watched, async (t) => {
  const { Pool: Same } = require('cenote');
  assert.equal(Same, Pool);
  const pool = poolFor(t, { maxThreads: 1, maxQueue: 3 });
  new Function('options', 'options.maxQueue = 9')(pool.options);
  assert.equal(pool.options.maxQueue, 3);
  assert.equal(await pool.run('fine', { timeout: 60_000 }), 'fine');
});
