// The Rust tests under tools that see what tests do not: AddressSanitizer (use after free, leaks),
// ThreadSanitizer (data races) and valgrind's memcheck (both kinds of memory error, and reads of
// what was never written).
//
// The sanitizers need a nightly compiler; its standard library is not instrumented. For
// AddressSanitizer that costs nothing. ThreadSanitizer misses the synchronization inside `std`:
// `tests/sanitizers/tsan.supp` says what follows. `tests/sanitizers/canary.test.mjs` proves that
// each tool, with these very settings, still finds a planted error.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot } from './root.mjs';
import { cargo } from './runners.mjs';

/**
 * What a command prints; `undefined` if it fails or is not there. rustup is not to install what is
 * asked for.
 */
function ask(command, ...args) {
  const env = { ...process.env, RUSTUP_AUTO_INSTALL: '0' };
  const { status, stdout } = spawnSync(command, args, { env, encoding: 'utf8', timeout: 30_000 });
  return status === 0 ? stdout.trim() : undefined;
}

const host = /^host: (.+)$/m.exec(ask('rustc', '+nightly', '-vV') ?? '')?.[1];
const libraries =
  host === undefined ? undefined : ask('rustc', '+nightly', '--print', 'target-libdir');

/** What this machine lacks for a sanitizer, `asan` or `tsan`. */
function lacks(runtime) {
  if (libraries === undefined) return 'there is no Rust toolchain `nightly`';
  const has =
    existsSync(libraries) &&
    readdirSync(libraries).some((name) => name.includes(`_rt.${runtime}.`));
  return has ? undefined : `the nightly toolchain has no ${runtime} runtime for ${host}`;
}

const suppressions = (name) => inRoot('tests', 'sanitizers', name);

// Keys of an options variable are separated by colons, so a path with one (or with a space) must be
// quoted.
const options = (...pairs) => pairs.map(([key, value]) => `${key}="${value}"`).join(':');

/** For each tool: what it needs, and the flags and environment of a program under it. */
export const tools = {
  asan: {
    missing: lacks('asan'),
    // A block that goes from task to task would look alive all the time.
    rustFlags: [
      '-Zsanitizer=address',
      '-Cunsafe-allow-abi-mismatch=sanitizer',
      '--cfg=cenote_no_recycle',
    ],
    env: {
      ASAN_OPTIONS: options(
        ['detect_stack_use_after_return', 1],
        ['check_initialization_order', 1],
      ),
    },
  },
  tsan: {
    missing: lacks('tsan'),
    // The crate's locks are `std`'s, and say themselves what they order.
    rustFlags: ['-Zsanitizer=thread', '-Cunsafe-allow-abi-mismatch=sanitizer', '--cfg=cenote_tsan'],
    env: {
      // A backtrace is written under a lock of `std`'s, which cannot be seen.
      RUST_BACKTRACE: '0',
      TSAN_OPTIONS: options(
        ['suppressions', suppressions('tsan.supp')],
        // Some tests fork, on purpose, while there are threads. By default that child is ended.
        ['die_after_fork', 0],
      ),
    },
  },
  valgrind: {
    missing: ask('valgrind', '--version') === undefined ? 'there is no valgrind' : undefined,
    command: [
      'valgrind',
      '--quiet',
      '--error-exitcode=99',
      '--leak-check=full',
      // What is only reachable at the end are statics and threads that are still there.
      '--show-leak-kinds=definite',
      '--errors-for-leak-kinds=definite',
      // Without it a spinning thread may keep the one turn that valgrind gives out.
      '--fair-sched=try',
    ],
  },
};

