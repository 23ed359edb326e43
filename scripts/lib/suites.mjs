// The suites of `npm test` and of `npm run test:long`, in the order in which they run.
//
// A budget is about twice what the suite takes on 2 cores from a cold cache.

import { installRuntimes, nodes, supported } from '../../tests/matrix/runtimes.mjs';
import { inRoot } from './root.mjs';
import { cargo, conformance, doctests, node, workspace } from './runners.mjs';
import { allTests, longSanitizers, sanitizers } from './sanitizers.mjs';

/** What all suites of `npm test` together may take, in seconds. */
export const totalBudget = 780;

// The pinned runtimes are binaries for one kind of machine. Elsewhere the mode of such a suite is
// tested on the Node that runs this.
const pinned = (major) =>
  supported
    ? { runtime: nodes.find((one) => one.major === major).command, ready: installRuntimes }
    : {};
const onlyWherePinned = {
  missing: supported ? undefined : 'the pinned runtimes are for Linux on x64 with glibc',
};

const modes = {
  default: {},
  'no-spin': { CENOTE_MAX_SPIN_US: '0' },
  portable: { CENOTE_FORCE_PORTABLE: '1' },
};

// Most of these tests wait, for threads or for time, so several files share the machine.
const nodeTests = { folder: 'tests/node', except: 'tests/node/soak', atOnce: 3 };

const loomEnv = {
  RUSTFLAGS: `${process.env.RUSTFLAGS ?? ''} --cfg loom`.trim(),
  // Other flags than the rest of the workspace: in one folder each run would undo the other's
  // build.
  CARGO_TARGET_DIR: inRoot('target', 'loom'),
  // The models need the optimizer's speed and the code's own assertions, not the release build's
  // link time.
  CARGO_PROFILE_RELEASE_LTO: 'off',
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
  CARGO_PROFILE_RELEASE_DEBUG: 'none',
  CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS: 'true',
};

/** The suites of `npm test`. */
export const suites = [
  workspace('cargo', { about: 'the Rust tests, with every feature', budget: 420 }),
  doctests('doctests', { about: 'the examples in the documentation of the crates', budget: 120 }),
  cargo('loom', {
    about: 'every interleaving of the protocols, by models',
    budget: 300,
    // One run for both crates: alone each would build what they share with other features.
    args: ['-p', 'cenote-park', '-p', 'cenote', '--release', '--lib', '--test', 'loom_*'],
    env: loomEnv,
  }),
  cargo('portable-futex', {
    about: 'the wait protocol on the futex of systems that have none',
    budget: 120,
    args: ['-p', 'cenote-park', '--features', 'portable-futex'],
  }),
  node('node', { about: 'the pool, on this Node', budget: 150, ...nodeTests }),
  node('node-no-spin', {
    about: 'the pool without spinning, on Node 22',
    budget: 180,
    ...nodeTests,
    ...pinned(22),
    env: modes['no-spin'],
  }),
  node('node-portable', {
    about: 'the pool on the portable waiter, on Node 24',
    budget: 180,
    ...nodeTests,
    ...pinned(24),
    env: modes.portable,
  }),
  node('node-26', {
    about: 'the pool, on Node 26',
    budget: 150,
    ...nodeTests,
    ...onlyWherePinned,
    ...pinned(26),
  }),
  node('soak', {
    about: 'the pool in mass and at random, on this Node',
    budget: 90,
    folder: 'tests/node/soak',
    // Each of them wants the whole machine.
    atOnce: 1,
  }),
  node('conformance', {
    about: 'whether the next suite would notice',
    budget: 30,
    folder: 'tests/conformance',
  }),
  conformance('piscina', { about: "Piscina's own tests, on cenote/piscina", budget: 180 }),
  conformance('piscina-node-24', {
    about: 'the same on Node 24, which two of them need',
    budget: 180,
    ...onlyWherePinned,
    ...pinned(24),
  }),
  node('examples', { about: 'the example programs', budget: 60, folder: 'examples' }),
  node('docs', { about: 'the examples and the tables in docs/', budget: 60, folder: 'tests/docs' }),
  node('benches', { about: 'whether the benchmarks run', budget: 60, folder: 'benches/node' }),
  node('packaging', {
    about: 'what is published, and the house rules that a machine can check',
    budget: 120,
    folder: 'tests/packaging',
  }),
  node('matrix', {
    about: 'a smoke test on Node 22, 24 and 26, Bun and Deno',
    budget: 90,
    folder: 'tests/matrix',
    ...onlyWherePinned,
    ready: installRuntimes,
  }),
];

const stressSeconds = Number(process.env.CENOTE_STRESS_SECONDS ?? 300);
const longEnv = { CENOTE_LONG: '1', CENOTE_STRESS_SECONDS: String(stressSeconds) };
// Some tests repeat the stress in other settings, and sanitizers slow everything down.
const longBudget = 1_800 + 10 * stressSeconds;

// As fast as a release, which makes races tighter, but with the code's own assertions.
const checked = {
  ...loomEnv,
  RUSTFLAGS: process.env.RUSTFLAGS,
  CARGO_TARGET_DIR: inRoot('target', 'checked'),
  CARGO_PROFILE_RELEASE_DEBUG: 'line-tables-only',
  ...longEnv,
};
const stress = { budget: longBudget, args: ['--release', ...allTests], env: checked };

// Every mode on every Node, whole.
const thisNode = { major: Number(process.versions.node.split('.')[0]), runtime: process.execPath };
const runtimes = [thisNode, ...nodes.filter(({ major }) => major !== thisNode.major)];
const pairs = runtimes.flatMap(({ major, runtime }) =>
  Object.entries(modes).map(([mode, env]) =>
    node(`node-${major}-${mode}`, {
      about: `the pool and the soak, mode ${mode}, on Node ${major}`,
      budget: 300,
      ...nodeTests,
      except: undefined,
      env,
      ...(runtime === undefined ? { ...onlyWherePinned, ...pinned(major) } : { runtime }),
    }),
  ),
);

const soakLong = {
  budget: longBudget,
  folder: 'tests/node/soak',
  fileLimit: stressSeconds + 300,
};

/** The suites of `npm run test:long`. */
export const longSuites = [
  ...sanitizers,
  node('sanitizer-canaries', {
    about: 'whether the sanitizers would notice',
    budget: 240,
    folder: 'tests/sanitizers',
  }),
  node('napi-runtime', {
    about: 'an addon whose async work runs on a pool of the Rust crate',
    budget: 600,
    folder: 'tests/napi-runtime',
  }),
  ...pairs,
  cargo('cargo-long', { about: 'the Rust tests at their long sizes', ...stress }),
  cargo('cargo-one-cpu', {
    about: 'the same on one CPU',
    ...stress,
    prefix: ['taskset', '-c', '0'],
    missing: process.platform === 'linux' ? undefined : '`taskset` is there on Linux only',
  }),
  ...longSanitizers(longEnv, longBudget),
  node('soak-long', { about: 'the soak at its long size', ...soakLong, env: longEnv }),
  node('soak-portable-long', {
    about: 'the same on the portable waiter',
    ...soakLong,
    env: { ...longEnv, ...modes.portable },
  }),
];
