// The kinds of test suite: the Rust tests, one run of `node --test`, and the tests of Piscina on
// ours.
//
// A suite has a `name`; `about`, what it is for, in a few words; a `budget` of seconds on 2 cores
// from a cold cache, past which it fails, and past twice which it is ended; a `command`, a function
// that gives the program with its arguments; and `env`. Some have `missing`, what this machine
// lacks to run it, and `ready`, which is awaited first.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { features } from './cargo-features.mjs';
import { inRoot } from './root.mjs';

/**
 * A run in the default mode: what a user set for their own runs would turn one mode into another.
 */
export const noTuning = {
  CENOTE_FORCE_PORTABLE: undefined,
  CENOTE_MAX_SPIN_US: undefined,
  CENOTE_MAX_THREADS: undefined,
  CENOTE_TURN_BUDGET_US: undefined,
  // A runner that is started inside another runner's test would report to that one.
  NODE_TEST_CONTEXT: undefined,
};

/** `cargo test` with `args`. `prefix` is what comes before `cargo`, `toolchain` right after it. */
export const cargo = (name, { args, env, prefix = [], toolchain = [], ...suite }) => ({
  name,
  command: () => [...prefix, 'cargo', ...toolchain, 'test', '--no-fail-fast', ...args],
  env: { ...noTuning, ...env },
  ...suite,
});

const hasNextest = () => spawnSync('cargo', ['nextest', '--version']).status === 0;

/** The tests of the whole workspace with all features: by cargo-nextest where it is installed. */
export const workspace = (name, suite) => ({
  name,
  command: () => {
    const runner = hasNextest() ? ['nextest', 'run'] : ['test', '--no-fail-fast'];
    const targets = ['--lib', '--bins', '--tests', '--examples'];
    return ['cargo', ...runner, '--workspace', ...targets, '--features', features().join()];
  },
  env: noTuning,
  ...suite,
});

/** The examples in the documentation, which nextest does not run. */
export const doctests = (name, suite) => ({
  name,
  command: () => ['cargo', 'test', '--workspace', '--doc', '--features', features().join()],
  env: noTuning,
  ...suite,
});

// `node --test` itself knows no globs before Node 21.
const testFiles = (folder) =>
  readdirSync(inRoot(folder), { recursive: true })
    .filter((name) => name.endsWith('.test.mjs') && !name.split(/[\\/]/).includes('node_modules'))
    .map((name) => join(folder, name))
    .sort();

/**
 * `node --test` of every `*.test.mjs` under `folder`, but for those under `except`, `atOnce` files
 * at a time. A file that hangs fails after `fileLimit` seconds, with its name.
 */
export const node = (
  name,
  { folder, except, atOnce = 1, fileLimit = 180, env, runtime = process.execPath, ...suite },
) => ({
  name,
  command: () => {
    const files = testFiles(folder).filter((path) => !path.startsWith(join(except ?? '-', '/')));
    // Without files Node would look for tests by itself, and take `scripts/test.mjs` for one.
    if (files.length === 0) throw new Error(`there are no *.test.mjs files under ${folder}`);
    const limits = [`--test-timeout=${fileLimit * 1_000}`, `--test-concurrency=${atOnce}`];
    return [runtime, '--test', '--test-reporter=spec', ...limits, ...files];
  },
  env: { ...noTuning, ...env },
  ...suite,
});

/** A script that runs Piscina's tests on ours. Its own watchdog says which test hung. */
export const conformance = (name, { runtime = process.execPath, ...suite }) => ({
  name,
  command: () => [runtime, inRoot('tests', 'conformance', 'piscina.mjs')],
  env: noTuning,
  ...suite,
});
