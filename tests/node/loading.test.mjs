// How the files of handlers are loaded: evaluated once, from wherever they lie, and tried again
// when they failed.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'cenote';
import Piscina from 'cenote/piscina';
import { nodeVersion, sharedWords, until, watched } from './support/behaviour.mjs';

const kEntries = { cenote: Pool, piscina: Piscina };

/** A new folder, and what writes files into it. */
function folder(t, ...inside) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'cenote-')));
  t.after(() => rmSync(root, { recursive: true }));
  const path = join(root, ...inside);
  mkdirSync(path, { recursive: true });
  return {
    path,
    write(name, text) {
      writeFileSync(join(path, name), text);
      return join(path, name);
    },
  };
}

function poolOf(t, entry, options) {
  const pool = new kEntries[entry]({ minThreads: 1, maxThreads: 1, ...options });
  pool.on('error', () => {});
  t.after(() => pool.destroy());
  return pool;
}

const failure = (promise) =>
  promise.then(
    (value) => assert.fail(`it resolved: ${value}`),
    (error) => error,
  );

// What counts evaluations in a file.
const kCount =
  "const { workerData: words, threadId } = require('node:worker_threads');\n" +
  'Atomics.add(words, 0, 1); Atomics.store(words, threadId % (words.length - 1) + 1, 1);\n';
const kCountModule =
  "import { workerData } from 'node:worker_threads';\nAtomics.add(workerData, 0, 1);\n";
/** Says that what follows is elsewhere, as code that was compiled does. */
const kMap = `\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(
  JSON.stringify({
    version: 3,
    sources: ['/elsewhere/original.ts'],
    names: [],
    mappings: Array.from({ length: 20 }, () => 'AAAA').join(';'),
  }),
).toString('base64')}`;

// Evaluated once

for (const [what, requiring] of [
  ['a module that is not there', "require('./missing.cjs');"],
  ['an ES module that waits', "require('./waits.mjs');"],
  [
    'a file of an unknown kind',
    "throw Object.assign(new Error('x'), { code: 'ERR_UNKNOWN_FILE_EXTENSION' });",
  ],
  [
    'nothing, and throws such an error',
    "throw Object.assign(new Error('x'), { code: 'ERR_REQUIRE_ESM' });",
  ],
]) {
  for (const how of ['by a link', 'with source maps', 'from a function']) {
    test(`the drop-in evaluates a file once that requires ${what}, ${how}`, watched, async (t) => {
      const { path, write } = folder(t);
      write('waits.mjs', 'await null; export default 1;');
      const body = how === 'from a function' ? `(() => { ${requiring} })();` : requiring;
      const file = write('tasks.js', `${kCount}${body}\nmodule.exports = (x) => x;${kMap}`);
      const link = join(path, 'link.js');
      symlinkSync(file, link);
      const words = sharedWords(1_000);
      const pool = poolOf(t, 'piscina', {
        filename: how === 'by a link' ? link : file,
        workerData: words,
        execArgv: how === 'with source maps' ? ['--enable-source-maps'] : [],
      });
      const error = await failure(pool.run(1));
      assert.match(String(error.code ?? error.cause?.code), /^(MODULE_NOT_FOUND|ERR_)/);
      // A thread that failed may have been replaced; each says which it is.
      const loads = Atomics.load(words, 0);
      let threads = 0;
      for (let id = 1; id < words.length; id++) threads += Atomics.load(words, id);
      assert.ok(loads >= 1);
      assert.equal(loads, threads);
    });
  }
}

test('the drop-in evaluates an ES module once, also one that waits', watched, async (t) => {
  const { write } = folder(t);
  write('package.json', '{ "type": "module" }');
  const words = sharedWords();
  for (const text of ['', 'await null;']) {
    const file = write(
      `tasks${text.length}.js`,
      `${kCountModule}${text}\nexport default (x) => x;`,
    );
    const pool = poolOf(t, 'piscina', { filename: file, workerData: words });
    assert.equal(await pool.run(1), 1);
  }
  assert.equal(Atomics.load(words, 0), 2);
});

test(
  'a file whose import of an unknown kind of file fails is evaluated once',
  watched,
  async (t) => {
    const { write } = folder(t);
    write('data.unknown', '');
    const file = write(
      'tasks.mjs',
      `${kCountModule}await import('./data.unknown');\nexport default (x) => x;`,
    );
    const words = sharedWords();
    const pool = poolOf(t, 'cenote', { filename: undefined, workerData: words });
    const error = await failure(pool.run(1, { filename: file }));
    assert.equal(error.code, 'ERR_UNKNOWN_FILE_EXTENSION');
    assert.equal(Atomics.load(words, 0), 1);
  },
);

