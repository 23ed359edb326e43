// Remembers what a build was made from, so that it is repeated only when that has changed.
//
// A stamp is a hash over the content of the inputs. It lies under `target/setup`, outside what is
// published; removing that folder forces every build.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inRoot } from './root.mjs';

function* filesUnder(path) {
  if (!existsSync(path)) return;
  if (statSync(path).isFile()) {
    yield path;
    return;
  }
  for (const name of readdirSync(path).sort()) yield* filesUnder(join(path, name));
}

/**
 * Hashes files and whole folders (given relative to the root; absent ones count as empty) and some
 * further text.
 */
export function hashOf(paths, text = '') {
  const hash = createHash('sha256').update(text);
  for (const path of paths) {
    for (const file of filesUnder(inRoot(path))) {
      const content = readFileSync(file);
      hash.update(`\0${file}\0${content.length}\0`).update(content);
    }
  }
  return hash.digest('hex');
}

const stampFile = (name) => inRoot('target', 'setup', `${name}.sha256`);

/** Whether the build `name` was last made from `hash`. */
export function isStamped(name, hash) {
  return existsSync(stampFile(name)) && readFileSync(stampFile(name), 'utf8') === hash;
}

/** Notes that the build `name` was made from `hash`. */
export function stamp(name, hash) {
  mkdirSync(dirname(stampFile(name)), { recursive: true });
  writeFileSync(stampFile(name), hash);
}
