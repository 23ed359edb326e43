// The test suites of `npm test`: for each its name, its command, and how long it may take at most.
// `args` is a function, which may be slow: it throws a `Stop` if there is nothing to run.
//
// The limits are watchdogs against a hang, several times what a suite needs on 2 cores from a cold cache.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installRuntimes, nodes, supported } from '../../tests/matrix/runtimes.mjs';
import { cargoCounts, nodeCounts } from './counts.mjs';
import { inRoot, root } from './root.mjs';
import { Stop } from './say.mjs';

const minutes = (n) => n * 60_000;

/** Environment for a run in the default mode: what a user set for their own runs would turn one mode into another. */
export const noTuning = {
  CENOTE_FORCE_PORTABLE: undefined,
  CENOTE_MAX_SPIN_US: undefined,
  CENOTE_MAX_THREADS: undefined,
  CENOTE_TURN_BUDGET_US: undefined,
  // A runner started inside another runner's test would report to that one.
  NODE_TEST_CONTEXT: undefined,
};

/** Every `*.test.mjs` under a folder, sorted, relative to the root. `node --test` itself knows no globs before Node 21. */
export function testFiles(folder) {
  if (!existsSync(inRoot(folder))) return [];
  return readdirSync(inRoot(folder), { recursive: true })
    .filter((name) => name.endsWith('.test.mjs') && !name.split(/[\\/]/).includes('node_modules'))
    .map((name) => join(folder, name))
    .sort();
}

/** The arguments of one `node --test` run. A file that hangs fails by itself, with its name, before the suite's limit. */
export function nodeTestArgs(files) {
  // Without files Node would look for tests by itself, and take `scripts/test.mjs` for one.
  if (files.length === 0) throw new Stop('there are no *.test.mjs files to run');
  return ['--test', '--test-reporter=spec', `--test-timeout=${minutes(3)}`, ...files];
}

const cargo = (name, args, { limit, env = {} }) => ({
  name,
  command: 'cargo',
  args: () => ['test', '--no-fail-fast', ...args],
  env: { ...noTuning, ...env },
  limitMs: limit,
  counts: cargoCounts,
});

const node = (name, folder, { limit, env = {}, command = process.execPath, ready = () => {} }) => ({
  name,
  command,
  args: async () => {
    await ready();
    return nodeTestArgs(testFiles(folder));
  },
  env: { ...noTuning, ...env },
  limitMs: limit,
  counts: nodeCounts,
});

// The behaviour of the pool on the pinned newer Nodes, and one smoke test on every pinned runtime.
const matrix = [
  node('matrix', 'tests/matrix', { limit: minutes(5) }),
  ...nodes.map(({ major, command }) =>
    node(`node-${major}`, 'tests/node', { limit: minutes(6), command, ready: installRuntimes }),
  ),
];

const loomEnv = {
  RUSTFLAGS: `${process.env.RUSTFLAGS ?? ''} --cfg loom`.trim(),
  // Other flags than the rest of the workspace: in one folder each run would undo the other's build.
  CARGO_TARGET_DIR: inRoot('target', 'loom'),
  // The models need the optimizer's speed and the code's own assertions, not the release build's link time.
  CARGO_PROFILE_RELEASE_LTO: 'off',
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
  CARGO_PROFILE_RELEASE_DEBUG: 'none',
  CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS: 'true',
};

// The fallback is compiled in by a feature, so that it is tested where the futex exists too.
const hasPortableFutex = /^portable-futex\b/m.test(readFileSync(join(root, 'crates', 'park', 'Cargo.toml'), 'utf8'));

/** All suites, in the order in which they run. */
export const suites = [
  cargo('cargo', ['--workspace'], { limit: minutes(10) }),
  cargo('loom', ['-p', 'cenote-park', '--release', '--test', 'loom_*'], { limit: minutes(10), env: loomEnv }),
  ...(hasPortableFutex
    ? [cargo('portable-futex', ['-p', 'cenote-park', '--features', 'portable-futex'], { limit: minutes(8) })]
    : []),
  node('node', 'tests/node', { limit: minutes(6) }),
  node('node-no-spin', 'tests/node', { limit: minutes(6), env: { CENOTE_MAX_SPIN_US: '0' } }),
  node('node-portable', 'tests/node', { limit: minutes(6), env: { CENOTE_FORCE_PORTABLE: '1' } }),
  node('examples', 'examples', { limit: minutes(4) }),
  node('benches', 'benches/node', { limit: minutes(4) }),
  node('packaging', 'tests/packaging', { limit: minutes(5) }),
  ...(supported ? matrix : []),
];
