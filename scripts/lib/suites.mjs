// The suites of `npm test` and of `npm run test:long`, in the order in which they run.
//
// A budget is about twice what the suite takes on 2 cores from a cold cache.

import { installBundlers } from '../../tests/bundlers/tools.mjs';
import { installRuntimes, nodes, supported } from '../../tests/matrix/runtimes.mjs';
import { inRoot } from './root.mjs';
import { cargo, conformance, node, workspace } from './runners.mjs';
import { allTests, longSanitizers, sanitizers } from './sanitizers.mjs';

/** What `npm test` may take, in seconds: with two minutes of lint, `.ci/run` ends in under 20. */
export const totalBudget = 1_020;

// The pinned runtimes are binaries for one kind of machine. Elsewhere the mode of such a suite is
// tested on the Node that runs this.
const missing = supported ? undefined : 'the pinned runtimes are for Linux on x64 with glibc';
const pinned = (major) =>
  supported
    ? { runtime: nodes.find((one) => one.major === major).command, ready: installRuntimes }
    : {};

const modes = {
  default: {},
  'no-spin': { CENOTE_MAX_SPIN_US: '0' },
  portable: { CENOTE_FORCE_PORTABLE: '1' },
  port: { CENOTE_WIRE: 'port' },
};

// Most of these tests wait, for threads or for time, so several files share the machine.
const soak = { folder: 'tests/node/soak', atOnce: 3 };
const pool = { folder: 'tests/node', except: soak.folder, atOnce: 3 };

// The behaviour tests that need no shared memory of their own, no port, no prefetch and nothing
// else that only a thread has (tests/node/support/words-in-files.cjs).
const overProcesses = [
  'abort-asks',
  'async-context',
  'async-isolation',
  'background-idle',
  'boot-timeout',
  'cancel-pending',
  'close-leaving',
  'crash-task',
  'dealer',
  'environment',
  'errors-callers',
  'errors-hostile',
  'errors-whole',
  'handlers',
  'hostile-worker',
  'isolation',
  'lanes',
  'lifecycle-copies',
  'lifecycle-end',
  'lifecycle-leaks',
  'limits',
  'limits-queue-time',
  'map',
  'options',
  'output',
  'output-blocked',
  'recursive-pool',
  'run',
  'setup-teardown',
  'sizes',
  'taken-back',
  'tracing',
  'unreadable',
  'wrong-calls',
];

const loomEnv = {
  RUSTFLAGS: `${process.env.RUSTFLAGS ?? ''} --cfg cenote_loom`.trim(),
  // Other flags than the rest of the workspace: in one folder each would undo the other's build.
  CARGO_TARGET_DIR: inRoot('target', 'loom'),
  // The models need the optimizer's speed and the code's own assertions, not the release build's
  // link time.
  CARGO_PROFILE_RELEASE_LTO: 'off',
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
  CARGO_PROFILE_RELEASE_DEBUG: 'none',
  CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS: 'true',
};
// One run for both crates: alone each would build what they share with other features.
const models = ['-p', 'cenote-park', '-p', 'cenote', '--release', '--lib', '--test', 'loom_*'];
const onFutex = ['-p', 'cenote-park', '--features', 'portable-futex'];

