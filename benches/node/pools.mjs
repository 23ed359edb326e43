// The competitors: one adapter each, with the same three calls.
//
//   start({ threads, filename })  makes a pool of `threads` workers that run the handler module
//   run(task)                     resolves with the handler's result
//   destroy()                     resolves when the workers are gone
//
// Every pool runs with its own defaults, apart from the number of workers and what its name says.
// `details()`, where a pool has it, returns statistics that go into the JSON file and into no
// figure.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
const kCheckout = '../../';

const wrapper = (file) => fileURLToPath(new URL(`./wrappers/${file}`, import.meta.url));

function cenote(name, options) {
  let pool;
  return {
    name,
    module: kCheckout,
    peer: false,
    start({ threads, filename }) {
      const { Pool } = require(kCheckout);
      pool = new Pool({ filename, minThreads: threads, maxThreads: threads, ...options });
    },
    run: (task) => pool.run(task),
    destroy: () => pool.destroy(),
    details: () => pool.stats(),
  };
}

/** Piscina's interface: Piscina's own, or ours. */
function piscina(name, options, module = 'piscina') {
  let pool;
  return {
    name,
    module,
    peer: module === 'piscina',
    start({ threads, filename }) {
      const { Piscina } = require(module);
      pool = new Piscina({ filename, minThreads: threads, maxThreads: threads, ...options });
    },
    run: (task) => pool.run(task),
    destroy: () => pool.destroy(),
  };
}

function tinypool(name) {
  let pool;
  return {
    name,
    module: 'tinypool',
    peer: true,
    async start({ threads, filename }) {
      // An ES module only, and found the same way as the others.
      const { Tinypool } = await import(pathToFileURL(require.resolve('tinypool')));
      pool = new Tinypool({ filename, minThreads: threads, maxThreads: threads });
    },
    run: (task) => pool.run(task),
    destroy: () => pool.destroy(),
  };
}

function workerpool(name) {
  let pool;
  return {
    name,
    module: 'workerpool',
    peer: true,
    start({ threads, filename }) {
      pool = require('workerpool').pool(wrapper('workerpool-worker.cjs'), {
        workerType: 'thread',
        minWorkers: threads,
        maxWorkers: threads,
        workerThreadOpts: { workerData: { filename } },
      });
    },
    run: (task) => pool.exec('run', [task]),
    destroy: () => pool.terminate(),
  };
}

function poolifier(name) {
  let pool;
  return {
    name,
    module: 'poolifier',
    peer: true,
    start({ threads, filename }) {
      const { FixedThreadPool } = require('poolifier');
      pool = new FixedThreadPool(threads, wrapper('poolifier-worker.cjs'), {
        workerOptions: { workerData: { filename } },
      });
    },
    run: (task) => pool.execute(task),
    destroy: () => pool.destroy(),
  };
}

/** Every competitor, in the order of the tables. */
export const pools = [
  cenote('cenote', {}),
  cenote('cenote-spin0', { maxSpinUs: 0 }),
  piscina('cenote-piscina', {}, 'cenote/piscina'),
  piscina('piscina', {}),
  piscina('piscina-atomics-off', { atomics: 'disabled' }),
  tinypool('tinypool'),
  workerpool('workerpool'),
  poolifier('poolifier'),
];

/**
 * The version of a competitor's package, or the reason why it cannot run.
 * @returns {{ version: string } | { missing: string }}
 */
export function lookUp(pool) {
  let folder;
  try {
    folder = dirname(require.resolve(pool.module));
  } catch {
    return { missing: pool.peer ? 'not installed (npm install)' : 'not built (npm run build)' };
  }
  // Not every package exports its package.json, so it is searched upwards from the entry.
  const wanted = pool.peer ? pool.module : 'cenote';
  for (;;) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      if (manifest.name === wanted) return { version: manifest.version };
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    if (dirname(folder) === folder)
      return { missing: `no package.json of ${wanted} above its entry` };
    folder = dirname(folder);
  }
}
