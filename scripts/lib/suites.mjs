// The test suites of `npm test` and of `npm run test:long`, in the order in which they run.
//
// The limits are watchdogs against a hang, several times what a suite needs on 2 cores from a cold cache.

import { installRuntimes, nodes, supported } from '../../tests/matrix/runtimes.mjs';
import { inRoot } from './root.mjs';
import { cargo, conformance, minutes, node } from './runners.mjs';
import { allTests, longSanitizers, sanitizers } from './sanitizers.mjs';

// The pinned runtimes are binaries for one kind of machine.
const matrix = {
  missing: supported ? undefined : 'the pinned runtimes are for Linux on x64 with glibc',
};

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

// One run for both crates: on its own each would build their common dependencies with other features.
const models = ['-p', 'cenote-park', '-p', 'cenote', '--release', '--lib', '--test', 'loom_*'];

/** Most of these tests wait, for threads or for time, so several files share the machine. */
const behaviour = { limit: minutes(8), atOnce: 3 };

/** The suites of `npm test`. */
export const suites = [
  // Without the crate that has features to switch on, which the next suite does. Only here are the Rust examples, which
  // build SQLite and a web framework.
  cargo('cargo', ['--workspace', '--exclude', 'cenote'], { limit: minutes(10) }),
  // The park crate's one feature exchanges the futex, which has a suite of its own.
  cargo('cargo-features', ['-p', 'cenote', '--all-features'], { limit: minutes(10) }),
  cargo('loom', models, { limit: minutes(12), env: loomEnv }),
  // The fallback is compiled in by a feature, so that it is tested where the futex exists too.
  cargo('portable-futex', ['-p', 'cenote-park', '--features', 'portable-futex'], {
    limit: minutes(8),
  }),
  ...sanitizers,
  node('sanitizer-canaries', 'tests/sanitizers', { limit: minutes(4) }),
  node('node', 'tests/node', behaviour),
  node('node-no-spin', 'tests/node', { ...behaviour, env: { CENOTE_MAX_SPIN_US: '0' } }),
  node('node-portable', 'tests/node', { ...behaviour, env: { CENOTE_FORCE_PORTABLE: '1' } }),
  // Whether the next suite would notice.
  node('conformance', 'tests/conformance', { limit: minutes(2) }),
  // The tests that Piscina is published with, on `cenote/piscina`.
  conformance('piscina', 'tests/conformance/piscina.mjs', { limit: minutes(9) }),
  // Builds an addon whose async work runs on a pool of the Rust crate.
  node('napi-runtime', 'tests/napi-runtime', { limit: minutes(12) }),
  node('examples', 'examples', { limit: minutes(4) }),
  node('docs', 'tests/docs', { limit: minutes(4) }),
  node('benches', 'benches/node', { limit: minutes(4) }),
  node('packaging', 'tests/packaging', { limit: minutes(5) }),
  // The behaviour of the pool on the pinned newer Nodes, and one smoke test on every pinned runtime.
  node('matrix', 'tests/matrix', { ...matrix, limit: minutes(5) }),
  ...nodes.map(({ major, command }) =>
    node(`node-${major}`, 'tests/node', {
      ...matrix,
      ...behaviour,
      command,
      ready: installRuntimes,
    }),
  ),
  // Two of Piscina's tests run on Node 24 only.
  ...nodes
    .filter(({ major }) => major === 24)
    .map(({ major, command }) =>
      conformance(`piscina-node-${major}`, 'tests/conformance/piscina.mjs', {
        ...matrix,
        limit: minutes(9),
        command,
        ready: installRuntimes,
      }),
    ),
];

const stressSeconds = Number(process.env.CENOTE_STRESS_SECONDS ?? 300);
const longEnv = { CENOTE_LONG: '1', CENOTE_STRESS_SECONDS: String(stressSeconds) };
// Some tests repeat the stress in other settings, and sanitizers slow everything down.
const longLimit = minutes(30) + 10 * stressSeconds * 1_000;

// As fast as a release, which makes races tighter, but with the code's own assertions.
const checked = {
  ...loomEnv,
  RUSTFLAGS: process.env.RUSTFLAGS,
  CARGO_TARGET_DIR: inRoot('target', 'checked'),
  CARGO_PROFILE_RELEASE_DEBUG: 'line-tables-only',
};
const stress = ['--release', ...allTests];
const oneCpu = {
  prefix: ['taskset', '-c', '0'],
  missing: process.platform === 'linux' ? undefined : '`taskset` is there on Linux only',
};
const nodeLong = {
  only: /[\\/]stress-[^\\/]*$/,
  fileLimit: stressSeconds * 1_000 + minutes(5),
  limit: longLimit,
};

/** The suites of `npm run test:long`. */
export const longSuites = [
  cargo('cargo-long', stress, { limit: longLimit, env: { ...checked, ...longEnv } }),
  cargo('cargo-one-cpu', stress, { ...oneCpu, limit: longLimit, env: { ...checked, ...longEnv } }),
  ...longSanitizers(longEnv, longLimit),
  node('node-long', 'tests/node', { ...nodeLong, env: longEnv }),
  node('node-portable-long', 'tests/node', {
    ...nodeLong,
    env: { ...longEnv, CENOTE_FORCE_PORTABLE: '1' },
  }),
];
