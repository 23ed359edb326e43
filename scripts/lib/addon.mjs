// Builds the native addon and its loader into `dist/native`, when a Rust source has changed.
//
// The loader (`binding.js`, written by napi-rs) first looks for `cenote.<platform>.node` beside
// itself, which is what a checkout has, then for the package `cenote-<platform>`, which is what an
// install has.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { inRoot, root } from './root.mjs';
import { run } from './run.mjs';
import { say, seconds, Stop } from './say.mjs';
import { hashOf, isStamped, stamp } from './stamp.mjs';

/** Where the loader and the binaries are. */
export const nativeDir = inRoot('dist', 'native');

/** The file names of the binaries in a folder, one for each platform that was built. */
export function binariesIn(dir) {
  return existsSync(dir) ? readdirSync(dir).filter((name) => /^cenote\..+\.node$/.test(name)) : [];
}

// The compiler writes source paths into panic messages. They name the builder's folders, which are
// nobody's business, and make builds differ from machine to machine.
function rustFlags(compiler) {
  const cargoHome = process.env.CARGO_HOME ?? join(homedir(), '.cargo');
  const own = (process.env.RUSTFLAGS ?? '').split(/\s+/).filter(Boolean);
  const flags = [
    ...own,
    `--remap-path-prefix=${root}=.`,
    `--remap-path-prefix=${cargoHome}=cargo`,
    // Line tables are four fifths of the file; the function names stay, for profilers.
    '-Cstrip=debuginfo',
  ];
  // A shared library cannot be linked into a static musl.
  if (/^host: .*-musl/m.test(compiler)) flags.push('-Ctarget-feature=-crt-static');
  // This variable, unlike RUSTFLAGS, lets a path contain a space.
  return flags.join('\x1f');
}

/** Builds the addon if needed. `compiler` is what `rustc -vV` printed. */
export async function buildAddon(compiler) {
  const crates = readdirSync(inRoot('crates')).flatMap((name) =>
    ['Cargo.toml', 'build.rs', 'src'].map((part) => `crates/${name}/${part}`),
  );
  const addon = ['Cargo.toml', 'build.rs', 'src'].map((part) => `bindings/node/${part}`);
  const flags = rustFlags(compiler);
  const { version, napi, devDependencies } = JSON.parse(
    readFileSync(inRoot('package.json'), 'utf8'),
  );
  const hash = hashOf(
    ['Cargo.toml', 'Cargo.lock', ...crates, ...addon],
    JSON.stringify([compiler, flags, version, napi, devDependencies['@napi-rs/cli']]),
  );
  const built = existsSync(join(nativeDir, 'binding.js')) && binariesIn(nativeDir).length > 0;
  if (built && isStamped('addon', hash)) return;

  say('setup: building the native addon (a minute or two the first time)');
  const { code, output, ms } = await run(
    process.execPath,
    [
      inRoot('node_modules', '@napi-rs', 'cli', 'dist', 'cli.js'),
      ...['build', '--platform', '--release'],
      ...['--manifest-path', inRoot('bindings', 'node', 'Cargo.toml')],
      ...['--package-json-path', inRoot('package.json')],
      // A folder of its own: other flags than a plain `cargo build --release`, and no waiting for
      // its lock.
      ...['--target-dir', inRoot('target', 'addon')],
      ...['--output-dir', nativeDir],
      ...['--js', 'binding.js', '--dts', 'binding.d.ts'],
    ],
    { env: { CARGO_ENCODED_RUSTFLAGS: flags }, limitMs: 900_000 },
  );
  if (code !== 0) throw new Stop(`the native addon could not be built:\n${output}`);
  stamp('addon', hash);
  say(`setup: native addon built in ${seconds(ms)}`);
}
