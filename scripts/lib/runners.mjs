// The kinds of test suite: `cargo test`, cargo-nextest, `node --test`, and Piscina's tests on ours.
//
// A suite has a `name`; a `budget` of seconds on 2 cores from a cold cache, past which it is told
// of; `about`, what it tests; `command`, which gives the program with its arguments; and `env`.
// Some have `missing`, what this machine lacks to run it, and `ready`, which is awaited first.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { features } from './cargo-features.mjs';
import { inRoot } from './root.mjs';

/** The default mode: what a user set for their own runs would turn one mode into another. */
export const noTuning = {
  CENOTE_FORCE_PORTABLE: undefined,
  CENOTE_MAX_SPIN_US: undefined,
  CENOTE_MAX_THREADS: undefined,
  CENOTE_RUNTIME: undefined,
  CENOTE_TURN_BUDGET_US: undefined,
  // A runner that is started inside another runner's test would report to that one.
  NODE_TEST_CONTEXT: undefined,
};

const suite = (name, budget, about, command, { env, ready, missing }) => {
  return { name, budget, about, command, env: { ...noTuning, ...env }, ready, missing };
};

/** `cargo test` with `args`. `prefix` is what comes before `cargo`, `toolchain` right after it. */
export const cargo = (name, budget, about, { prefix = [], toolchain = [], args, ...more }) => {
  const command = [...prefix, 'cargo', ...toolchain, 'test', '--no-fail-fast', ...args];
  return suite(name, budget, about, () => command, more);
};

const hasNextest = () => spawnSync('cargo', ['nextest', '--version']).status === 0;

/** `args` of the whole workspace with all features; `nextest`: where it is installed, by it. */
export const workspace = (name, budget, about, { nextest = false, args }) => {
  const command = () => [
    ...['cargo', ...(nextest && hasNextest() ? ['nextest', 'run'] : ['test', '--no-fail-fast'])],
    ...['--workspace', '--features', features().join(), ...args],
  ];
  return suite(name, budget, about, command, {});
};

// `node --test` itself knows no globs before Node 21.
const testFiles = (folder) =>
  readdirSync(inRoot(folder), { recursive: true })
    .filter((name) => name.endsWith('.test.mjs') && !name.split(/[\\/]/).includes('node_modules'))
    .map((name) => join(folder, name))
    .sort();

/**
 * `node --test` of every `*.test.mjs` under `folder`, but for those under `except`, `atOnce` files
 * at a time; with `only`, of those alone that it names without suffix. A file that hangs fails
 * after `fileLimit` seconds, with its name.
 */
export const node = (name, budget, about, options) => {
  const { folder, except = '-', only, atOnce = 1, fileLimit = 180 } = options;
  const { runtime = process.execPath } = options;
  const command = () => {
    const all = testFiles(folder).filter((path) => !path.startsWith(join(except, '/')));
    const files = only?.map((name) => join(folder, `${name}.test.mjs`)) ?? all;
    // Without files Node would look for tests by itself, and take `scripts/test.mjs` for one.
    if (files.length === 0) throw new Error(`there are no *.test.mjs files under ${folder}`);
    const limits = [`--test-timeout=${fileLimit * 1_000}`, `--test-concurrency=${atOnce}`];
    return [runtime, '--test', '--test-reporter=spec', ...limits, ...files];
  };
  return suite(name, budget, about, command, options);
};

/** A script that runs Piscina's tests on ours. Its own watchdog says which test hung. */
export const conformance = (name, budget, about, { runtime = process.execPath, ...more }) => {
  const script = inRoot('tests', 'conformance', 'piscina.mjs');
  return suite(name, budget, about, () => [runtime, script], more);
};
