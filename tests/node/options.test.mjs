// The options of `new Pool()` and of `run()`: what is refused and how it is named, and what is in
// force.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from 'cenote';
import { fixture, poolFor, watched } from './support/behaviour.mjs';

const filename = fixture('tasks.cjs');
const numbers = {
  minThreads: { least: 0, most: 65_536 },
  maxThreads: { least: 1, most: 65_536 },
  idleTimeout: { least: 0, most: 2 ** 31 - 1 },
  maxQueue: { least: 0, most: Number.MAX_SAFE_INTEGER },
  concurrentTasksPerWorker: { least: 1, most: 16_384 },
  maxSpinUs: { least: 0, most: 10_000 },
  turnBudgetUs: { least: 1, most: 1_000_000 },
  prefetchWindowUs: { least: 0, most: 1_000_000 },
};

/** Refused in the constructor; a pool that is made all the same does not outlive the test. */
function refuses(t, options, name, code, option) {
  assert.throws(
    () => {
      const pool = new Pool(options);
      t.after(() => pool.destroy());
    },
    (error) => {
      assert.equal(error.name, name);
      assert.equal(error.code, code);
      assert.ok(error instanceof (name === 'TypeError' ? TypeError : RangeError));
      assert.match(error.message, new RegExp(`\\b${option}\\b`));
      return true;
    },
  );
}

const refusesType = (t, options, option) =>
  refuses(t, options, 'TypeError', 'ERR_INVALID_ARG_TYPE', option);
const refusesRange = (t, options, option) =>
  refuses(t, options, 'RangeError', 'ERR_OUT_OF_RANGE', option);

for (const [option, { least, most }] of Object.entries(numbers)) {
  test(`${option}: what is no number is refused`, watched, (t) => {
    for (const value of ['1', null, true, {}, [1], 1n, () => 1, Symbol('1')])
      refusesType(t, { filename, [option]: value }, option);
  });

  test(`${option}: NaN, fractions, and numbers out of range are refused`, watched, (t) => {
    const wrong = [NaN, 1.5, -1, -0.5, -Infinity, least - 1, most + 1, Number.MAX_VALUE];
    if (option !== 'idleTimeout') wrong.push(Infinity);
    for (const value of wrong) refusesRange(t, { filename, [option]: value }, option);
  });

  test(
    `${option}: its least and its most are accepted, where this machine can take them`,
    watched,
    (t) => {
      // A pool of the most threads is not for a test, so only the maximum is raised.
      const cases = {
        minThreads: [{ minThreads: least }],
        maxThreads: [{ maxThreads: least }, { minThreads: 0, maxThreads: most }],
        idleTimeout: [{ idleTimeout: least }, { idleTimeout: most }, { idleTimeout: Infinity }],
      }[option] ?? [{ [option]: least }, { [option]: most }];
      for (const options of cases) {
        const pool = poolFor(t, { minThreads: 0, ...options });
        assert.equal(pool.options[option], options[option]);
        assert.equal(pool.options.sources[option], 'option');
      }
    },
  );
}

const wrongTypes = {
  filename: [1, null, true, {}, ['a'], Symbol('a')],
  name: [1, null, {}, Symbol('a'), new URL('file:///a')],
  env: [1, 'a', null, [], true],
  argv: [1, 'a', null, {}, true],
  execArgv: [1, 'a', null, {}, [1], ['--a', null]],
  resourceLimits: [1, 'a', null, [], true],
};

for (const [option, values] of Object.entries(wrongTypes)) {
  test(`${option}: values of other types are refused`, watched, (t) => {
    for (const value of values) refusesType(t, { filename, [option]: value }, option);
  });
}

test('filename: what names no file is refused', watched, (t) => {
  for (const value of [
    '',
    'https://example.com/a.js',
    'data:text/javascript,1',
    'node:fs',
    new URL('https://example.com/a'),
    'a\0b',
  ]) {
    refusesRange(t, { filename: value }, 'filename');
  }
  refusesRange(t, { filename, name: '' }, 'name');
});

test('the options must be an object', watched, (t) => {
  for (const value of [null, 1, 'a', [], true, () => {}]) refusesType(t, value, 'options');
  const pool = new Pool(undefined);
  t.after(() => pool.destroy());
  assert.equal(pool.options.filename, null);
});

test('an option that does not exist is refused by its name', watched, (t) => {
  for (const option of ['fileName', 'maxthreads', 'atomics', 'eval', 'transferList']) {
    refusesType(t, { filename, [option]: 1 }, option);
  }
});

test('an option that is undefined is left out', watched, (t) => {
  const pool = poolFor(
    t,
    Object.fromEntries(
      [...Object.keys(numbers), ...Object.keys(wrongTypes).slice(1)].map((name) => [
        name,
        undefined,
      ]),
    ),
  );
  assert.equal(pool.options.concurrentTasksPerWorker, 1);
  assert.equal(pool.options.name, 'default');
  assert.equal(pool.options.sources.concurrentTasksPerWorker, 'default');
});

test(
  'minThreads above maxThreads is refused; minThreads alone raises the default of maxThreads',
  watched,
  (t) => {
    refusesRange(t, { filename, minThreads: 3, maxThreads: 2 }, 'minThreads');
    const pool = poolFor(t, { minThreads: 7 });
    assert.ok(pool.options.maxThreads >= 7);
  },
);

