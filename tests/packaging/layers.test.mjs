// The house rules about how the npm package's sources hang together: which folder may import from
// which, and how long a file may be.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, it } from 'node:test';
import { root } from './fixture.mjs';

const binding = join(root, 'bindings', 'node');
const source = join(binding, 'js', 'src');

const under = (folder) =>
  readdirSync(folder, { recursive: true }).map((name) => name.replaceAll('\\', '/'));

const sources = under(source).filter((name) => /\.m?ts$/.test(name));

/** What a file imports of the package: `{ to, types }`, `to` below `src` and without its suffix. */
function importsOf(name) {
  const text = readFileSync(join(source, name), 'utf8');
  const statement =
    /^(?:import|export)\s+(type\s)?[^'";]*?from\s+'(\.[^']*)'|\b(?:import|require)\('(\.[^']*)'\)/gm;
  return [...text.matchAll(statement)].map(([, types, from, called]) => ({
    to: posix.join(dirname(name), from ?? called).replace(/\.[cm]?[jt]s$/, ''),
    types: types !== undefined,
  }));
}

const folderOf = (path) => (path.includes('/') ? path.split('/')[0] : '');

/** The imports of a folder's files that `allowed` refuses, as `file -> imported`. */
const refused = (folder, allowed) =>
  sources
    .filter((name) => folderOf(name) === folder)
    .flatMap((name) =>
      importsOf(name)
        .filter(({ to, types }) => folderOf(to) !== folder && !allowed(folderOf(to), to, types))
        .map(({ to, types }) => `${name} -> ${to}${types ? ' (types)' : ''}`),
    );

describe('the layers of the package', () => {
  it('are those that this test knows, and imports are found in them', () => {
    const folders = [...new Set(sources.map(folderOf))].sort();
    assert.deepEqual(folders, ['', 'base', 'owner', 'piscina', 'wait', 'wire', 'worker']);
    assert.ok(importsOf('owner/crew.ts').some(({ to }) => to === 'owner/worker-handle'));
    assert.ok(sources.flatMap(importsOf).some(({ types }) => types));
  });

  it('neither side imports from the other: they meet in wire/', () => {
    assert.deepEqual(
      refused('owner', (folder) => folder !== 'worker'),
      [],
    );
    assert.deepEqual(
      refused('worker', (folder) => folder !== 'owner'),
      [],
    );
  });

  it('wire/ knows neither side, and of wait/ only types', () => {
    assert.deepEqual(
      refused('wire', (folder, to, types) => {
        return folder === 'base' || to === 'errors' || (folder === 'wait' && types);
      }),
      [],
    );
  });

  it('wait/ and base/ know nothing of pools', () => {
    const upper = ['wire', 'owner', 'worker', 'piscina'];
    assert.deepEqual(
      refused('wait', (folder) => !upper.includes(folder)),
      [],
    );
    assert.deepEqual(
      refused('base', () => false),
      [],
    );
  });

  it('who looks for files of the package lies one folder deep, as the bundles do', () => {
    const looking = sources.filter((name) =>
      /\b__(dirname|filename)\b|require\('\./.test(readFileSync(join(source, name), 'utf8')),
    );
    assert.ok(looking.includes('owner/worker-file.ts') && looking.includes('wait/native.ts'));
    for (const name of looking) assert.equal(name.split('/').length, 2, name);
  });

  it('nothing but the Piscina face itself imports from piscina/', () => {
    for (const folder of ['owner', 'worker', 'wire', 'wait', 'base']) {
      assert.deepEqual(
        refused(folder, (to) => to !== 'piscina'),
        [],
      );
    }
  });
});

describe('the files of the package', () => {
  const kLines = 400;
  // Each with the reason why it is one thing all the same.
  const longer = {};

  it(`have at most ${kLines} lines, but for those that are listed with a reason`, () => {
    const lines = under(binding)
      .filter((name) => /\.(m?ts|rs)$/.test(name) && !name.includes('node_modules/'))
      .map((name) => [name, readFileSync(join(binding, name), 'utf8').split('\n').length - 1]);
    assert.ok(lines.length > 50);
    assert.deepEqual(
      lines.filter(([name, count]) => count > (longer[name]?.lines ?? kLines)),
      [],
    );
    // An exception that is not needed any more goes.
    const needless = Object.keys(longer).filter(
      (name) => !lines.some(([other, count]) => other === name && count > kLines),
    );
    assert.deepEqual(needless, []);
  });
});
