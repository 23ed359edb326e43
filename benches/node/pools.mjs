// The competitors: one adapter each, with the same three calls.
//
//   start({ threads, filename, checkout, folder })
//                   makes a pool of exactly `threads` workers that run the handler module
//   run(task)       resolves with the handler's result
//   destroy()       resolves when the workers are gone
//
// Every pool runs with its own defaults, apart from the number of workers and what its name says.
// `checkout` is the folder whose build of cenote is taken, this checkout unless said otherwise; the
// other pools take no notice of it. `folder` is where a peer lies that comes with no npm package.
// `details()`, where a pool has it, returns statistics that go into the JSON file and into no
// figure.
//
// What a pool says of itself beside `name` and `peer` (whether it is somebody else's):
//   module     the package that it comes from, under its name here; `from` is its published name
//   threads    how many workers it has, where it is not as many as the others
//   only       scenarios outside of which it runs only if the command line names it
//   cannot     scenarios whose values it cannot carry
//   given      the name under which `--peer` gives its folder

import { fileURLToPath, pathToFileURL } from 'node:url';
import { entryOf, kCheckout, requireFrom, requireHere } from './lib/packages.mjs';
import { RawWorkers } from './lib/raw-workers.mjs';

const kThreads = 2;

const wrapper = (file) => fileURLToPath(new URL(`./wrappers/${file}`, import.meta.url));

function cenote(name, options, more) {
  let pool;
  return {
    name,
    module: 'cenote',
    peer: false,
    ...more,
    start({ threads, filename, checkout = kCheckout }) {
      const { Pool } = requireFrom(checkout)('cenote');
      pool = new Pool({ filename, minThreads: threads, maxThreads: threads, ...options });
    },
    run: (task) => pool.run(task),
    destroy: () => pool.destroy(),
    details: () => pool.stats(),
  };
}

/** Piscina's interface: Piscina's own, of either version, or ours. */
function piscina(name, options, module = 'piscina') {
  let pool;
  const peer = module !== 'cenote/piscina';
  return {
    name,
    module,
    from: peer ? 'piscina' : 'cenote',
    peer,
    start({ threads, filename, checkout }) {
      const find = peer ? requireHere : requireFrom(checkout ?? kCheckout);
      const { Piscina } = find(module);
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
      const { Tinypool } = await import(pathToFileURL(requireHere.resolve('tinypool')));
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
      pool = requireHere('workerpool').pool(wrapper('workerpool-worker.cjs'), {
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
      const { FixedThreadPool } = requireHere('poolifier');
      pool = new FixedThreadPool(threads, wrapper('poolifier-worker.cjs'), {
        workerOptions: { workerData: { filename } },
      });
    },
    run: (task) => pool.execute(task),
    destroy: () => pool.destroy(),
  };
}

/** What people write without a pool: a Worker per thread, `postMessage`, a map of promises. */
function rawWorkers(name) {
  let workers;
  return {
    name,
    peer: true,
    start({ threads, filename }) {
      workers = new RawWorkers(wrapper('raw-worker.cjs'), threads, { filename });
    },
    run: (task) => workers.run(task),
    destroy: () => workers.destroy(),
  };
}

/** knitting, from a folder with its sources or with its package. */
function knitting(name, more) {
  let pool;
  return {
    name,
    module: 'knitting',
    peer: true,
    given: 'knitting',
    // Objects cross as JSON, so shared memory inside of them does not arrive as such.
    cannot: ['detach', 'blocked-main'],
    ...more,
    async start({ threads, filename, folder }) {
      const entry = pathToFileURL(entryOf(folder)).href;
      // Its workers import the module that names the task, so that is one of its own.
      const tasks = pathToFileURL(wrapper('knitting-task.mjs'));
      tasks.searchParams.set('knitting', entry);
      tasks.searchParams.set('handler', filename);
      const [{ createPool }, { run }] = await Promise.all([import(entry), import(tasks)]);
      pool = createPool({ threads })({ run });
    },
    run: (task) => pool.call.run(task),
    destroy: () => pool.shutdown(),
  };
}

/** Every competitor, in the order of the tables. */
export const pools = [
  cenote('cenote', {}),
  cenote('cenote-spin0', { maxSpinUs: 0 }),
  cenote('cenote-1', {}, { threads: 1, only: ['c64', 'c64-number', 'load50'] }),
  piscina('cenote-piscina', {}, 'cenote/piscina'),
  rawWorkers('worker'),
  piscina('piscina', {}),
  piscina('piscina-atomics-off', { atomics: 'disabled' }),
  piscina('piscina-next', {}, 'piscina-next'),
  tinypool('tinypool'),
  workerpool('workerpool'),
  poolifier('poolifier'),
  knitting('knitting'),
  knitting('knitting-1', { threads: 1 }),
];

/** Whether `pool` runs in `scenario` at all. */
export const runsIn = ({ only, cannot }, scenario) =>
  (!only || only.includes(scenario)) && !cannot?.includes(scenario);

/** How many workers a competitor has. */
export const threadsOf = ({ threads = kThreads }) => threads;