/** The suites of `npm test`. */
export const suites = [
  workspace('cargo', 420, 'the Rust tests, with every feature', {
    nextest: true,
    args: ['--lib', '--bins', '--tests', '--examples'],
  }),
  workspace('doctests', 120, 'the examples in the documentation of the crates', {
    args: ['--doc'],
  }),
  cargo('loom', 300, 'every interleaving of the protocols, by models', {
    args: models,
    env: loomEnv,
  }),
  cargo('portable-futex', 120, 'the futex of systems that have none', { args: onFutex }),
  node('node', 210, 'the pool, on this Node', pool),
  node('node-no-spin', 240, 'the pool without spinning, on Node 22', {
    ...pool,
    ...pinned(22),
    env: modes['no-spin'],
  }),
  node('node-portable', 240, 'the pool on the portable waiter, on Node 24', {
    ...pool,
    ...pinned(24),
    env: modes.portable,
  }),
  node('node-26', 210, 'the pool, on Node 26', { ...pool, ...pinned(26), missing }),
  node('soak', 90, 'the pool in mass and at random, on this Node', soak),
  node('conformance', 30, 'whether the next suite would notice', { folder: 'tests/conformance' }),
  conformance('piscina', 180, "Piscina's own tests, on cenote/piscina", {}),
  conformance('piscina-node-24', 180, 'the same on Node 24', { ...pinned(24), missing }),
  node('examples', 60, 'the example programs', { folder: 'examples' }),
  node('docs', 90, 'the examples and the tables in docs/', { folder: 'tests/docs' }),
  node('benches', 60, 'whether the benchmarks run', { folder: 'benches/node' }),
  node('packaging', 150, 'what is published, and the house rules', { folder: 'tests/packaging' }),
  node('bundlers', 60, 'programs that are bundled as docs/bundlers.md says', {
    folder: 'tests/bundlers',
    ready: installBundlers,
    missing: process.platform === 'win32' ? 'the commands there are for a POSIX shell' : undefined,
  }),
  node('matrix', 90, 'a smoke test on Node 22, 24 and 26, Bun and Deno', {
    folder: 'tests/matrix',
    ready: installRuntimes,
    missing,
  }),
];

const stressSeconds = Number(process.env.CENOTE_STRESS_SECONDS ?? 300);
const longEnv = { CENOTE_LONG: '1', CENOTE_STRESS_SECONDS: String(stressSeconds) };
// Some tests repeat the stress in other settings, and sanitizers slow everything down.
const longBudget = 1_800 + 10 * stressSeconds;

// As fast as a release, which makes races tighter, but with the code's own assertions.
const stress = {
  args: ['--release', ...allTests],
  env: {
    ...loomEnv,
    RUSTFLAGS: process.env.RUSTFLAGS,
    CARGO_TARGET_DIR: inRoot('target', 'checked'),
    CARGO_PROFILE_RELEASE_DEBUG: 'line-tables-only',
    ...longEnv,
  },
};
const oneCpu = {
  prefix: ['taskset', '-c', '0'],
  missing: process.platform === 'linux' ? undefined : '`taskset` is there on Linux only',
};
const longSoak = { folder: soak.folder, fileLimit: stressSeconds + 300 };

// Every mode on every Node, whole.
const thisNode = Number(process.versions.node.split('.')[0]);
const majors = [thisNode, ...nodes.map(({ major }) => major).filter((one) => one !== thisNode)];
const pairs = majors.flatMap((major) =>
  Object.entries(modes).map(([mode, env]) =>
    node(`node-${major}-${mode}`, 300, `the pool and the soak, mode ${mode}, on Node ${major}`, {
      ...{ folder: pool.folder, atOnce: pool.atOnce, env },
      ...(major === thisNode ? {} : { ...pinned(major), missing }),
    }),
  ),
);

/** The suites of `npm run test:long`. */
export const longSuites = [
  ...sanitizers,
  node('sanitizer-canaries', 240, 'whether the sanitizers would notice', {
    folder: 'tests/sanitizers',
  }),
  node('napi-runtime', 600, 'an addon whose async work runs on a pool of the Rust crate', {
    folder: 'tests/napi-runtime',
  }),
  ...pairs,
  node('node-processes', 480, 'the pool over processes, on this Node', {
    ...{ folder: pool.folder, only: overProcesses, atOnce: 2 },
    env: { CENOTE_RUNTIME: 'process' },
  }),
  cargo('cargo-long', longBudget, 'the Rust tests at their long sizes', stress),
  cargo('cargo-one-cpu', longBudget, 'the same on one CPU', { ...stress, ...oneCpu }),
  ...longSanitizers(longBudget, longEnv),
  node('soak-long', longBudget, 'the soak at its long size', { ...longSoak, env: longEnv }),
  node('soak-portable-long', longBudget, 'the same on the portable waiter', {
    ...longSoak,
    env: { ...longEnv, ...modes.portable },
  }),
];
