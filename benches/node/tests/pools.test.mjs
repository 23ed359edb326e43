// The competitors that the harness makes itself, and what it says of those that cannot run.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCell } from '../lib/cell.mjs';
import { entryOf, lookUp } from '../lib/packages.mjs';
import { RawWorkers } from '../lib/raw-workers.mjs';
import { pools } from '../pools.mjs';

const script = fileURLToPath(new URL('../wrappers/raw-worker.cjs', import.meta.url));
const poolOf = (name) => pools.find((pool) => pool.name === name);

let folder;
const write = (name, text) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
before(() => (folder = mkdtempSync(join(tmpdir(), 'pools-'))));
after(() => rmSync(folder, { recursive: true }));

/** Runs `body` with raw workers whose handler is `code`. */
async function withWorkers(threads, code, body) {
  const workers = new RawWorkers(script, threads, { filename: write('handler.cjs', code) });
  try {
    await body(workers);
  } finally {
    await workers.destroy();
  }
}

test('raw workers give each task its own result, also one that is a promise', async () => {
  const code =
    'module.exports = (i) => (i % 2 ? i : new Promise((done) => setImmediate(done, i)));';
  await withWorkers(2, code, async (workers) => {
    const tasks = Array.from({ length: 20 }, (_, i) => i);
    assert.deepEqual(await Promise.all(tasks.map((i) => workers.run(i))), tasks);
  });
});

test('raw workers share the tasks', async () => {
  const code = `const { threadId } = require('node:worker_threads');
    module.exports = () => new Promise((done) => setImmediate(done, threadId));`;
  await withWorkers(2, code, async (workers) => {
    const ids = await Promise.all(Array.from({ length: 4 }, () => workers.run()));
    assert.equal(ids.filter((id) => id === ids[0]).length, 2);
  });
});

test('a task of a raw worker that throws, rejects or ends the thread is rejected', async () => {
  const code = `module.exports = (what) => {
      if (what === 'throw') throw new RangeError('thrown');
      if (what === 'exit') process.exit(3);
      return Promise.reject(undefined);
    };`;
  await withWorkers(1, code, async (workers) => {
    await assert.rejects(workers.run('throw'), { name: 'RangeError', message: 'thrown' });
    assert.equal(
      await workers.run('reject').catch((reason) => `reason ${reason}`),
      'reason undefined',
    );
    await assert.rejects(workers.run('exit'), /exit code 3/);
  });
});

test('a package that needs a newer Node is missing, and why', () => {
  const pool = poolOf('knitting');
  const manifest = (node) =>
    write(
      'package.json',
      JSON.stringify({ name: 'knitting', version: 'v1.2.3', main: 'k.js', engines: { node } }),
    );
  manifest('>=99.x');
  assert.deepEqual(lookUp(pool, { folder }), { missing: '1.2.3 needs Node 99 or newer' });
  manifest('>=18.0.0');
  assert.deepEqual(lookUp(pool, { folder }), { version: '1.2.3', folder });
  assert.deepEqual(lookUp(pool, { folder: join(folder, 'none') }), {
    missing: `not in ${join(folder, 'none')}`,
  });
});

test('every peer with a package is the one that package.json pins', () => {
  const versions = { piscina: /^5\./, 'piscina-next': /^6\./, worker: /^\d/ };
  for (const [name, version] of Object.entries(versions)) {
    const { version: found, missing } = lookUp(poolOf(name));
    assert.match(found ?? missing, version, name);
  }
});

test('what has not been built is loaded from its source', () => {
  write('package.json', JSON.stringify({ name: 'p', exports: { '.': { default: './entry.js' } } }));
  const source = write('entry.ts', '');
  assert.equal(entryOf(folder), source);
  const built = write('entry.js', '');
  assert.equal(entryOf(folder), built);
});

test('knitting runs from a folder, with as many threads as its name says', async () => {
  write(
    'package.json',
    JSON.stringify({ name: 'knitting', version: '0.0.1', type: 'module', main: './knitting.js' }),
  );
  // Stands in for it, on the main thread.
  write(
    'knitting.js',
    `export const task = ({ f }) => ({ f });
    export const createPool = ({ threads }) => (tasks) => {
      if (threads !== 1) throw new Error(threads + ' threads');
      const call = Object.fromEntries(
        Object.entries(tasks).map(([name, { f }]) => [name, async (value) => f(value)]),
      );
      return { call, shutdown: async () => {} };
    };`,
  );
  const job = { scenario: 'c64-number', round: 1, scale: 0.01, folder };
  const { outcome, message, destroyHung } = await runCell({ ...job, pool: 'knitting-1' });
  assert.deepEqual([outcome, message, destroyHung], ['ok', undefined, false]);
  const two = await runCell({ ...job, pool: 'knitting' });
  assert.match(two.message, /2 threads/);
});
