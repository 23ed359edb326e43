// Which crates a program builds for `cenote`, without a feature and with each one, as Cargo
// resolves them by the lock file.

import { execFileSync } from 'node:child_process';
import { features } from './cargo-features.mjs';
import { root } from './root.mjs';

// Which crates are built depends on the system.
const target = 'x86_64-unknown-linux-gnu';

const nameOf = (crate) => crate.split(' ')[0];

/** Each as `name version`, in the order of names; `cenote` is among them. */
export function cratesWith(feature) {
  const tree = execFileSync(
    'cargo',
    [
      ...['tree', '--locked', '--package', 'cenote', '--edges', 'normal', '--prefix', 'none'],
      ...['--target', target, '--format', '{p}'],
      ...(feature === undefined ? [] : ['--features', feature]),
    ],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  // After the version comes whether it is listed above, and the folder of our own.
  const crates = tree.split('\n').map((line) => line.split(' ').slice(0, 2).join(' '));
  return [...new Set(crates)].filter((crate) => crate !== '').sort();
}

const row = (feature, crates) => {
  const names = crates.map((crate) => `\`${nameOf(crate)}\``).join(', ');
  return `| ${feature} | ${crates.length}: ${names} |`;
};

/** The table of `crates/cenote/README.md`. */
export function table() {
  const plain = cratesWith(undefined);
  const rows = features()
    .filter((name) => name.startsWith('cenote/'))
    .map((name) => name.slice('cenote/'.length))
    .sort()
    .map((name) => {
      const added = cratesWith(name).filter((crate) => !plain.includes(crate));
      return row(`\`${name}\` adds`, added);
    });
  return ['| features | crates |', '|---|---|', row('none', plain), ...rows].join('\n');
}
