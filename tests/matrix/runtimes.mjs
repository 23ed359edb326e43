// The runtimes of the matrix: where their binaries are, once the packages that carry them are
// installed.
//
// package.json and package-lock.json beside this file pin them. They are installed, without running
// any of their scripts, into a folder under `target`, which outlives `npm ci`.

import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { installLocked } from '../../scripts/lib/install.mjs';
import { inRoot } from '../../scripts/lib/root.mjs';

const folder = inRoot('target', 'matrix');
const binary = (...path) => join(folder, 'node_modules', ...path);

/**
 * Whether the pinned packages are for this machine: they carry binaries for Linux on x64 with
 * glibc.
 */
export const supported =
  process.platform === 'linux' &&
  process.arch === 'x64' &&
  Boolean(process.report.getReport().header.glibcVersionRuntime);

/** Runtimes with libuv, which run the Node tests too. */
export const nodes = [22, 24, 26].map((major) => ({
  name: `Node ${major}`,
  major,
  command: binary(`node-${major}`, 'bin', 'node'),
}));

/** Runtimes without libuv, which wait portably. */
export const others = [
  { name: 'Bun', command: binary('bun', 'bin', 'bun'), args: ['run'] },
  {
    name: 'Deno',
    command: binary('deno', 'deno'),
    args: ['run', '--quiet', '--no-prompt', '--allow-all'],
  },
];

/** Installs the runtimes, unless they are installed already. */
export async function installRuntimes() {
  mkdirSync(folder, { recursive: true });
  for (const file of ['package.json', 'package-lock.json'])
    copyFileSync(inRoot('tests', 'matrix', file), join(folder, file));
  await installLocked(folder, 'Node 22, 24 and 26, Bun and Deno for the matrix');
}
