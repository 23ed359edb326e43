// Brings a folder's `node_modules` into step with its package-lock.json, by `npm ci`, and only when
// it is not.
//
// npm leaves `node_modules/.package-lock.json`, which says what it really installed. The folder is
// in step when every locked package is there in the locked version and with the locked hash. An
// optional package may be absent (it is for another platform), but not different.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run.mjs';
import { say, Stop } from './say.mjs';

const packagesOf = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;

function inStep(dir) {
  const installedFile = join(dir, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const locked = packagesOf(join(dir, 'package-lock.json'));
  const installed = packagesOf(installedFile);
  return Object.entries(locked).every(([path, wanted]) => {
    if (path === '') return true;
    const found = installed[path];
    if (found === undefined) return wanted.optional === true;
    return (
      found.version === wanted.version &&
      found.integrity === wanted.integrity &&
      existsSync(join(dir, path))
    );
  });
}

/** Runs `npm`. On Windows that is a batch file, which needs a shell. */
export const npm = (args, options) =>
  process.platform === 'win32'
    ? run('cmd', ['/d', '/s', '/c', 'npm', ...args], options)
    : run('npm', args, options);

/**
 * Installs what `dir/package-lock.json` locks, if it is not installed already. No package runs a
 * script.
 */
export async function installLocked(dir, what) {
  if (inStep(dir)) return;
  say(`setup: installing ${what}`);
  const { code, output } = await npm(
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: dir,
      limitMs: 600_000,
    },
  );
  if (code !== 0) throw new Stop(`\`npm ci\` failed in ${dir}:\n${output}`);
}
