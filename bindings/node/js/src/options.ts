// A pool's options: what each means, its default, its limits, and where its value came from.
//
// Precedence: the option that was passed, else its environment variable, else the default. Only
// this file reads these variables. A value that cannot be used is refused with Node's own error
// code and a message that names the option or the variable.

import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL, URL } from 'node:url';
import type { ResourceLimits, WorkerOptions } from 'node:worker_threads';
import {
  isNoOptions,
  isPlainObject,
  refuseUnknown,
  wrongFilename,
  wrongOptions,
} from './arguments.js';
import { ArrayIsArray, ObjectAssign, ObjectFreeze, ObjectKeys } from './base/intrinsics.js';
import { describe, invalidType, outOfRange } from './errors.js';
import { kRules, pickNumber, type NumberOption } from './number-options.js';
import { readRecycling, readSwitch, type RecycleOptions } from './renewal-options.js';
import { readRetry, type RetryOptions } from './retry-options.js';
import { kRunNames } from './run-options.js';

/** What a pool's workers run in. */
export type Runtime = 'thread' | 'process';

/** The options of a {@link Pool}. All are optional. */
export interface PoolOptions {
  /**
   * The file with the handlers: a path (a relative one starts at the working directory), a `file:`
   * string or a URL. It may be CommonJS, an ES module, or TypeScript where Node can run it. Each
   * worker loads it once. Leave it out if every `run()` names a file.
   */
  readonly filename?: string | URL;
  /** The export that handles tasks. @default 'default' */
  readonly name?: string;
  /**
   * What each worker is: a thread of this process, or a process of its own, for code that is not
   * thread-safe or may crash natively. Environment: CENOTE_RUNTIME. @default 'thread'
   */
  readonly runtime?: Runtime;
  /** Threads that the pool starts at once and keeps. @default half of maxThreads, at least 1 */
  readonly minThreads?: number;
  /**
   * The largest number of threads. Environment: CENOTE_MAX_THREADS.
   * @default os.availableParallelism()
   */
  readonly maxThreads?: number;
  /**
   * Milliseconds after which an idle thread above `minThreads` ends. It first finishes what its
   * tasks left running; after another 30 s it is terminated. `Infinity`: never. @default 10000
   */
  readonly idleTimeout?: number;
  /**
   * How many tasks may wait while `maxThreads * concurrentTasksPerWorker` are running.
   * @default 65536
   */
  readonly maxQueue?: number;
  /** How many tasks one worker may run at the same time. Up to 16384. @default 1 */
  readonly concurrentTasksPerWorker?: number;
  /**
   * How long a task may wait for its start, in milliseconds. A task that waits longer is rejected
   * (`ERR_CENOTE_QUEUE_TIMEOUT`) and never runs. @default Infinity
   */
  readonly queueTimeout?: number;
  /**
   * How long a task may run, in milliseconds. A task that is still running after this long is
   * rejected (`ERR_CENOTE_TIMEOUT`) and stopped as {@link abortGrace} says, even inside a loop that
   * never yields. A task with a limit is never queued behind another task on a worker, so it costs
   * its own round trip. @default Infinity
   */
  readonly timeout?: number;
  /**
   * How long a running task may take to stop on its own after an abort or its `timeout`, in
   * milliseconds. The pool asks it through `context.signal`, and terminates its worker when this
   * time is over. 0: at once; `Infinity`: never. The caller gets its answer at once in any case.
   * @default 0
   */
  readonly abortGrace?: number;
  /**
   * How long a thread may take to load the file and run its `setup`, in milliseconds. A slower one
   * is terminated, and the pool tries another. `Infinity`: no limit. @default 60000
   */
  readonly bootTimeout?: number;
  /** The `workerData` of `node:worker_threads` in each worker, which gets a copy. */
  readonly workerData?: unknown;
  /** The workers' `process.env`, as for `new Worker`. */
  readonly env?: WorkerOptions['env'];
  /** Appended to the workers' `process.argv`, as for `new Worker`. */
  readonly argv?: readonly unknown[];
  /** Node's options for the workers, as for `new Worker`. */
  readonly execArgv?: readonly string[];
  /** Memory limits of each worker, as for `new Worker`. */
  readonly resourceLimits?: ResourceLimits;
  /**
   * The longest that a waiting thread spins before it sleeps, in µs. The pool spins less where
   * spinning does not pay. 0: no spinning; all guarantees hold. Environment: CENOTE_MAX_SPIN_US.
   * @default 50
   */
  readonly maxSpinUs?: number;
  /**
   * How long a worker may run one task after another before its event loop gets a turn, in µs. The
   * worker checks between tasks; it never interrupts one. Environment: CENOTE_TURN_BUDGET_US.
   * @default 1000
   */
  readonly turnBudgetUs?: number;
  /**
   * How much expected work a worker may hold beyond the task it runs, in µs, if its tasks are known
   * to be that short; five times as much behind a deep queue. The pool can take back what a worker
   * has not begun. 0: each task waits in the pool until a worker is free. @default 200
   */
  readonly prefetchWindowUs?: number;
  /** How the pool's tasks are tried again, where a call says nothing else. @default not at all */
  readonly retry?: RetryOptions;
  /** When a worker is replaced by a new one. @default never */
  readonly recycle?: RecycleOptions;
  /** Whether each task has a worker of its own, which ends with it. @default false */
  readonly isolate?: boolean;
  /**
   * For development: whether workers are replaced when a file in the folder of a handler's file, or
   * below it, changes. @default false
   */
  readonly watch?: boolean;
}

