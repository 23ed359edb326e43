// Where the competitors' packages are found, and whether they can run here.

import { createRequire } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of this checkout. */
export const kCheckout = fileURLToPath(new URL('../../..', import.meta.url));

/** Finds modules as a file of the benchmarks does. */
export const requireHere = createRequire(import.meta.url);

/** Finds modules as a file in `checkout` does; there `cenote` is that checkout's own build. */
export const requireFrom = (checkout) => createRequire(join(checkout, 'package.json'));

const readManifest = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

/** The file that importing the package in `folder` loads: as published, or else its source. */
export function entryOf(folder) {
  const { exports, main } = readManifest(folder);
  const entry = join(folder, exports?.['.']?.default ?? main);
  return existsSync(entry) ? entry : entry.replace(/\.js$/, '.ts');
}

/** The package `name` that the file `entry` belongs to: { folder, manifest }, or undefined. */
function packageOf(entry, name) {
  // Not every package exports its package.json, so it is searched upwards from the entry.
  for (let folder = dirname(entry); ; folder = dirname(folder)) {
    try {
      const manifest = readManifest(folder);
      if (manifest.name === name) return { folder, manifest };
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    if (dirname(folder) === folder) return undefined;
  }
}

/** The major version of Node that a package needs, or 0 where it does not say it in this form. */
function neededNode({ engines }) {
  return Number(/^>=\s*(\d+)[\w.]*$/.exec(engines?.node ?? '')?.[1] ?? 0);
}

/**
 * The version and the folder of a competitor's package, or the reason why it cannot run. What has
 * no package comes with Node.
 * @param pool one of pools.mjs
 * @param where { checkout, folder }, as for its `start`
 * @returns {{ version: string, folder?: string } | { missing: string }}
 */
export function lookUp(pool, { checkout = kCheckout, folder: given } = {}) {
  if (!pool.module) return { version: process.versions.node };
  const name = pool.from ?? pool.module;
  let entry;
  try {
    const { resolve } = pool.peer ? requireHere : requireFrom(checkout);
    entry = pool.given ? entryOf(given) : resolve(pool.module);
  } catch {
    if (pool.given) return { missing: `not in ${given}` };
    return { missing: pool.peer ? 'not installed (npm install)' : 'not built (npm run build)' };
  }
  const found = packageOf(entry, name);
  if (!found) return { missing: `no package.json of ${name} above its entry` };
  const { folder, manifest } = found;
  // Some manifests say v6.0.0.
  const version = manifest.version.replace(/^v/, '');
  const needed = neededNode(manifest);
  if (Number.parseInt(process.versions.node, 10) < needed)
    return { missing: `${version} needs Node ${needed} or newer` };
  return { version, folder };
}
