// The features of the workspace's crates, as Cargo itself knows them.

import { execFileSync } from 'node:child_process';
import { root } from './root.mjs';

// It exchanges the futex of the whole workspace, so it is tested by a suite of its own.
const apart = ['cenote-park/portable-futex'];

let known;

/** Every feature that can be on beside the others, as `crate/feature`. */
export function features() {
  known ??= JSON.parse(
    execFileSync('cargo', ['metadata', '--no-deps', '--format-version=1'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    }),
  )
    .packages.flatMap((crate) => Object.keys(crate.features).map((name) => `${crate.name}/${name}`))
    .filter((name) => !name.endsWith('/default') && !apart.includes(name));
  return known;
}
