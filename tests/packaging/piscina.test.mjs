// `cenote/piscina` as a user gets it: from the packed tarballs, in an empty folder, by require,
// import and TypeScript.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { install, packCheckout, root } from './fixture.mjs';

const run = promisify(execFile);
let app;

before(async () => {
  app = await install(await packCheckout());
});
after(() => app?.remove());

const names = [
  ...['ArrayTaskQueue', 'FixedQueue', 'Piscina', 'isWorkerThread', 'move', 'queueOptionsSymbol'],
  ...['transferableSymbol', 'valueSymbol', 'version', 'workerData'],
];

const useIt = `
  const pool = new Piscina({
    filename: FILENAME, minThreads: 1, maxThreads: 1, workerData: 'data',
  });
  const moved = new Uint8Array(8);
  const results = [await pool.run({ n: 20 })];
  results.push(await pool.run(Piscina.move(moved), { name: 'size' }), moved.length);
  const failed = await pool.run(undefined, { name: 'fail' }).catch((error) => error);
  results.push(failed.name, failed.code, failed instanceof RangeError);
  await pool.close();
  console.log(JSON.stringify(results));
`;
const expected = [{ n: 21, inWorker: true, data: 'data' }, 8, 0, 'RangeError', 'E_FAIL', true];

describe('cenote/piscina from the packed tarballs', () => {
  it("works with require('cenote/piscina'), here and in the worker", async () => {
    app.write(
      'task.cjs',
      `const Piscina = require('cenote/piscina');
       module.exports = ({
         n,
       }) => ({ n: n + 1, inWorker: Piscina.isWorkerThread, data: Piscina.workerData });
       module.exports.size = (bytes) => bytes.length;
       module.exports.fail = () => { throw Object.assign(new RangeError('failed'), { code: 'E_FAIL' }); };`,
    );
    app.write(
      'main.cjs',
      `const Piscina = require('cenote/piscina');
       const FILENAME = require('node:path').join(__dirname, 'task.cjs');
       (async () => { ${useIt} })();`,
    );
    const { stdout, stderr } = await app.node('main.cjs');
    assert.deepEqual(JSON.parse(stdout), expected);
    assert.equal(stderr, '', 'no warning: the addon of the platform package was found');
  });

  it("works with import 'cenote/piscina', here and in the worker", async () => {
    app.write(
      'task.mjs',
      `import { isWorkerThread, workerData } from 'cenote/piscina';
       export default async ({ n }) => ({ n: n + 1, inWorker: isWorkerThread, data: workerData });
       export const size = (bytes) => bytes.length;
       export const fail = () => { throw Object.assign(new RangeError('failed'), { code: 'E_FAIL' }); };`,
    );
    app.write(
      'main.mjs',
      `import Piscina from 'cenote/piscina';
       import { fileURLToPath } from 'node:url';
       const FILENAME = fileURLToPath(new URL('./task.mjs', import.meta.url));
       ${useIt}`,
    );
    const { stdout, stderr } = await app.node('main.mjs');
    assert.deepEqual(JSON.parse(stdout), expected);
    assert.equal(stderr, '');
  });

  it('is one class however it is loaded, beside Pool, under the names of Piscina', async () => {
    app.write(
      'names.mjs',
      `import { createRequire } from 'node:module';
       import { Pool } from 'cenote';
       import * as esm from 'cenote/piscina';
       const cjs = createRequire(import.meta.url)('cenote/piscina');
       console.log(JSON.stringify({
         same: [esm.default === cjs, esm.Piscina === cjs, cjs.Piscina === cjs, cjs === Pool],
         esm: Object.keys(esm).filter((name) => name !== 'module.exports').sort(),
         statics: Object.getOwnPropertyNames(cjs)
           .filter((name) => !['length', 'name', 'prototype'].includes(name)).sort(),
         version: cjs.version,
       }));`,
    );
    const { stdout } = await app.node('names.mjs');
    assert.deepEqual(JSON.parse(stdout), {
      same: [true, true, true, false],
      esm: [...names, 'default'].sort(),
      statics: [...names].sort(),
      version: '5.3.2',
    });
  });

  it('gives types to a CommonJS and to an ESM consumer', async () => {
    const use = `const pool: Piscina<{ n: number }, number> = new Piscina({ filename: 'task.cjs', maxThreads: 2 });
export const done: Promise<number> = pool.run({ n: 1 });
`;
    app.write('consumer.cts', `import Piscina from 'cenote/piscina';\n${use}`);
    app.write('named.cts', `import { Piscina } from 'cenote/piscina';\n${use}`);
    app.write(
      'consumer.mts',
      `import Default, { Piscina, FixedQueue, move } from 'cenote/piscina';
import type { PiscinaTask, TaskQueue } from 'cenote/piscina';
export const same: typeof Piscina = Default;
export const queue: TaskQueue = new FixedQueue();
export const idOf = (task: PiscinaTask): number => task.taskId;
export const moved = move(new Uint8Array(1));
${use}`,
    );
    // Without these a declaration that resolved to nothing would pass as `any`.
    const wrong = 'new Piscina({ maxThreads: true });\n';
    app.write('wrong.cts', `import { Piscina } from 'cenote/piscina';\n${wrong}`);
    app.write('wrong.mts', `import Piscina from 'cenote/piscina';\n${wrong}`);
    const tsc = (...files) =>
      run(process.execPath, [
        ...[
          join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
          '--noEmit',
          '--strict',
          '--ignoreConfig',
        ],
        ...['--module', 'node16', '--target', 'es2022', '--lib', 'es2023,esnext.disposable'],
        ...['--typeRoots', join(root, 'node_modules', '@types'), '--types', 'node'],
        ...files.map((file) => join(app.folder, file)),
      ]);
    await tsc('consumer.cts', 'named.cts', 'consumer.mts');
    for (const file of ['wrong.cts', 'wrong.mts']) {
      await assert.rejects(tsc(file), (error) => error.stdout.includes(`${file}(2,`));
    }
  });
});
