// Compiles the TypeScript layer into `dist`, when a source has changed.
//
// What is published are bundles and their entries (see bundle.mjs). The files that they were made
// of lie beside them, for tests of single parts.
//
// The compiler and the bundler write to a folder aside; each file is then moved into place whole,
// the bundles first, and files without a source any more are removed. A process that runs from
// `dist` meanwhile never sees half a file, nor an entry without its bundle.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { bundle, bundles } from './bundle.mjs';
import { inRoot } from './root.mjs';
import { run } from './run.mjs';
import { say, Stop } from './say.mjs';
import { hashOf, isStamped, stamp } from './stamp.mjs';

const dist = inRoot('dist');
const source = 'bindings/node/js/src';

/** Runs `tsc` with the checkout's settings. */
export const tsc = (args) =>
  run(process.execPath, [inRoot('node_modules', 'typescript', 'bin', 'tsc'), ...args], {
    limitMs: 300_000,
  });

const filesIn = (dir) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(dir.length + 1));

/** Compiles if needed. */
export async function buildTypeScript() {
  const { devDependencies } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
  const inputs = [source, 'tsconfig.json', 'scripts/lib/bundle.mjs'];
  const hash = hashOf(inputs, JSON.stringify(devDependencies));
  const built = ['index.js', 'index.mjs', ...bundles].every((file) => existsSync(join(dist, file)));
  if (built && isStamped('typescript', hash)) return;

  say('setup: compiling TypeScript');
  const aside = inRoot('target', 'setup', `dist-${process.pid}`);
  rmSync(aside, { recursive: true, force: true });
  try {
    const { code, output } = await tsc(['--outDir', aside]);
    if (code !== 0) throw new Stop(`the TypeScript sources do not compile:\n${output}`);
    await bundle(aside);
    const made = filesIn(aside);
    const first = bundles.map((file) => join(file));
    for (const file of [...first, ...made.filter((file) => !first.includes(file))]) {
      mkdirSync(join(dist, file, '..'), { recursive: true });
      // `target` can be on another disk than `dist`; a rename within `dist` is always whole.
      const whole = join(dist, `${file}.${process.pid}`);
      cpSync(join(aside, file), whole);
      renameSync(whole, join(dist, file));
    }
    for (const file of filesIn(dist)) {
      const own = /\.(js|mjs|d\.ts|d\.mts)$/.test(file) && !file.startsWith(join('native', '/'));
      if (own && !made.includes(file)) rmSync(join(dist, file));
    }
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  stamp('typescript', hash);
}
