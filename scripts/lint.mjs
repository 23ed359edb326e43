// `npm run lint`: everything that can be checked without running the tests: formatting, types, and
// what linters and the documentation's compiler find. `npm run format` (`--fix`) formats the files.
//
// Usage: node scripts/lint.mjs [--fix]
//
// All checks run, also after one has failed, so that one run shows everything. The exit code is 1
// if any failed.

import { features } from './lib/cargo-features.mjs';
import { prepare } from './lib/prepare.mjs';
import { inRoot } from './lib/root.mjs';
import { run } from './lib/run.mjs';
import { main, say, seconds, Stop } from './lib/say.mjs';

const tool = (...path) => [process.execPath, inRoot('node_modules', ...path)];
const prettier = tool('prettier', 'bin', 'prettier.cjs');
const clippy = (...args) => ['cargo', 'clippy', ...args, '--', '-D', 'warnings'];
const rustdoc = (...args) => ['cargo', 'doc', '--workspace', '--no-deps', ...args];

const checks = () => [
  ['cargo fmt', ['cargo', 'fmt', '--all', '--check']],
  ['prettier', [...prettier, '--check', '.']],
  ['tsc', [...tool('typescript', 'bin', 'tsc'), '--noEmit']],
  ['oxlint', tool('oxlint', 'bin', 'oxlint')],
  ['clippy', clippy('--workspace', '--all-targets', '--features', features().join())],
  ['clippy, portable-futex', clippy('-p', 'cenote-park', '--all-targets', '--all-features')],
  // What compiles only beside another feature is found by nothing but trying it alone.
  ['clippy, no feature', clippy('-p', 'cenote')],
  ...features().map((name) => {
    const [crate, feature] = name.split('/');
    return [`clippy, ${name} alone`, clippy('-p', crate, '--features', feature)];
  }),
  [
    'cargo doc',
    rustdoc('--document-private-items', '--features', features().join()),
    { RUSTDOCFLAGS: '-D warnings' },
  ],
];

const fixes = () => [
  ['cargo fmt', ['cargo', 'fmt', '--all']],
  ['prettier', [...prettier, '--write', '.']],
];

await main(async () => {
  await prepare();
  const failed = [];
  for (const [name, [command, ...args], env] of process.argv.includes('--fix')
    ? fixes()
    : checks()) {
    const { code, output, ms } = await run(command, args, { env, limitMs: 600_000 });
    say(`lint: ${name}: ${code === 0 ? 'ok' : 'FAILED'} (${seconds(ms)})`);
    if (code !== 0) {
      failed.push(name);
      process.stdout.write(output);
    }
  }
  if (failed.length > 0) throw new Stop(`these checks failed: ${failed.join(', ')}`);
});
