// An install of the packed tarballs, as a user without Rust and without a network makes it.
//
// `install()` packs the checkout, then runs `npm install` on the tarballs in an empty folder. The
// PATH of everything that runs there holds Node, npm and a shell, nothing else; npm has an empty
// cache and no registry it could reach.

import { execFile } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const run = promisify(execFile);
const limit = { timeout: 300_000, maxBuffer: 64 * 1024 * 1024 };

function onPath(name) {
  for (const dir of process.env.PATH.split(delimiter)) {
    try {
      return realpathSync(join(dir, name));
    } catch {
      // Not in this one.
    }
  }
  throw new Error(`${name} is not on the PATH`);
}

/** Runs `npm run pack` and returns the tarballs it leaves, as absolute paths. */
export async function packCheckout() {
  await run(process.execPath, [join(root, 'scripts', 'pack.mjs')], { cwd: root, ...limit });
  const out = join(root, 'out');
  return readdirSync(out)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => join(out, name));
}

/**
 * Installs `tarballs` in an empty folder. Returns the folder, the environment it was made with,
 * and: `node(...args)` runs Node there and resolves to its stdout and stderr; `write(name, text)`
 * puts a file there; `remove()` deletes it.
 */
export async function install(tarballs) {
  const home = mkdtempSync(join(tmpdir(), 'cenote-install-'));
  const [bin, folder] = [join(home, 'bin'), join(home, 'app')];
  mkdirSync(bin);
  mkdirSync(folder);
  symlinkSync(process.execPath, join(bin, 'node'));
  symlinkSync(onPath('npm'), join(bin, 'npm'));
  symlinkSync(onPath('sh'), join(bin, 'sh'));
  const env = {
    PATH: bin,
    HOME: home,
    npm_config_cache: join(home, 'cache'),
    npm_config_offline: 'true',
    npm_config_registry: 'http://127.0.0.1:9/',
    npm_config_update_notifier: 'false',
  };
  const write = (name, text) => writeFileSync(join(folder, name), text);
  const node = (...args) => run(process.execPath, args, { cwd: folder, env, ...limit });
  const remove = () => rmSync(home, { recursive: true, force: true });
  try {
    write('package.json', JSON.stringify({ name: 'app', private: true }));
    await run(join(bin, 'npm'), ['install', ...tarballs], { cwd: folder, env, ...limit });
  } catch (error) {
    remove();
    throw error;
  }
  return { folder, env, node, write, remove };
}
