// The package as it is imported: the same names by `import` and `require`, and types that hold
// under `strict`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as esm from 'cenote';
import { watched } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const path = (name) => fileURLToPath(new URL(name, import.meta.url));

test('import and require give the same names, and the same classes', watched, () => {
  const cjs = require('cenote');
  const names = ['AbortError', 'CenoteError', 'Pool', 'contextValues', 'move'];
  assert.deepEqual(Object.keys(cjs).sort(), names);
  assert.deepEqual(Object.keys(esm).sort(), [...names, 'default'].sort());
  for (const name of names) assert.equal(esm[name], cjs[name]);
  assert.equal(esm.default, cjs.Pool);
});

test('the checkout itself can be required, and its internals cannot', watched, () => {
  assert.equal(require(path('../..')).Pool, esm.Pool);
  assert.throws(() => require('cenote/dist/owner/dispatcher.js'), {
    code: 'ERR_PACKAGE_PATH_NOT_EXPORTED',
  });
  assert.equal(require('cenote/package.json').name, 'cenote');
});

test(
  'the declarations compile under strict, for ES modules and CommonJS, and refuse what is wrong',
  watched,
  async () => {
    const tsc = path('../../node_modules/typescript/bin/tsc');
    const { stdout } = await promisify(execFile)(process.execPath, [
      tsc,
      '--project',
      path('types/tsconfig.json'),
    ]).catch((error) => assert.fail(`${error.stdout}${error.stderr}`));
    assert.equal(stdout, '');
  },
);
