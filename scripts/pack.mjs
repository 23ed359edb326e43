// `npm run pack`: builds, then leaves in `out/` what is published: the package `cenote`, and one
// platform package for each binary there is (this machine's, or also others' collected in a
// folder).
//
// Usage: node scripts/pack.mjs [--binaries DIR]
//
// The package `cenote` has no binary and no install script. Of the platform packages, its
// optionalDependencies name those that are packed together with it, and no others, so that no
// install asks for a package that does not exist. npm installs the one that fits the machine, and
// the loader in `dist/native` finds it. To publish: `npm publish` each tarball, the platform
// packages first.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { binariesIn, nativeDir } from './lib/addon.mjs';
import { npm } from './lib/install.mjs';
import { prepare } from './lib/prepare.mjs';
import { inRoot, root } from './lib/root.mjs';
import { run } from './lib/run.mjs';
import { main, say, Stop } from './lib/say.mjs';

const stage = inRoot('target', 'pack');
const out = inRoot('out');
const licences = ['LICENSE-APACHE', 'LICENSE-MIT'];
const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));
const writeJson = (file, value) => writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);

/**
 * `cenote.linux-x64-gnu.node` -> `linux-x64-gnu`, for every binary in the folders; the first folder
 * wins.
 */
function findBinaries(dirs) {
  const found = new Map();
  for (const dir of dirs) {
    for (const name of binariesIn(dir)) {
      const platform = name.slice('cenote.'.length, -'.node'.length);
      if (!found.has(platform)) found.set(platform, join(dir, name));
    }
  }
  return found;
}

/**
 * Lays out the platform packages as napi-rs does: `npm/<platform>/`, one binary each. Returns their
 * folders.
 */
async function stagePlatforms(binaries, manifest) {
  writeJson(join(stage, 'package.json'), manifest);
  const npmDirs = join(stage, 'npm');
  mkdirSync(npmDirs, { recursive: true });
  const cli = inRoot('node_modules', '@napi-rs', 'cli', 'dist', 'cli.js');
  const { code, output } = await run(process.execPath, [
    cli,
    'create-npm-dirs',
    '--cwd',
    stage,
    '--npm-dir',
    'npm',
  ]);
  if (code !== 0) throw new Stop(`napi-rs could not lay out the platform packages:\n${output}`);
  const dirs = [];
  for (const [platform, file] of binaries) {
    const dir = join(npmDirs, platform);
    if (!existsSync(dir))
      throw new Stop(`${file} is for a platform that package.json's "napi.targets" does not list`);
    cpSync(file, join(dir, `cenote.${platform}.node`));
    for (const licence of licences) cpSync(inRoot(licence), join(dir, licence));
    const platformManifest = readJson(join(dir, 'package.json'));
    platformManifest.files.push(...licences);
    writeJson(join(dir, 'package.json'), platformManifest);
    dirs.push(dir);
  }
  return dirs;
}

/**
 * Lays out the package `cenote`: package.json without what only a checkout needs, plus the platform
 * packages.
 */
function stageRoot(manifest, platformDirs) {
  const dir = join(stage, 'cenote');
  const { scripts, devDependencies, overrides, napi, ...published } = manifest;
  const platforms = platformDirs
    .map((platformDir) => readJson(join(platformDir, 'package.json')))
    .map(({ name, version }) => [name, version]);
  published.optionalDependencies = {
    ...manifest.optionalDependencies,
    ...Object.fromEntries(platforms),
  };
  cpSync(inRoot('dist'), join(dir, 'dist'), { recursive: true });
  cpSync(inRoot('docs'), join(dir, 'docs'), { recursive: true });
  for (const file of ['README.md', 'CHANGELOG.md', ...licences]) {
    if (existsSync(inRoot(file))) cpSync(inRoot(file), join(dir, file));
  }
  writeJson(join(dir, 'package.json'), published);
  return dir;
}

async function pack(dir) {
  const { code, output } = await npm(
    ['pack', '--pack-destination', out, '--ignore-scripts', '--loglevel=error'],
    {
      cwd: dir,
    },
  );
  if (code !== 0) throw new Stop(`\`npm pack\` failed in ${dir}:\n${output}`);
  say(`pack: ${relative(root, join(out, output.trim().split('\n').at(-1)))}`);
}

await main(async () => {
  const [option, dir] = process.argv.slice(2);
  if (option === '--refuse-publish') {
    throw new Stop(
      'publish the tarballs that `npm run pack` leaves in out/: only they name the platform packages.',
    );
  }
  if (option !== undefined && (option !== '--binaries' || dir === undefined))
    throw new Stop('usage: npm run pack -- [--binaries DIR]');
  await prepare();
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  mkdirSync(out, { recursive: true });
  for (const name of readdirSync(out)) if (name.endsWith('.tgz')) rmSync(join(out, name));
  const manifest = readJson(inRoot('package.json'));
  const platformDirs = await stagePlatforms(
    findBinaries([nativeDir, ...(dir === undefined ? [] : [dir])]),
    manifest,
  );
  for (const platformDir of platformDirs) await pack(platformDir);
  await pack(stageRoot(manifest, platformDirs));
});