// The targets in `tests/` of a crate; not the models, nor what is compiled with a feature only.
const integration = (crate) => {
  const folder = inRoot('crates', crate, 'tests');
  return readdirSync(folder, { withFileTypes: true })
    .map((entry) => (entry.isFile() ? entry.name : join(entry.name, 'main.rs')))
    .filter((file) => existsSync(join(folder, file)))
    .filter((file) => !/^#!\[cfg\(.*\bfeature\b/m.test(readFileSync(join(folder, file), 'utf8')))
    .map((file) => file.replace(/([\\/]main)?\.rs$/, ''))
    .filter((name) => !name.startsWith('loom_'))
    .sort();
};

const targets = (tests) => tests.flatMap((name) => ['--test', name]);

// `--target` keeps the flags away from build scripts and procedural macros.
const sanitized = (name, tool, budget, about, args, env) =>
  cargo(name, budget, about, {
    missing: tools[tool].missing,
    toolchain: ['+nightly'],
    args: ['--target', host, ...args],
    env: {
      CARGO_TARGET_DIR: inRoot('target', tool),
      RUSTFLAGS: [process.env.RUSTFLAGS ?? '', ...tools[tool].rustFlags].join(' ').trim(),
      ...tools[tool].env,
      ...env,
    },
  });

const stable = /^host: (.+)$/m.exec(ask('rustc', '-vV') ?? '')?.[1];
const runner = `CARGO_TARGET_${stable?.toUpperCase().replaceAll('-', '_')}_RUNNER`;

// A fork has the memory of all threads, but not the threads: to valgrind it leaks what they own.
const memcheck = (name, budget, about, args, env) =>
  cargo(name, budget, about, {
    missing: tools.valgrind.missing,
    args: [...args, '--skip', 'fork'],
    env: {
      [runner]: tools.valgrind.command.join(' '),
      // Flags for our own crates alone, so that all others are those that `cargo` has built.
      RUSTC_WORKSPACE_WRAPPER: inRoot('tests', 'sanitizers', 'no-recycle.sh'),
      ...env,
    },
  });

const cenote = (except = []) => [
  ...['-p', 'cenote', '--lib'],
  ...targets(integration('cenote').filter((name) => !except.includes(name))),
];
const withPark = (args) => ['-p', 'cenote-park', ...args, ...targets(integration('park'))];

// Sanitizers have memory and threads of their own, which a test that counts those of the process
// would count.
const forSanitizers = cenote(['many_pools']);
// ThreadSanitizer opens files to tell whose functions it is to overlook: these tests leave it none,
// or count them.
const notForTsan = [
  ...['--', '--skip', 'without_file_descriptors'],
  ...['--skip', 'a_pool_of_closures_never_makes_a_runtime'],
];

// Everything runs several times slower: fewer cases each, of the same kinds.
const fewer = { PROPTEST_CASES: process.env.PROPTEST_CASES ?? '32' };

/** The unit and integration tests of both crates, as arguments of `cargo test`. */
export const allTests = withPark(cenote());

// The integration tests synchronize by what is inside `std`, of which ThreadSanitizer reports
// something new every few runs: on every change it has the unit tests alone.
const unitTests = ['-p', 'cenote', '--lib', ...notForTsan];
// memcheck is some twenty times slower: the task cells, and what handles and panics do with them.
const cells = ['-p', 'cenote', '--lib', '--test', 'behaviour'];
const ofCells = ['--', 'task::', 'results::', 'panics::'];

/** Short enough for a job on every pull request. */
export const sanitizers = [
  sanitized('asan', 'asan', 600, 'the Rust crate, by AddressSanitizer', forSanitizers, fewer),
  sanitized('tsan', 'tsan', 600, 'its unit tests, by ThreadSanitizer', unitTests, fewer),
  memcheck('valgrind', 600, 'its task cells, by memcheck', [...cells, ...ofCells], fewer),
];

const all = withPark(forSanitizers);

/** The same and more, for as long as `env` says. */
export const longSanitizers = (budget, env) => [
  sanitized('asan-long', 'asan', budget, 'all Rust, by AddressSanitizer', all, env),
  sanitized(
    'tsan-long',
    'tsan',
    budget,
    'the same, by ThreadSanitizer',
    [...all, ...notForTsan],
    env,
  ),
];
