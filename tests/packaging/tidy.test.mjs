// The house rules that a machine can check, over every file of the checkout and over what is built
// for publishing.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { root } from './fixture.mjs';

const read = (...path) => readFileSync(join(root, ...path), 'utf8');

// The folders that a .gitignore names, and git's own.
const ignored = new Set(['.git']);

function* files(dir = '') {
  const inDir = (name) => (dir === '' ? name : `${dir}/${name}`);
  if (existsSync(join(root, dir, '.gitignore'))) {
    for (const [, name] of read(dir, '.gitignore').matchAll(/^\/(.+)\/$/gm))
      ignored.add(inDir(name));
  }
  for (const entry of readdirSync(join(root, dir), { withFileTypes: true })) {
    const path = inDir(entry.name);
    if (ignored.has(path)) continue;
    if (entry.isDirectory()) yield* files(path);
    else if (entry.isFile()) yield path;
  }
}

const tracked = [...files()];

const kWidth = 100;

// No formatter breaks these, and nobody reads them word by word: a table, the definition of a link,
// and a line that is one word after its mark, as an address is.
const whole = /^\s*(?:\/\/[/!]? )?(?:\||\[[^\]]+\]: \S+$|(?:[-*>] |\/\/[/!]? |# )*\S+$)/;
const comment = /^\s*(?:\/\/|\/?\*|#)/;
const literal = /(['"`])(?:\\.|(?!\1).)*\1?|\/(?![/*])(?:\\.|[^/\\])+\//g;

/** Whether a line is wider than it may be. In code, a string or a regular expression may be. */
function isWide(path, line) {
  if ([...line].length <= kWidth || whole.test(line)) return false;
  const prose = path.endsWith('.md') || comment.test(line);
  return prose || [...line.replace(literal, '')].length > kWidth;
}

describe('house rules', () => {
  it('finds the files it is about', () => {
    for (const path of [
      'package.json',
      'crates/park/src/lib.rs',
      'bindings/node/js/src/index.ts',
    ]) {
      assert.ok(tracked.includes(path), path);
    }
  });

  it('every source file says in its first line what it is', () => {
    const silent = tracked.filter((path) => {
      // A crate may take its documentation from its README.
      if (path.endsWith('.rs')) return !/^(\/\/! \S|#!\[doc = include_str!\()/.test(read(path));
      return (
        /\.[cm]?[jt]s$/.test(path) &&
        !/^(#!.*\n)?('use strict';\n+)?(\/\/ \S|\/\*)/.test(read(path))
      );
    });
    assert.deepEqual(silent, []);
  });

  it('one version everywhere', () => {
    const { version } = JSON.parse(read('package.json'));
    const cargo = read('Cargo.toml');
    assert.equal(/^version = "(.+)"$/m.exec(cargo)[1], version, 'Cargo.toml, [workspace.package]');
    for (const match of cargo.matchAll(/^(cenote[\w-]*) = .*version = "([^"]+)"/gm)) {
      assert.equal(match[2], version, `Cargo.toml, ${match[1]}`);
    }
    assert.equal(JSON.parse(read('package-lock.json')).version, version, 'package-lock.json');
    assert.equal(
      /^## \[([^\]]+)\]/m.exec(read('CHANGELOG.md'))[1],
      version,
      'CHANGELOG.md, newest heading',
    );
  });

  it('no crate that we build on needs a newer compiler than we say', () => {
    const manifest = read('Cargo.toml');
    const floor = /^rust-version = "(\d+\.\d+)"$/m.exec(manifest)[1];
    const metadata = JSON.parse(
      execFileSync('cargo', ['metadata', '--locked', '--all-features', '--format-version=1'], {
        cwd: root,
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
      }),
    );
    const packages = new Map(metadata.packages.map((one) => [one.id, one]));
    const nodes = new Map(metadata.resolve.nodes.map((one) => [one.id, one]));
    // From what is published, through everything that its users build: not what only our tests
    // need.
    const published = ['cenote', 'cenote-park', 'cenote-metrics', 'cenote-napi', 'cenote-node'];
    const reached = new Set(
      metadata.packages.filter(({ name, source }) => source === null && published.includes(name)),
    );
    assert.equal(reached.size, published.length);
    for (const { id } of reached) {
      for (const { pkg, dep_kinds: kinds } of nodes.get(id).deps) {
        if (kinds.some(({ kind }) => kind !== 'dev')) reached.add(packages.get(pkg));
      }
    }
    const number = (version) =>
      version.split('.').reduce((sum, part, i) => sum + Number(part) / 1_000 ** i, 0);
    const newer = [...reached].filter(
      ({ rust_version: needs }) => needs && number(needs) > number(floor),
    );
    assert.deepEqual(
      newer.map(
        ({ name, version, rust_version: needs }) => `${name} ${version} needs Rust ${needs}`,
      ),
      [],
    );
    assert.ok(
      read('.github', 'workflows', 'ci.yml').includes(`cargo +${floor} check`),
      'the job that tries it',
    );
  });

  it('the pinned tools are pinned exactly', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json'));
    assert.equal(dependencies, undefined, 'the package itself needs nothing');
    // Exactly, too, under another name: `npm:piscina@6.0.0-rc.1`.
    for (const [name, range] of Object.entries(devDependencies))
      assert.match(range, /^(?:npm:[\w@/-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/, name);
  });

  it('no published declaration says any, but where Piscina’s or the runtime’s say it', () => {
    const declarations = readdirSync(join(root, 'dist'), { recursive: true }).filter(
      (name) =>
        /\.d\.m?ts$/.test(name) &&
        !name.startsWith(join('native', '/')) &&
        !name.startsWith('piscina') &&
        name !== join('base', 'intrinsics.d.ts'),
    );
    assert.ok(declarations.includes('index.d.ts') && declarations.includes('index.d.mts'));
    for (const name of declarations) {
      const code = read('dist', name).replace(/\/\*[^]*?\*\/|\/\/.*$/gm, '');
      assert.doesNotMatch(code, /\bany\b/, name);
    }
  });

  it('no file names a path of somebody’s machine, or a registry', () => {
    // Put together here, so that this file does not contain what it looks for.
    const slash = '/';
    const traces = [
      new RegExp(`(^|[\\s"'\`(=])${slash}(root|home|Users|work)${slash}\\w`, 'm'),
      new RegExp(`${'C:'}\\\\\\\\?Users`),
      new RegExp(['registry', 'npmjs', 'org'].join('\\.')),
    ];
    for (const path of tracked) {
      const content = read(path);
      for (const trace of traces) assert.doesNotMatch(content, trace, path);
    }
  });

  it('a lock file says what, not from where', () => {
    for (const path of tracked.filter((name) => name.endsWith('package-lock.json'))) {
      assert.doesNotMatch(read(path), /"resolved"/, path);
    }
  });

  it('both licences that package.json names are there', () => {
    assert.equal(JSON.parse(read('package.json')).license, 'MIT OR Apache-2.0');
    assert.ok(existsSync(join(root, 'LICENSE-MIT')) && existsSync(join(root, 'LICENSE-APACHE')));
  });

  it(`one width of ${kWidth}: code, comments and prose`, () => {
    const wide = [];
    for (const path of tracked.filter((name) => /\.([cm]?[jt]s|rs|md|toml|ya?ml)$/.test(name))) {
      read(path)
        .split('\n')
        .forEach((line, i) => {
          if (isWide(path, line)) wide.push(`${path}:${i + 1}: ${line.trim().slice(0, 60)}…`);
        });
    }
    // The difference of two lists would be cut short.
    assert.ok(wide.length === 0, `${wide.length} lines are too wide:\n${wide.join('\n')}`);
  });

  it('knows what is too wide', () => {
    const long = 'word '.repeat(20);
    for (const [path, line, expected] of [
      ['a.md', `${long}word`, true],
      ['a.md', `| ${long} | cell |`, false],
      ['a.md', `[label]: https://example.org/${'x'.repeat(100)}`, false],
      ['a.md', `https://example.org/${'x'.repeat(100)}`, false],
      ['a.rs', `// ${long}word`, true],
      ['a.rs', `//! | ${long} | cell |`, false],
      ['a.mjs', `const a = '${long}word';`, false],
      ['a.mjs', `const a = '${long}' + ${'b + '.repeat(25)}c;`, true],
      ['a.mjs', `call(${'word, '.repeat(20)})`, true],
      ['a.toml', `# ${long}word`, true],
      ['a.toml', `description = "${long}word"`, false],
    ]) {
      assert.equal(isWide(path, line), expected, `${path}: ${line}`);
    }
  });
});