/** Where the value of an option came from. */
export type OptionSource = 'option' | 'environment' | 'default';

/** The options in force. `sources` says where each of the values came from. */
export interface ResolvedOptions {
  /** As a `file:` URL string, or null. */
  readonly filename: string | null;
  readonly name: string;
  readonly runtime: Runtime;
  readonly minThreads: number;
  readonly maxThreads: number;
  readonly idleTimeout: number;
  readonly maxQueue: number;
  readonly concurrentTasksPerWorker: number;
  readonly queueTimeout: number;
  readonly timeout: number;
  readonly abortGrace: number;
  readonly bootTimeout: number;
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly prefetchWindowUs: number;
  /** Null: tasks are tried once. */
  readonly retry: Required<RetryOptions> | null;
  /** `Infinity` where a limit was not given. */
  readonly recycle: Required<RecycleOptions>;
  readonly isolate: boolean;
  readonly watch: boolean;
  readonly workerData: unknown;
  readonly env: PoolOptions['env'] | undefined;
  readonly argv: readonly unknown[] | undefined;
  readonly execArgv: readonly string[] | undefined;
  readonly resourceLimits: ResourceLimits | undefined;
  readonly sources: Readonly<Record<keyof PoolOptions, OptionSource>>;
}

/** The options of `new Pool()`. */
export const kNames: readonly (keyof PoolOptions)[] = [
  'filename',
  'name',
  'runtime',
  'workerData',
  'env',
  'argv',
  'execArgv',
  'resourceLimits',
  'retry',
  'recycle',
  'isolate',
  'watch',
  ...(ObjectKeys(kRules) as NumberOption[]),
];

/** Checks the options, and completes them. */
export function resolveOptions(input: unknown): ResolvedOptions {
  const given = input === undefined ? emptyOptions() : readOptions(input);
  const sources = emptyOptions() as Record<keyof PoolOptions, OptionSource>;
  for (let i = 0; i < kNames.length; i++) {
    const name = kNames[i]!;
    sources[name] = given[name] === undefined ? 'default' : 'option';
  }
  const pick = (name: NumberOption, fallback: number): number => {
    const picked = pickNumber(name, given[name], kRules[name], fallback);
    sources[name] = picked.source;
    return picked.value;
  };

  const maxDefault = Math.max(availableParallelism(), wholeOr(given['minThreads'], 1));
  const maxThreads = pick('maxThreads', maxDefault);
  const minThreads = pick('minThreads', Math.max(1, Math.floor(maxThreads / 2)));
  if (minThreads > maxThreads) {
    const origin =
      sources.maxThreads === 'environment' ? ' (from the variable CENOTE_MAX_THREADS)' : '';
    const expected = `at most maxThreads, which is ${maxThreads}${origin}`;
    throw outOfRange('options.minThreads', expected, minThreads);
  }
  const { filename, name } = given;
  const runtime = pickRuntime(given['runtime']);
  sources.runtime = runtime.source;
  return ObjectFreeze({
    filename: filename === undefined ? null : toFileUrl(filename, 'options.filename'),
    name: name === undefined ? 'default' : checkName(name, 'options.name'),
    runtime: runtime.value,
    minThreads,
    maxThreads,
    idleTimeout: pick('idleTimeout', 10_000),
    maxQueue: pick('maxQueue', 65_536),
    concurrentTasksPerWorker: pick('concurrentTasksPerWorker', 1),
    queueTimeout: pick('queueTimeout', Infinity),
    timeout: pick('timeout', Infinity),
    abortGrace: pick('abortGrace', 0),
    bootTimeout: pick('bootTimeout', 60_000),
    maxSpinUs: pick('maxSpinUs', 50),
    turnBudgetUs: pick('turnBudgetUs', 1_000),
    prefetchWindowUs: pick('prefetchWindowUs', 200),
    retry: readRetry(given['retry']),
    recycle: ObjectFreeze(readRecycling(given['recycle'], given['isolate'])),
    isolate: given['isolate'] === true,
    watch: readSwitch(given['watch'], 'options.watch'),
    workerData: given['workerData'],
    env:
      runtime.value === 'thread'
        ? optional(given, 'env', 'an object or worker_threads.SHARE_ENV', isEnv)
        : optional(given, 'env', "an object with runtime: 'process'", isPlainObject),
    argv: optional(given, 'argv', 'an array', ArrayIsArray),
    execArgv: optional(given, 'execArgv', 'an array of strings', isStrings),
    resourceLimits: optional(given, 'resourceLimits', 'an object', isPlainObject),
    sources: ObjectFreeze({ ...sources }),
  });
}

