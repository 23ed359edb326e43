// Brings `node_modules` into step with package-lock.json, by `npm ci`, and only when it is not.
//
// npm leaves `node_modules/.package-lock.json`, which says what it really installed. The folder is in step when
// every locked package is there in the locked version and with the locked hash. An optional package may be absent
// (it is for another platform), but not different.

import { existsSync, readFileSync } from 'node:fs';
import { inRoot } from './root.mjs';
import { run } from './run.mjs';
import { say, Stop } from './say.mjs';

const packagesOf = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;

function inStep() {
  const installedFile = inRoot('node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const locked = packagesOf(inRoot('package-lock.json'));
  const installed = packagesOf(installedFile);
  return Object.entries(locked).every(([path, wanted]) => {
    if (path === '') return true;
    const found = installed[path];
    if (found === undefined) return wanted.optional === true;
    return found.version === wanted.version && found.integrity === wanted.integrity && existsSync(inRoot(path));
  });
}

/** `npm`, as the script's own Node would run it: on Windows it is a batch file, which needs a shell. */
export const npm = (args, options) =>
  process.platform === 'win32' ? run('cmd', ['/d', '/s', '/c', 'npm', ...args], options) : run('npm', args, options);

/** Installs the locked packages if `node_modules` is missing or out of step. */
export async function installPackages() {
  if (inStep()) return;
  say('setup: installing the npm packages of the lock file');
  const { code, output } = await npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], { limitMs: 600_000 });
  if (code !== 0) throw new Stop(`\`npm ci\` failed:\n${output}`);
}
