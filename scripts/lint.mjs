// `npm run lint`: everything that can be checked without running the tests: formatting, clippy, types, documentation.
// `npm run format` (`--fix`) formats the files instead.
//
// Usage: node scripts/lint.mjs [--fix]
//
// All checks run, also after one has failed, so that one run shows everything. The exit code is 1 if any failed.

import { prepare } from './lib/prepare.mjs';
import { inRoot } from './lib/root.mjs';
import { run } from './lib/run.mjs';
import { main, say, seconds, Stop } from './lib/say.mjs';

const module = (...path) => inRoot('node_modules', ...path);
const prettier = (mode) => [process.execPath, [module('prettier', 'bin', 'prettier.cjs'), mode, '.']];

const checks = [
  ['cargo fmt', 'cargo', ['fmt', '--all', '--check']],
  ['prettier', ...prettier('--check')],
  ['tsc', process.execPath, [module('typescript', 'bin', 'tsc'), '--noEmit']],
  ['clippy', 'cargo', ['clippy', '--workspace', '--all-targets', '--', '-D', 'warnings']],
  [
    'clippy, all features',
    'cargo',
    ['clippy', '--workspace', '--all-targets', '--all-features', '--', '-D', 'warnings'],
  ],
  [
    'cargo doc',
    'cargo',
    ['doc', '--workspace', '--no-deps', '--document-private-items'],
    { RUSTDOCFLAGS: '-D warnings' },
  ],
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
