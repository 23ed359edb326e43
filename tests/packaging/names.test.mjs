// What the documentation and the sources name exists: files in prose, and users of exports.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { root } from './fixture.mjs';

const read = (path) => readFileSync(join(root, path), 'utf8');

const list = (dir, pattern) =>
  readdirSync(join(root, dir), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !path.includes('node_modules/'));

const package_ = 'bindings/node/js/src';
const crates = ['crates/cenote', 'crates/metrics', 'crates/napi', 'crates/park'];
const folders = [package_, 'bindings/node/src', 'crates/cenote/src', 'crates/park/src'];

/** Sources, tests and documents: what prose may name. */
const known = [
  ...['ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'Cargo.toml', 'README.md'],
  ...['package.json', '.ci/run', '.config/nextest.toml'],
  ...['benches', 'bindings', 'crates', 'docs', 'examples', 'scripts', 'tests'].flatMap((dir) =>
    list(dir, /\.(?:[cm]?[jt]s|rs|md|json|toml)$/),
  ),
];

/** Made by commands. */
const made = new Set(['target/test-times.json']);

/** Whether there is such a file: at the root, in a folder of sources, or beside who names it. */
function exists(name, namedIn) {
  if (made.has(name)) return true;
  const beside = namedIn.slice(0, namedIn.lastIndexOf('/') + 1);
  const pattern = new RegExp(
    `^${name.replace(/[.+^$()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')}$`,
  );
  const starts = ['', beside, ...[...folders, ...crates].map((folder) => `${folder}/`)];
  // A bare name is that of a file in one of the folders below.
  const matches = (path) =>
    starts.some((start) => path.startsWith(start) && pattern.test(path.slice(start.length))) ||
    (!name.includes('/') && pattern.test(path.slice(path.lastIndexOf('/') + 1)));
  return known.some(matches);
}

/** The comments of a source file. */
function comments(text) {
  return [...text.matchAll(/^\s*(?:\/\/.*|\/?\*.*)$/gm)].map(([line]) => line).join('\n');
}

const file = /(?<![\w./*-])(?:[\w*-]+\/)*[\w.*-]*[\w*]\.(?:rs|[cm]?[jt]s|md)(?![\w-])/g;

describe('names', () => {
  it('every file that the documents name in backticks exists', () => {
    const missing = [];
    for (const path of ['ARCHITECTURE.md', 'docs/decisions.md', 'CONTRIBUTING.md']) {
      let count = 0;
      for (const [, quoted] of read(path).matchAll(/`([^`\n]+)`/g)) {
        if (!/^[\w./*-]+\.(?:rs|[cm]?[jt]s|md|json|toml)$/.test(quoted)) continue;
        count++;
        // What is built is not in the tree.
        if (!quoted.startsWith('dist/') && !exists(quoted, path))
          missing.push(`${path}: ${quoted}`);
      }
      assert.ok(count > 0, path);
    }
    assert.deepEqual(missing, []);
  });

  it('every file that the comments of the npm package name exists', () => {
    const missing = [];
    let count = 0;
    for (const path of [...list(package_, /\.m?ts$/), ...list('bindings/node/src', /\.rs$/)]) {
      for (const [name] of comments(read(path)).matchAll(file)) {
        count++;
        // Somebody else's: in an example, or Node's.
        if (/^(?:worker|main)\.[cm]?js$/.test(name)) continue;
        if (!exists(name, path)) missing.push(`${path}: ${name}`);
      }
    }
    assert.ok(count > 10);
    assert.deepEqual(missing, []);
  });

  it('every export of the npm package is imported somewhere', () => {
    // What users import, and what workers load as a file of handlers.
    const names = ['index.ts', 'piscina.ts', 'worker/exec.ts'];
    const entries = new Set(names.map((name) => `${package_}/${name}`));
    const sources = list(package_, /\.m?ts$/);
    const used = new Set();
    const others = ['tests', 'scripts', 'benches'].flatMap((dir) => list(dir, /\.[cm]?js$/));
    for (const path of [...sources, ...others]) {
      const text = read(path);
      for (const [, names] of text.matchAll(/^(?:import|export) (?:type )?\{([^}]*)\} from/gm)) {
        for (const name of names.split(','))
          used.add(
            name
              .replace(/^\s*type /, '')
              .split(' as ')[0]
              .trim(),
          );
      }
      for (const [, namespace] of text.matchAll(/^import (?:type )?\* as (\w+) from '\.{1,2}\//gm))
        for (const [, name] of text.matchAll(new RegExp(`\\b${namespace}\\.(\\w+)`, 'g')))
          used.add(name);
      // From what is built: by `require` and `import()`.
      if (path.endsWith('ts')) continue;
      for (const [, names] of text.matchAll(
        /const \{([^}]*)\} =\s*(?:await\s+import|require)\w*\(/g,
      ))
        for (const name of names.split(',')) used.add(name.split(':')[0].trim());
    }
    const unused = [];
    for (const path of sources.filter((path) => !entries.has(path) && path.endsWith('.ts'))) {
      const text = read(path);
      const kinds = 'const enum|const|let|function\\*?|class|interface|type|enum';
      const declared = new RegExp(
        `^export (?:declare |abstract |async )*(?:${kinds}) (?:(\\w+)|\\{([^}]*)\\})`,
        'gm',
      );
      for (const [, name, pattern] of text.matchAll(declared)) {
        const names = pattern?.split(',').map((one) => one.split(':').at(-1).trim()) ?? [name];
        unused.push(
          ...names.filter((one) => one !== '' && !used.has(one)).map((one) => `${path}: ${one}`),
        );
      }
    }
    assert.deepEqual(unused, []);
  });
});
