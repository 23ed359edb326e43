// The tables of the migration page leave out no option of the pools that they are about, and name
// nothing of Cenote that is not there.
//
// The options are read from the declarations that these packages ship.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { declared } from './support/declared.mjs';
import { codes, rows, sections } from './support/pages.mjs';

const page = sections('migrating.md');

/** The first cells of a section's table, as code; of all rows, or of those that begin so. */
function named(heading, start = '') {
  const section = page.find((one) => one.heading === heading);
  assert.ok(section !== undefined, `there is no section "${heading}"`);
  const found = rows(section).filter(([first]) => first.startsWith(start));
  return found.flatMap(([first]) => codes(first));
}

/** The optional members of the declaration that begins with `start`. */
function members(path, start) {
  const text = readFileSync(new URL(`../../node_modules/${path}`, import.meta.url), 'utf8');
  const from = text.indexOf(start);
  assert.ok(from >= 0, `${path} declares ${start}`);
  const body = text.slice(from, text.indexOf('\n}', from)).replace(/\/\*[^]*?\*\//g, '');
  const [, indent] = /^( +)(?:readonly )?\w+\??:/m.exec(body);
  const member = new RegExp(`^${indent}(?:readonly )?(\\w+)\\?:`, 'gm');
  return Array.from(body.matchAll(member), ([, name]) => name);
}

const cases = [
  [
    'piscina',
    'Piscina’s options',
    "Piscina's options and `Pool`'s",
    'piscina/dist/index.d.ts',
    'interface Options {',
  ],
  [
    'tinypool',
    'tinypool’s options',
    "tinypool's options",
    'tinypool/dist/index.d.ts',
    'interface Options {',
  ],
  [
    'workerpool',
    'workerpool’s options',
    "workerpool's options",
    'workerpool/types/types.d.ts',
    'type WorkerPoolOptions = {',
  ],
  [
    'poolifier',
    'the pools’ options',
    "poolifier's options",
    'poolifier/lib/index.d.ts',
    'interface PoolOptions<',
  ],
  [
    'poolifier',
    'the workers’ options',
    "poolifier's options",
    'poolifier/lib/index.d.ts',
    'interface WorkerOptions {',
  ],
  [
    'poolifier',
    'the queue’s options',
    "poolifier's queue options",
    'poolifier/lib/index.d.ts',
    'interface TasksQueueOptions {',
  ],
  [
    'poolifier',
    'the members of a task function',
    "poolifier's task functions",
    'poolifier/lib/index.d.ts',
    'interface TaskFunctionObject<',
  ],
  [
    'workerpool',
    'the workers’ options',
    "workerpool's options",
    'workerpool/types/types.d.ts',
    'type WorkerRegisterOptions = {',
  ],
  [
    'jest-worker',
    'jest-worker’s options',
    "jest-worker's options",
    'jest-worker/build/index.d.ts',
    'type WorkerFarmOptions = {',
  ],
  [
    'synckit',
    'synckit’s options',
    "synckit's options",
    'synckit/lib/types.d.ts',
    'interface SynckitOptions {',
  ],
];

for (const [peer, what, heading, path, start] of cases) {
  it(`${peer}: the table has all of ${what}`, () => {
    const options = members(path, start);
    assert.ok(options.length >= 2, String(options));
    const listed = named(heading);
    assert.deepEqual(
      options.filter((option) => !listed.includes(option)),
      [],
    );
  });
}

/** The words that `pattern` finds in a package's file between `from` and `to`, each once. */
function words({ path, from, to, pattern }) {
  const text = readFileSync(new URL(`../../node_modules/${path}`, import.meta.url), 'utf8');
  const start = text.indexOf(from);
  assert.ok(start >= 0, `${path} has ${from}`);
  const body = text.slice(start, text.indexOf(to, start)).replace(/\/\*[^]*?\*\//g, '');
  return [...new Set(Array.from(body.matchAll(pattern), ([, name]) => name))];
}

const methods = /^ +(?:static )?(?:get )?(?!private|constructor)(\w+)(?:<.*>)?\(/gm;
const fields = /^ +(?:readonly )?(\w+)\??:/gm;

// Beyond options: what the tables of methods, events and the like must have. `start` is how the
// first cell of such a row begins, where the names alone would be found in others too.
const others = [
  {
    what: 'methods of piscina',
    heading: "Piscina's methods and `Pool`'s",
    path: 'piscina/dist/index.d.ts',
    from: 'class Piscina<',
    to: '\n}',
    pattern: methods,
  },
  {
    what: 'methods of tinypool',
    heading: "tinypool's methods",
    path: 'tinypool/dist/index.d.ts',
    from: 'declare class Tinypool ',
    to: '\n}',
    pattern: methods,
  },
  {
    what: 'methods of workerpool',
    heading: "workerpool's methods",
    path: 'workerpool/types/Pool.d.ts',
    from: 'declare class Pool {',
    to: '\n}',
    pattern: methods,
  },
  {
    what: 'options of a call of workerpool',
    heading: "workerpool's methods",
    path: 'workerpool/types/types.d.ts',
    from: 'type ExecOptions<',
    to: '\n}',
    pattern: fields,
  },
  {
    what: 'methods of poolifier',
    heading: "poolifier's methods",
    path: 'poolifier/lib/index.d.ts',
    from: 'interface IPool<',
    to: '\n}',
    pattern: fields,
  },
  {
    what: 'events of poolifier',
    heading: "poolifier's methods",
    start: '`PoolEvents.',
    path: 'poolifier/lib/index.d.ts',
    from: 'PoolEvents: Readonly<{',
    to: '}>',
    pattern: fields,
  },
  {
    what: 'strategies of poolifier',
    heading: "poolifier's strategies",
    path: 'poolifier/lib/index.d.ts',
    from: 'WorkerChoiceStrategies: Readonly<{',
    to: '}>',
    pattern: fields,
  },
  {
    what: 'methods of jest-worker',
    heading: "jest-worker's methods",
    path: 'jest-worker/build/index.d.ts',
    from: 'declare class Worker_2 {',
    to: '\n}',
    pattern: methods,
  },
  {
    what: 'environment variables of synckit',
    heading: "synckit's functions and environment",
    path: 'synckit/README.md',
    from: '### Envs',
    to: '### TypeScript',
    pattern: /`(SYNCKIT_\w+)`/g,
  },
];

for (const { what, heading, start, ...where } of others) {
  it(`the table has all ${what}`, () => {
    const names = words(where);
    assert.ok(names.length >= 3, String(names));
    const listed = named(heading, start).join(' ');
    assert.deepEqual(
      names.filter((name) => !new RegExp(`(?<!\\w)${name}(?!\\w)`).test(listed)),
      [],
    );
  });
}

// What is not ours, and stands in a column of ours: what a handler's file exports, and Node's own.
const runtimes = ['AbortSignal', 'MessagePort', 'export', 'finally', 'os', 'parentPort', 'using'];
const exported = ['setup', 'teardown'];

it('what the tables name of Cenote exists', () => {
  const tables = page.filter(({ text }) => text.includes('| `Pool` |'));
  assert.ok(tables.length >= 12, String(tables.length));
  for (const section of tables) {
    for (const [, ours] of rows(section)) {
      if (/ of `(node:|cenote)|that of `/.test(ours)) continue;
      for (const code of codes(ours)) {
        const [, name] = /^(?:await |new |pool\.|promise\.|context\.|options\.)*(\w+)/.exec(code);
        assert.ok(
          [...declared, ...exported, ...runtimes].includes(name),
          `${section.heading}: ${code}`,
        );
      }
    }
  }
});

// Said, and no failure: which names the pages use before the package has them.
