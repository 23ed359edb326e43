// What the package declares, by name: options, methods, events, and what a handler's context has.
//
// `coming` are names that the pages may use before a declaration has them. One that is declared has
// no place there any more; the tests say which those are.

import { readFileSync } from 'node:fs';

const read = (name) =>
  readFileSync(new URL(`../../../dist/${name}.d.ts`, import.meta.url), 'utf8').replace(
    /\/\*[^]*?\*\//g,
    '',
  );

const files = [
  'index',
  'options',
  'run-options',
  'map',
  'lane',
  'pool',
  'pool-events',
  'worker/task-context',
];

/** Every name that a public declaration of the package defines or exports. */
export const declared = new Set(
  files.flatMap((file) =>
    Array.from(read(file).matchAll(/^ +(?:readonly |get )*(\w+)[?(<:]/gm), ([, name]) => name),
  ),
);
for (const [, names] of read('index').matchAll(/^export (?:type )?\{([^}]*)\}/gm)) {
  for (const name of names.split(',')) declared.add(name.replace('type ', '').trim());
}

/** Names of what is described before it is there. */
export const coming = [
  'broadcast',
  'coalesce',
  'drain',
  'exec',
  'full',
  'group',
  'isolate',
  'key',
  'onProgress',
  'priority',
  'recycle',
  'report',
  'resize',
  'restart',
  'retry',
  'runSync',
  'runtime',
  'stream',
  'tasks',
  'transform',
  'watch',
].filter((name) => !declared.has(name));