test('a hook that the file puts on the compiler of modules stays', watched, async (t) => {
  const { write } = folder(t);
  const file = write(
    'tasks.cjs',
    `const Module = require('node:module');
    const compile = Module.prototype._compile;
    let compiled = 0;
    Module.prototype._compile = function (...args) { if (args[1].startsWith(__dirname))
      compiled++; return compile.apply(this, args); };
    require('./other.cjs');
    module.exports = () => { require('./third.cjs'); return compiled; };`,
  );
  write('other.cjs', '');
  write('third.cjs', '');
  assert.equal(await poolOf(t, 'piscina', { filename: file }).run(1), 2);
});

// Wherever they lie

if (process.platform !== 'win32') {
  for (const entry of Object.keys(kEntries)) {
    for (const [kind, text] of [
      ['cjs', 'module.exports = (x) => [x, __filename];'],
      [
        'mjs',
        'import { fileURLToPath } from "node:url"; export default (x) => [x, fileURLToPath(import.meta.url)];',
      ],
    ]) {
      // Node itself imports no ES module from there, and before 22.12 it requires none either.
      if (kind === 'mjs' && nodeVersion < 22.012) continue;
      test(`${entry}: a folder with a backslash in its name (${kind})`, watched, async (t) => {
        const { write } = folder(t, 'a\\b', 'c d%41#?');
        const file = write(`tasks.${kind}`, text);
        assert.deepEqual(await poolOf(t, entry, { filename: file }).run(1), [1, file]);
        const byCall = poolOf(t, entry, {});
        assert.deepEqual(await byCall.run(2, { filename: file }), [2, file]);
      });
    }
  }
}

// Tried again

const kKinds = {
  cjs: {
    fails: "throw new RangeError('not yet');",
    works: 'module.exports = (x) => `works ${x}`;',
    lacks: 'exports.other = 1;',
  },
  mjs: {
    fails: "throw new RangeError('not yet');",
    works: 'export default (x) => `works ${x}`;',
    lacks: 'export const other = 1;',
  },
};

for (const entry of Object.keys(kEntries)) {
  for (const [kind, { fails, works, lacks }] of Object.entries(kKinds)) {
    for (const [what, before] of Object.entries({
      'that threw': fails,
      'that could not be parsed': 'const a = ;',
      'that lacked the export': lacks,
      'that was not there': null,
    })) {
      test(
        `${entry}: a file ${what} is loaded when it was changed (${kind})`,
        watched,
        async (t) => {
          const { path, write } = folder(t);
          const filename = join(path, `tasks.${kind}`);
          if (before !== null) write(`tasks.${kind}`, before);
          const pool = poolOf(t, entry, {});
          await failure(pool.run(1, { filename }));
          const thread = pool.threads[0].threadId;
          write(`tasks.${kind}`, works);
          let result;
          await untilAsync('it works', async () => {
            result = await pool.run(1, { filename }).catch(() => null);
            return result !== null;
          });
          assert.equal(result, 'works 1');
          assert.equal(pool.threads[0].threadId, thread);
        },
      );
    }
  }
}

async function untilAsync(what, condition) {
  let holds = false;
  const ask = async () => {
    while (!holds) {
      holds = await condition();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await Promise.race([ask(), until(what, () => holds)]);
}

for (const kind of ['cjs', 'mjs']) {
  test(
    `a file that failed is tried again after a moment, and not before (${kind})`,
    watched,
    async (t) => {
      const { write } = folder(t);
      const count = kind === 'cjs' ? kCount : `${kCountModule}const words = workerData;`;
      const filename = write(
        `tasks.${kind}`,
        `${count}\nif (Atomics.load(words, 999) === 0) throw new RangeError('not yet');
      ${kKinds[kind].works}`,
      );
      const words = sharedWords(1_000);
      const pool = poolOf(t, 'cenote', { workerData: words });
      const begun = performance.now();
      for (let n = 0; n < 20; n++)
        assert.equal((await failure(pool.run(1, { filename }))).name, 'RangeError');
      // Unless the machine slept meanwhile.
      if (performance.now() - begun < 900) assert.equal(Atomics.load(words, 0), 1);
      Atomics.store(words, 999, 1);
      let result = null;
      await untilAsync('it works', async () => {
        result = await pool.run(1, { filename }).catch(() => null);
        return result !== null;
      });
      assert.equal(result, 'works 1');
      assert.ok(Atomics.load(words, 0) <= 3);
    },
  );
}

test(
  'of a file whose setup failed the setup is called again, and nothing else',
  watched,
  async (t) => {
    const { write } = folder(t);
    const filename = write(
      'tasks.cjs',
      `${kCount}exports.setup = () => {
      if (Atomics.add(words, 998, 1) === 0) throw new RangeError('not yet');
    };
    exports.default = (x) => x;`,
    );
    const words = sharedWords(1_000);
    const pool = poolOf(t, 'cenote', { workerData: words });
    assert.equal((await failure(pool.run(1, { filename }))).message, 'not yet');
    await untilAsync('it works', () => pool.run(1, { filename }).then(Boolean, () => false));
    assert.deepEqual([Atomics.load(words, 0), Atomics.load(words, 998)], [1, 2]);
  },
);
