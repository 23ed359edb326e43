// The README's first example, as somebody would type it in: its two files, side by side, run and
// print what it says. And its tables are whole: every option, and every error code.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (name) => readFileSync(join(root, name), 'utf8').replaceAll('\r\n', '\n');
const readme = read('README.md');

/** The text under a heading, up to the next of its level. */
function under(heading) {
  const from = readme.indexOf(`\n## ${heading}\n`);
  assert.ok(from >= 0, `there is a section "${heading}"`);
  const to = readme.indexOf('\n## ', from + 1);
  return readme.slice(from, to < 0 ? undefined : to);
}

it('the first example runs and prints what it says', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-readme-'));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'cenote'), 'junction');
  const files = Array.from(
    under('A first example').matchAll(/`(\w+\.mjs)`[^`]*(?:`node [^`]+`)?:\n\n```js\n([^]*?)```/g),
  );
  assert.deepEqual(
    files.map(([, name]) => name),
    ['worker.mjs', 'main.mjs'],
  );
  for (const [, name, code] of files) writeFileSync(join(folder, name), code);
  const [, said] = /\/\/ (\[.*\])$/m.exec(files[1][2]);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['main.mjs'], {
    cwd: folder,
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    timeout: 60_000,
  });
  assert.equal(stdout, `${said}\n`, stderr);
});

it('no file of the first example both makes a pool and holds handlers', () => {
  for (const [, code] of under('A first example').matchAll(/```js\n([^]*?)```/g)) {
    assert.ok(!(/new Pool/.test(code) && /^export |exports/m.test(code)), code);
  }
});

it('the table of options has every option of the pool, and the text every option of run()', () => {
  const table = under('`new Pool(options)`');
  const names = (text) => Array.from(text.matchAll(/readonly (\w+)\?:/g), ([, name]) => name);
  const declared = names(/interface PoolOptions \{([^]*?)\n\}/.exec(read('dist/options.d.ts'))[1]);
  assert.ok(declared.includes('maxThreads'));
  for (const name of declared) assert.match(table, new RegExp(`\\| .*\`${name}\``), name);
  const call = names(/interface RunOptions \{([^]*?)\n\}/.exec(read('dist/run-options.d.ts'))[1]);
  assert.ok(call.includes('signal'));
  const [, listed] = /`pool\.run\(task, options\)` returns[^]*?Its options are ([^.]*)\./.exec(
    readme,
  );
  assert.deepEqual(Array.from(listed.matchAll(/`(\w+)`/g), ([, name]) => name).sort(), call.sort());
});

it('the table of codes has every code', () => {
  const [, union] = /type CenoteErrorCode =([^;]*);/.exec(
    read('dist/errors.d.ts').replace(/\/\*[^]*?\*\//g, ''),
  );
  for (const [, code] of union.matchAll(/'([^']+)'/g))
    assert.match(readme, new RegExp(`^\\|.*\`${code}\``, 'm'), code);
});
