// The tables of the migration page leave out no option of the pools that they are about.
//
// The options are read from the declarations that these packages ship.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
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
  return Array.from(body.matchAll(/^\s+(?:readonly )?(\w+)\?:/gm), ([, name]) => name);
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
];

for (const [peer, what, heading, path, start] of cases) {
  it(`${peer}: the table has all of ${what}`, () => {
    const options = members(path, start);
    assert.ok(options.length >= 3, String(options));
    const listed = named(heading);
    assert.deepEqual(
      options.filter((option) => !listed.includes(option)),
      [],
    );
  });
}

it('the options of Cenote that the tables name exist', () => {
  const declared = readFileSync(new URL('../../dist/options.d.ts', import.meta.url), 'utf8');
  for (const [, , heading] of cases) {
    const section = page.find((one) => one.heading === heading);
    for (const [, ours] of rows(section)) {
      if (ours.startsWith('event ') || ours.startsWith('the export ')) continue;
      for (const option of codes(ours))
        assert.match(declared, new RegExp(`readonly ${option}\\?:`), option);
    }
  }
});
