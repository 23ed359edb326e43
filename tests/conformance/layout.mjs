// Lays out a package named `piscina` under `target/conformance`, which Piscina's tests run against:
// Piscina's own package.json and tests, byte for byte, with another implementation behind them.
//
// Guarantees: the folder is made anew each time; the tests in it are those that the checked-in list
// was recorded from, or it throws.
//
// The tests import `..`, `../dist`, a few internal helpers under `../dist`, and `piscina` itself.
// For ours, `dist/` is the folder `shim/` beside this file, which finds `cenote` as any package
// would, through a link in a `node_modules` above. For Piscina's, it is a copy of Piscina's own.

import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inRoot, root } from '../../scripts/lib/root.mjs';
import { Stop } from '../../scripts/lib/say.mjs';

const piscina = inRoot('node_modules', 'piscina');
const shim = fileURLToPath(new URL('shim', import.meta.url));

// Only so that none further up is found: imports that are only types have to vanish, as in
// Piscina's own build.
const tsconfig = {
  compilerOptions: { target: 'es2022', module: 'commonjs', esModuleInterop: true },
};

const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    // `parentPath` is newer than Node 20.12, and what was there before it is gone in Node 24.
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .map((name) => name.replaceAll('\\', '/'))
    .sort();

/** One hash over the names and the bytes of all files in a folder. */
function hashOf(folder) {
  const hash = createHash('sha256');
  for (const name of filesIn(folder)) {
    const bytes = readFileSync(join(folder, name));
    hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  }
  return `sha256-${hash.digest('hex')}`;
}

/** The hash of the tests that the installed Piscina came with. */
export const hashOfTests = () => hashOf(join(piscina, 'test'));

/** The version of the installed Piscina. */
export const installedVersion = () =>
  JSON.parse(readFileSync(join(piscina, 'package.json'), 'utf8')).version;

function linkCenote() {
  const modules = inRoot('target', 'conformance', 'node_modules');
  const link = join(modules, 'cenote');
  mkdirSync(modules, { recursive: true });
  // Removes the link, never what it leads to.
  rmSync(link, { recursive: true, force: true });
  symlinkSync(root, link, 'junction');
}

/**
 * Makes the package, with `against` (`cenote` or `piscina`) behind the tests; `tests` is the hash
 * that they must have. Returns its folder and the names of its test files.
 */
export function layOut(against, tests) {
  const folder = inRoot('target', 'conformance', against === 'cenote' ? 'piscina' : 'original');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(piscina, 'package.json'), join(folder, 'package.json'));
  cpSync(join(piscina, 'test'), join(folder, 'test'), { recursive: true });
  cpSync(against === 'cenote' ? shim : join(piscina, 'dist'), join(folder, 'dist'), {
    recursive: true,
  });
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
  linkCenote();
  if (hashOf(join(folder, 'test')) !== tests) {
    throw new Stop(
      'the tests of the installed Piscina are not, byte for byte, those that the list was recorded from',
    );
  }
  return {
    folder,
    files: readdirSync(join(folder, 'test')).filter((name) => name.endsWith('.test.ts')),
  };
}