test(
  'pool.options says what is in force and where it came from, and cannot be changed',
  watched,
  (t) => {
    const pool = poolFor(t, { maxQueue: 7, minThreads: 0, maxThreads: 3 });
    const { options } = pool;
    assert.equal(options.maxQueue, 7);
    assert.equal(options.prefetchWindowUs, 200);
    assert.equal(options.idleTimeout, 10_000);
    assert.equal(options.sources.maxQueue, 'option');
    assert.equal(options.sources.prefetchWindowUs, 'default');
    assert.equal(options.sources.filename, 'option');
    assert.equal(options.sources.workerData, 'default');
    assert.deepEqual(
      Object.keys(options.sources).sort(),
      Object.keys(options)
        .filter((name) => name !== 'sources')
        .sort(),
    );
    assert.throws(() => Object.assign(options, { maxQueue: 8 }), TypeError);
    assert.throws(() => Object.assign(options.sources, { maxQueue: 'default' }), TypeError);
  },
);

test('the defaults are those that are documented', watched, (t) => {
  const saved = { ...process.env };
  for (const name of ['CENOTE_MAX_SPIN_US', 'CENOTE_MAX_THREADS', 'CENOTE_TURN_BUDGET_US'])
    delete process.env[name];
  t.after(() => Object.assign(process.env, saved));
  const { options } = poolFor(t);
  const {
    maxSpinUs,
    turnBudgetUs,
    prefetchWindowUs,
    maxQueue,
    idleTimeout,
    concurrentTasksPerWorker,
    name,
  } = options;
  assert.deepEqual(
    {
      maxSpinUs,
      turnBudgetUs,
      prefetchWindowUs,
      maxQueue,
      idleTimeout,
      concurrentTasksPerWorker,
      name,
    },
    {
      maxSpinUs: 50,
      turnBudgetUs: 1_000,
      prefetchWindowUs: 200,
      maxQueue: 65_536,
      idleTimeout: 10_000,
      concurrentTasksPerWorker: 1,
      name: 'default',
    },
  );
});

test('wrong options of run() reject, and are named', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const wrong = [
    [null, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'options'],
    [1, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'options'],
    ['a', 'TypeError', 'ERR_INVALID_ARG_TYPE', 'options'],
    [{ filename: 1 }, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'filename'],
    [{ filename: null }, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'filename'],
    [{ filename: '' }, 'RangeError', 'ERR_OUT_OF_RANGE', 'filename'],
    [{ filename: 'https://example.com/a.js' }, 'RangeError', 'ERR_OUT_OF_RANGE', 'filename'],
    [{ name: 1 }, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'name'],
    [{ name: '' }, 'RangeError', 'ERR_OUT_OF_RANGE', 'name'],
    [{ transferList: {} }, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'transferList'],
    [{ transferList: new ArrayBuffer(1) }, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'transferList'],
    [{ transferList: null }, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'transferList'],
    [{ signal: {} }, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'signal'],
    [{ signal: 'abort' }, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'signal'],
    [{ signal: null }, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'signal'],
    [{ signal: new EventTarget() }, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'signal'],
  ];
  for (const [options, name, code, label] of wrong) {
    const run = pool.run(0, options);
    assert.ok(run instanceof Promise);
    await assert.rejects(run, { name, code, message: new RegExp(`\\b${label}\\b`) });
  }
  assert.equal(pool.stats().tasks.accepted, 0);
  assert.equal(
    await pool.run(1, {
      filename: undefined,
      name: undefined,
      transferList: undefined,
      signal: undefined,
    }),
    1,
  );
});

test(
  'what is on Object.prototype is no option, of the pool, of run() or of the threads',
  watched,
  async (t) => {
    const polluted = {
      filename: fixture('missing.cjs'),
      name: 'missing',
      maxThreads: 1.5,
      maxQueue: 'many',
      signal: AbortSignal.abort(),
      transferList: [1],
      workerData: { polluted: true },
      env: { POLLUTED: '1' },
      argv: ['polluted'],
      execArgv: ['--polluted'],
      eval: true,
      resourceLimits: { maxOldGenerationSizeMb: 1 },
    };
    t.after(() => {
      for (const name of Object.keys(polluted)) delete Object.prototype[name];
    });
    for (const [name, value] of Object.entries(polluted)) {
      Object.defineProperty(Object.prototype, name, {
        value,
        configurable: true,
        enumerable: false,
        writable: true,
      });
    }
    const pool = new Pool({ __proto__: null, filename: fixture('tasks.cjs'), minThreads: 1 });
    t.after(() => pool.destroy());
    const [first, second, surroundings] = [
      pool.run(1),
      pool.run(2, {}),
      pool.run(3, { __proto__: null, name: 'surroundings' }),
    ];
    // What the threads are made with is read by now; the rest of the test would trip over the
    // pollution itself.
    const sources = pool.options.sources;
    for (const name of Object.keys(polluted)) delete Object.prototype[name];
    assert.deepEqual(await Promise.all([first, second]), [1, 2]);
    assert.equal(sources.maxQueue, 'default');
    const { workerData, env, argv, execArgv } = await surroundings;
    assert.equal(workerData, undefined);
    assert.equal(env.POLLUTED, undefined);
    assert.ok(!argv.includes('polluted') && !execArgv.includes('--polluted'));
  },
);
