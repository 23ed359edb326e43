// The public types, compiled by the oldest and the newest TypeScript that they are for.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const require = createRequire(import.meta.url);
const folder = fileURLToPath(new URL('../node/types', import.meta.url));
const run = promisify(execFile);

for (const compiler of ['typescript', 'typescript-oldest']) {
  const { version } = require(`${compiler}/package.json`);
  test(`the types compile with TypeScript ${version}`, { timeout: 120_000 }, async () => {
    assert.ok(readdirSync(folder).includes('handlers.mts'));
    const tsc = join(require.resolve(`${compiler}/package.json`), '..', 'bin', 'tsc');
    const { stdout } = await run(process.execPath, [tsc, '-p', folder]).catch((error) => error);
    assert.equal(stdout, '');
  });
}
