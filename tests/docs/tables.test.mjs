// The tables of the migration page leave out no option of the pools that they are about, and name
// nothing of Cenote that is not there.
//
// The options are read from the declarations that these packages ship.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { coming, declared } from './support/declared.mjs';
import { codes, rows, sections } from './support/pages.mjs';

const page = sections('migrating.md');

/** The first cells of a section's table, as code. */
function named(heading) {
  const section = page.find((one) => one.heading === heading);
  assert.ok(section !== undefined, `there is no section "${heading}"`);
  return rows(section).flatMap(([first]) => codes(first));
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

/** The words of a package's text that `pattern` finds, each once. */
function words(path, start, end, pattern) {
  const text = readFileSync(new URL(`../../node_modules/${path}`, import.meta.url), 'utf8');
  const from = text.indexOf(start);
  assert.ok(from >= 0, `${path} has ${start}`);
  const body = text.slice(from, text.indexOf(end, from)).replace(/\/\*[^]*?\*\//g, '');
  return [...new Set(Array.from(body.matchAll(pattern), ([, name]) => name))];
}

for (const [what, heading, ...where] of [
  [
    'strategies of poolifier',
    "poolifier's strategies",
    'poolifier/lib/index.d.ts',
    'WorkerChoiceStrategies: Readonly<{',
    '}>',
    /(\w+): '/g,
  ],
  [
    'events of poolifier',
    "poolifier's methods",
    'poolifier/lib/index.d.ts',
    'PoolEvents: Readonly<{',
    '}>',
    /(\w+): '/g,
  ],
  [
    'methods of poolifier',
    "poolifier's methods",
    'poolifier/lib/index.d.ts',
    'interface IPool<',
    '\n}',
    /readonly (\w+)\??:/g,
  ],
  [
    'methods of jest-worker',
    "jest-worker's methods",
    'jest-worker/build/index.d.ts',
    'declare class Worker_2 {',
    '\n}',
    /^  (?!private|constructor)(\w+)\(/gm,
  ],
  [
    'environment of synckit',
    "synckit's functions and environment",
    'synckit/README.md',
    '### Envs',
    '### TypeScript',
    /`(SYNCKIT_\w+)`/g,
  ],
  [
    'options of a call of workerpool',
    "workerpool's methods",
    'workerpool/types/types.d.ts',
    'type ExecOptions<',
    '\n}',
    /^ +(\w+)\?:/gm,
  ],
  [
    'methods of tinypool',
    "tinypool's methods",
    'tinypool/dist/index.d.ts',
    'declare class Tinypool ',
    'static',
    /^  (?:get )?(?!constructor)(\w+)\(/gm,
  ],
]) {
  it(`the table has all ${what}`, () => {
    const names = words(...where);
    assert.ok(names.length >= 3, String(names));
    const listed = named(heading).join(' ');
    assert.deepEqual(
      names.filter((name) => !new RegExp(`(?<!\\w)${name}(?!\\w)`).test(listed)),
      [],
    );
  });
}

// What is not ours, and stands in a column of ours: what a handler's file exports, and Node's own.
const others = ['AbortSignal', 'MessagePort', 'export', 'finally', 'os', 'parentPort'];
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
          [...declared, ...coming, ...exported, ...others].includes(name),
          `${section.heading}: ${code}`,
        );
      }
    }
  }
});

// Said, and no failure: which names the pages use before the package has them.
it('nothing is described that is still to come', { todo: coming.length > 0 }, () => {
  assert.deepEqual(coming, []);
});
