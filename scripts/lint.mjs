// `npm run lint`: everything that can be checked without running the tests: formatting, clippy, types, documentation.
// `npm run format` (`--fix`) formats the files instead.
//
// Usage: node scripts/lint.mjs [--fix]
//
// All checks run, also after one has failed, so that one run shows everything. The exit code is 1 if any failed.

import { readFileSync } from 'node:fs';
import { prepare } from './lib/prepare.mjs';
import { inRoot } from './lib/root.mjs';
import { run } from './lib/run.mjs';
import { main, say, seconds, Stop } from './lib/say.mjs';

const module = (...path) => inRoot('node_modules', ...path);
const prettier = (mode) => [
  process.execPath,
  [module('prettier', 'bin', 'prettier.cjs'), mode, '.'],
];

// A feature that compiles only beside another is found by nothing but trying it alone.
const crate = readFileSync(inRoot('crates', 'cenote', 'Cargo.toml'), 'utf8');
const features = /^\[features\]\n(.*?)\n\[/ms.exec(crate)[1].match(/^[\w-]+(?= = )/gm);

const clippy = (...args) => ['cargo', ['clippy', ...args, '--', '-D', 'warnings']];
const rustdoc = (...args) => [
  'cargo',
  ['doc', '--workspace', '--no-deps', ...args],
  { RUSTDOCFLAGS: '-D warnings' },
];

const checks = [
  ['cargo fmt', 'cargo', ['fmt', '--all', '--check']],
  ['prettier', ...prettier('--check')],
  ['tsc', process.execPath, [module('typescript', 'bin', 'tsc'), '--noEmit']],
  ['clippy', ...clippy('--workspace', '--all-targets')],
  ['clippy, all features', ...clippy('--workspace', '--all-targets', '--all-features')],
  ...features.map((name) => [
    `clippy, cenote with ${name}`,
    ...clippy('-p', 'cenote', '--features', name),
  ]),
  ['cargo doc', ...rustdoc('--document-private-items')],
  ['cargo doc, all features', ...rustdoc('--all-features')],
];

const fixes = [
  ['cargo fmt', 'cargo', ['fmt', '--all']],
  ['prettier', ...prettier('--write')],
];

await main(async () => {
  await prepare();
  const failed = [];
  for (const [name, command, args, env] of process.argv.includes('--fix') ? fixes : checks) {
    const { code, output, ms } = await run(command, args, { env, limitMs: 600_000 });
    say(`lint: ${name}: ${code === 0 ? 'ok' : 'FAILED'} (${seconds(ms)})`);
    if (code !== 0) {
      failed.push(name);
      process.stdout.write(output);
    }
  }
  if (failed.length > 0) throw new Stop(`these checks failed: ${failed.join(', ')}`);
});
