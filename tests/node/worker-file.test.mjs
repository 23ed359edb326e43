// A pool looks whether its worker threads have a file to run, and says what to do where they have
// none. tests/bundlers does the same with real bundlers.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
const top = mkdtempSync(join(tmpdir(), 'cenote-worker-file-'));
after(() => rmSync(top, { recursive: true, force: true, maxRetries: 5 }));

let count = 0;
/** Runs a script that gets the folder of the package as its argument; what it printed. */
async function run(code, folder) {
  const file = join(top, `${count++}.cjs`);
  writeFileSync(file, code);
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const { stdout } = await promisify(execFile)(process.execPath, [file, folder], { env });
  return stdout.trim();
}

/** A copy of the package without one of its files. */
function copyWithout(path) {
  const folder = join(top, `copy-${count++}`);
  cpSync(dist, folder, { recursive: true });
  rmSync(join(folder, path));
  return folder;
}

const refused = `
  for (const Pool of [require(process.argv[2]).Pool, require(process.argv[2] + '/piscina')]) {
    try {
      new Pool({ minThreads: 0 });
    } catch (error) {
      console.log(error.code, error.message);
    }
  }`;

it('a copy of the package without the file of its threads is refused by both kinds of pool', async () => {
  const path = join('worker', 'main.js');
  const folder = copyWithout(path);
  const lines = (await run(refused, folder)).split('\n');
  assert.equal(lines.length, 2, lines.join('\n'));
  for (const line of lines) {
    assert.match(line, /^ERR_CENOTE_BUNDLED .*Mark cenote as external/);
    assert.ok(line.includes(join(folder, path)), line);
  }
});

it('a mock of fs that hides every file proves nothing', async () => {
  const code = `
    const fs = require('node:fs');
    const { Pool } = require(process.argv[2]);
    fs.existsSync = () => false;
    const pool = new Pool({ filename: __filename, minThreads: 0 });
    pool.run(20).then(
      (result) => {
        console.log(result);
        return pool.close();
      },
    );`;
  const handler =
    'if (!require("node:worker_threads").isMainThread) module.exports = (n) => n + 1; else {';
  assert.equal(await run(`${handler}${code}}`, dist), '21');
});
