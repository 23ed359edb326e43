// What a test suite is, and the three kinds of it: one run of `cargo test`, one run of `node --test`, and the tests of
// another package on ours.
//
// A suite has a `name`; a `command` with `args` (a function, which may be slow, and throws a `Stop` if there is nothing
// to run) and `env`; `limitMs`, after which it counts as hung; and `counts`, which reads the runner's output.
// `missing` says, in a few words, what this machine lacks to run it.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { conformanceCounts } from '../../tests/conformance/counts.mjs';
import { cargoCounts, nodeCounts } from './counts.mjs';
import { inRoot } from './root.mjs';
import { Stop } from './say.mjs';

export const minutes = (n) => n * 60_000;

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

/**
 * The arguments of one `node --test` run of so many files at a time. A file that hangs fails by itself, with its name,
 * before the suite's limit.
 */
function nodeTestArgs(files, fileLimitMs, atOnce) {
  // Without files Node would look for tests by itself, and take `scripts/test.mjs` for one.
  if (files.length === 0) throw new Stop('there are no *.test.mjs files to run');
  const limits = [`--test-timeout=${fileLimitMs}`, `--test-concurrency=${atOnce}`];
  return ['--test', '--test-reporter=spec', ...limits, ...files];
}

/** `cargo test` with `args`. `prefix` is what comes before `cargo`, `toolchain` what comes right after it. */
export const cargo = (name, args, { limit, env = {}, prefix = [], toolchain = [], missing }) => {
  const [command, ...first] = [...prefix, 'cargo', ...toolchain];
  return {
    name,
    command,
    args: () => [...first, 'test', '--no-fail-fast', ...args],
    env: { ...noTuning, ...env },
    limitMs: limit,
    counts: cargoCounts,
    missing,
  };
};

/** `node --test` of every `*.test.mjs` under `folder` whose path `only` matches, `atOnce` files at a time. */
export const node = (
  name,
  folder,
  {
    limit,
    fileLimit = minutes(3),
    atOnce = 1,
    env = {},
    command = process.execPath,
    ready = () => {},
    only = /./,
    missing,
  },
) => ({
  name,
  command,
  args: async () => {
    await ready();
    return nodeTestArgs(
      testFiles(folder).filter((path) => only.test(path)),
      fileLimit,
      atOnce,
    );
  },
  env: { ...noTuning, ...env },
  limitMs: limit,
  counts: nodeCounts,
  missing,
});

/** A script that runs another package's tests on ours. It has a watchdog of its own, which says which test hung. */
export const conformance = (
  name,
  script,
  { limit, command = process.execPath, ready = () => {}, missing },
) => ({
  name,
  command,
  args: async () => {
    await ready();
    return [script];
  },
  env: noTuning,
  limitMs: limit,
  counts: conformanceCounts,
  missing,
});
