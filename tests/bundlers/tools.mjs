// The bundlers that these tests run, once they are installed.
//
// package.json and package-lock.json beside this file pin them. They are installed, without running
// any of their scripts, into a folder under `target`, which outlives `npm ci`.

import { copyFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { installLocked } from '../../scripts/lib/install.mjs';
import { inRoot } from '../../scripts/lib/root.mjs';

const folder = inRoot('target', 'bundlers');

/** A PATH on which the bundlers come first. */
export const path = [join(folder, 'node_modules', '.bin'), process.env.PATH].join(delimiter);

/** Loads one of the packages. */
export const load = createRequire(join(folder, 'package.json'));

/** Installs the bundlers, unless they are installed already. */
export async function installBundlers() {
  mkdirSync(folder, { recursive: true });
  for (const file of ['package.json', 'package-lock.json'])
    copyFileSync(inRoot('tests', 'bundlers', file), join(folder, file));
  await installLocked(folder, 'the bundlers');
}