function pickRuntime(given: unknown): { readonly value: Runtime; readonly source: OptionSource } {
  const variable = process.env['CENOTE_RUNTIME'] ?? '';
  const source = given !== undefined ? 'option' : variable !== '' ? 'environment' : 'default';
  const value = source === 'option' ? given : source === 'environment' ? variable : 'thread';
  if (value === 'thread' || value === 'process') return { value, source };
  const label = given === undefined ? 'environment variable CENOTE_RUNTIME' : 'options.runtime';
  if (typeof value !== 'string') throw invalidType(label, "'thread' or 'process'", value);
  throw outOfRange(label, "'thread' or 'process'", value);
}

/**
 * Whether values are to cross as structured clones only. Environment: `CENOTE_WIRE=port`; `shared`
 * is the default.
 */
export function wireByPort(): boolean {
  const wire = process.env['CENOTE_WIRE'] ?? '';
  if (wire !== '' && wire !== 'shared' && wire !== 'port') {
    throw outOfRange('CENOTE_WIRE', "'shared' or 'port'", wire);
  }
  return wire === 'port';
}

/**
 * Whether threads spin as ever while CPU time is scarce. Environment:
 * `CENOTE_SPIN_UNDER_PRESSURE=1`; `0` is the default.
 */
export function spinUnderPressure(): boolean {
  const spin = process.env['CENOTE_SPIN_UNDER_PRESSURE'] ?? '';
  if (spin !== '' && spin !== '0' && spin !== '1') {
    throw outOfRange('environment variable CENOTE_SPIN_UNDER_PRESSURE', "'0' or '1'", spin);
  }
  return spin === '1';
}

/** The options of the pool, all of which exist. */
function readOptions(input: unknown): Record<string, unknown> {
  if (isNoOptions(input)) throw wrongOptions(input, 'new Pool()');
  const given = ObjectAssign(emptyOptions(), input);
  refuseUnknown(given, kNames, { names: kRunNames, call: 'run()' });
  return given;
}

/** A null prototype: what somebody put on Object.prototype is no option. */
function emptyOptions(): Record<string, unknown> {
  return { __proto__: null } as never;
}

function wholeOr(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isInteger(value) ? value : fallback;
}

function optional<T>(
  given: Record<string, unknown>,
  name: keyof PoolOptions,
  expected: string,
  is: (value: unknown) => value is T,
): T | undefined {
  const value = given[name];
  if (value === undefined) return undefined;
  if (!is(value)) throw invalidType(`options.${name}`, expected, value);
  return value;
}

function isEnv(value: unknown): value is NonNullable<PoolOptions['env']> {
  return isPlainObject(value) || typeof value === 'symbol';
}

function isStrings(value: unknown): value is readonly string[] {
  if (!ArrayIsArray(value)) return false;
  for (let i = 0; i < value.length; i++) if (typeof value[i] !== 'string') return false;
  return true;
}

/** Checks the name of an export. */
export function checkName(value: unknown, label: string): string {
  if (typeof value !== 'string') throw invalidType(label, 'a string', value);
  if (value === '') throw outOfRange(label, 'the name of an export', value);
  if (value === 'setup' || value === 'teardown') {
    const expected = 'an export that handles tasks (the worker calls setup and teardown itself)';
    throw outOfRange(label, expected, value);
  }
  return value;
}

/** A path, a `file:` string or a URL, as the `file:` URL that a worker imports. */
export function toFileUrl(value: unknown, label: string): string {
  if (value instanceof URL || (typeof value === 'string' && /^file:/i.test(value))) {
    const url = new URL(value);
    if (url.protocol !== 'file:') throw outOfRange(label, 'a file: URL', url.href);
    // Throws Node's own error for a URL that is no path on this system.
    fileURLToPath(url);
    return url.href;
  }
  if (typeof value !== 'string') throw wrongFilename(label, value);
  if (value === '' || (/^[a-z][a-z\d+.-]+:/i.test(value) && !/^[a-z]:[\\/]/i.test(value))) {
    throw outOfRange(label, 'a path, a file: string or a URL', value);
  }
  if (value.includes('\0')) throw outOfRange(label, 'a path without null bytes', describe(value));
  return pathToFileURL(resolve(value)).href;
}
