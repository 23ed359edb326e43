// A pool's options: what each means, its default, its limits, and where its value came from.
//
// Precedence: the option that was passed, else its environment variable, else the default. Nothing
// else in the package reads these variables. A value that cannot be used is refused with Node's own
// error code and a message that names the option or the variable.

import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { ResourceLimits, WorkerOptions } from 'node:worker_threads';
import { describe, invalidType, outOfRange } from './errors.js';

/** The exports of a handler's file that the worker itself calls. */
export const kHooks: readonly string[] = ['setup', 'teardown'];

/** What a {@link Pool} is made with. Every option may be left out. */
export interface PoolOptions {
  /**
   * The file with the handlers: a path (a relative one starts at the working directory), a `file:`
   * string or a URL. CommonJS, an ES module, or TypeScript where Node can run it. Loaded once in
   * each worker. May be left out if every `run()` names one.
   */
  readonly filename?: string | URL;
  /** The export that handles tasks. @default 'default' */
  readonly name?: string;
  /** Threads that are started at once and kept. @default half of maxThreads, at least 1 */
  readonly minThreads?: number;
  /** The most threads. Environment: CENOTE_MAX_THREADS. @default os.availableParallelism() */
  readonly maxThreads?: number;
  /**
   * Milliseconds after which an idle thread above `minThreads` ends, once what its tasks left
   * running is done (after 30 s more it is terminated). `Infinity`: never. @default 10000
   */
  readonly idleTimeout?: number;
  /** Tasks that may wait while `maxThreads * concurrentTasksPerWorker` are running. @default 65536 */
  readonly maxQueue?: number;
  /** Tasks that one worker may have started and not settled. Up to 16384. @default 1 */
  readonly concurrentTasksPerWorker?: number;
  /**
   * Milliseconds that a task may wait for its start, or it is rejected (`ERR_CENOTE_QUEUE_TIMEOUT`)
   * and never runs. @default Infinity
   */
  readonly queueTimeout?: number;
  /**
   * Milliseconds that a task may take from its start, or it is rejected (`ERR_CENOTE_TIMEOUT`) and
   * ended as {@link abortGrace} says, a loop that never yields as well. Tasks with such a limit are
   * put behind no other on a worker, so each costs a hop of its own. @default Infinity
   */
  readonly timeout?: number;
  /**
   * Milliseconds that a running task has, after it was aborted or its `timeout` was over, to end by
   * itself: it is asked through its `context.signal`. Then its worker is terminated. 0: at once;
   * `Infinity`: never. The caller is answered at once in any case. @default 0
   */
  readonly abortGrace?: number;
  /**
   * Milliseconds that a thread may take to load the file and run its `setup`; then it is terminated,
   * and another is tried. `Infinity`: no limit. @default 60000
   */
  readonly bootTimeout?: number;
  /** What `require('node:worker_threads').workerData` is in each worker; cloned. */
  readonly workerData?: unknown;
  /** The workers' `process.env`, as for `new Worker`. */
  readonly env?: WorkerOptions['env'];
  /** Appended to the workers' `process.argv`, as for `new Worker`. */
  readonly argv?: readonly unknown[];
  /** Node options of the workers, as for `new Worker`. */
  readonly execArgv?: readonly string[];
  /** Memory limits of each worker, as for `new Worker`. */
  readonly resourceLimits?: ResourceLimits;
  /**
   * The longest that a waiting thread may spin before it sleeps, in µs; the adaptive policy stays
   * below it. 0: no spinning, and every promise holds. Environment: CENOTE_MAX_SPIN_US. @default 50
   */
  readonly maxSpinUs?: number;
  /**
   * After so many µs of tasks in a row, a worker gives its event loop a turn. It is looked at
   * between tasks: one task is never interrupted. Environment: CENOTE_TURN_BUDGET_US. @default 1000
   */
  readonly turnBudgetUs?: number;
  /**
   * µs of expected work that a worker may hold beyond the task it runs, if its tasks are measured
   * to be that short; behind a deep queue, five times as much. What a worker has not begun can be
   * taken back. 0 holds back every task until a worker is free. @default 200
   */
  readonly prefetchWindowUs?: number;
}

/** Where the value of an option came from. */
export type OptionSource = 'option' | 'environment' | 'default';

/** The options in force. `sources` says where each of the values came from. */
export interface ResolvedOptions {
  /** As a `file:` URL string, or null. */
  readonly filename: string | null;
  readonly name: string;
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
  readonly workerData: unknown;
  readonly env: PoolOptions['env'] | undefined;
  readonly argv: readonly unknown[] | undefined;
  readonly execArgv: readonly string[] | undefined;
  readonly resourceLimits: ResourceLimits | undefined;
  readonly sources: Readonly<Record<keyof PoolOptions, OptionSource>>;
}

interface NumberRule {
  readonly least: number;
  readonly most: number;
  readonly variable?: string;
  readonly orInfinity?: boolean;
}

/** The longest delay that a timer takes, in ms. */
const kMaxTimerMs = 2 ** 31 - 1;

const kRules = {
  minThreads: { least: 0, most: 65_536 },
  maxThreads: { least: 1, most: 65_536, variable: 'CENOTE_MAX_THREADS' },
  idleTimeout: { least: 0, most: kMaxTimerMs, orInfinity: true },
  maxQueue: { least: 0, most: Number.MAX_SAFE_INTEGER },
  concurrentTasksPerWorker: { least: 1, most: 16_384 },
  queueTimeout: { least: 1, most: kMaxTimerMs, orInfinity: true },
  timeout: { least: 1, most: kMaxTimerMs, orInfinity: true },
  abortGrace: { least: 0, most: kMaxTimerMs, orInfinity: true },
  bootTimeout: { least: 1, most: kMaxTimerMs, orInfinity: true },
  maxSpinUs: { least: 0, most: 10_000, variable: 'CENOTE_MAX_SPIN_US' },
  turnBudgetUs: { least: 1, most: 1_000_000, variable: 'CENOTE_TURN_BUDGET_US' },
  prefetchWindowUs: { least: 0, most: 1_000_000 },
} as const satisfies Partial<Record<keyof PoolOptions, NumberRule>>;

type NumberOption = keyof typeof kRules;

const kNames: readonly (keyof PoolOptions)[] = [
  'filename',
  'name',
  'workerData',
  'env',
  'argv',
  'execArgv',
  'resourceLimits',
  ...(Object.keys(kRules) as NumberOption[]),
];

/** Checks the options, and completes them. */
export function resolveOptions(input: unknown): ResolvedOptions {
  // A null prototype: what somebody put on Object.prototype is no option.
  const given: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (input !== undefined) {
    if (!isPlainObject(input)) throw invalidType('options', 'an object', input);
    Object.assign(given, input);
  }
  refuseUnknown(given, kNames);
  const sources = Object.fromEntries(
    kNames.map((name) => [name, given[name] === undefined ? 'default' : 'option']),
  ) as Record<keyof PoolOptions, OptionSource>;
  const pick = (name: NumberOption, fallback: number): number => {
    const [value, source] = pickNumber(name, given[name], kRules[name], fallback);
    sources[name] = source;
    return value;
  };

  const maxDefault = Math.max(availableParallelism(), wholeOr(given['minThreads'], 1));
  const maxThreads = pick('maxThreads', maxDefault);
  const minThreads = pick('minThreads', Math.max(1, Math.floor(maxThreads / 2)));
  if (minThreads > maxThreads) {
    const origin =
      sources.maxThreads === 'environment' ? ' (from the variable CENOTE_MAX_THREADS)' : '';
    throw outOfRange(
      'options.minThreads',
      `<= maxThreads, which is ${maxThreads}${origin}`,
      minThreads,
    );
  }
  return Object.freeze({
    filename:
      given['filename'] === undefined ? null : toFileUrl(given['filename'], 'options.filename'),
    name: given['name'] === undefined ? 'default' : checkName(given['name'], 'options.name'),
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
    workerData: given['workerData'],
    env: optional(given, 'env', 'an object or worker_threads.SHARE_ENV', isEnv),
    argv: optional(given, 'argv', 'an array', Array.isArray),
    execArgv: optional(given, 'execArgv', 'an array of strings', isStrings),
    resourceLimits: optional(given, 'resourceLimits', 'an object', isPlainObject),
    sources: Object.freeze(sources),
  });
}

/** Throws for an option that does not exist: it is a slip of the pen, and would be ignored for ever. */
export function refuseUnknown(given: object, names: readonly string[]): void {
  for (const [name, value] of Object.entries(given)) {
    if (names.includes(name)) continue;
    throw invalidType(
      `options.${name}`,
      `left out: there is no such option (there are ${names.join(', ')})`,
      value,
    );
  }
}

/** Checks a time limit of `run()`, in ms. */
export function checkLimit(value: unknown, name: 'queueTimeout' | 'timeout'): number {
  return checkNumber(`options.${name}`, value, kRules[name]);
}

function wholeOr(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isInteger(value) ? value : fallback;
}

function pickNumber(
  name: string,
  given: unknown,
  rule: NumberRule,
  fallback: number,
): [number, OptionSource] {
  if (given !== undefined) return [checkNumber(`options.${name}`, given, rule), 'option'];
  const { variable } = rule;
  const text = variable === undefined ? undefined : process.env[variable];
  if (variable === undefined || text === undefined || text === '') return [fallback, 'default'];
  if (!/^\d+$/.test(text)) throw outOfRange(`environment variable ${variable}`, range(rule), text);
  return [checkNumber(`environment variable ${variable}`, Number(text), rule), 'environment'];
}

function checkNumber(label: string, value: unknown, rule: NumberRule): number {
  if (typeof value !== 'number') throw invalidType(label, 'a number', value);
  if (rule.orInfinity === true && value === Infinity) return value;
  if (!Number.isInteger(value) || value < rule.least || value > rule.most)
    throw outOfRange(label, range(rule), value);
  return value;
}

function range(rule: NumberRule): string {
  return `a whole number from ${rule.least} to ${rule.most}${rule.orInfinity === true ? ', or Infinity' : ''}`;
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

function isPlainObject(value: unknown): value is Record<string, never> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEnv(value: unknown): value is NonNullable<PoolOptions['env']> {
  return isPlainObject(value) || typeof value === 'symbol';
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** Checks the name of an export. */
export function checkName(value: unknown, label: string): string {
  if (typeof value !== 'string') throw invalidType(label, 'a string', value);
  if (value === '') throw outOfRange(label, 'the name of an export', value);
  if (kHooks.includes(value)) {
    throw outOfRange(
      label,
      `the name of an export that handles tasks: ${kHooks.join(' and ')} are called by the worker`,
      value,
    );
  }
  return value;
}

/** A path, a `file:` string or a URL, as the `file:` URL that a worker imports. */
export function toFileUrl(value: unknown, label: string): string {
  if (value instanceof URL || (typeof value === 'string' && /^file:/i.test(value))) {
    const url = new URL(value);
    if (url.protocol !== 'file:') throw outOfRange(label, 'a file: URL', url.href);
    // Throws Node's own error for a URL that is no path here.
    fileURLToPath(url);
    return url.href;
  }
  if (typeof value !== 'string') throw invalidType(label, 'a path, a file: string or a URL', value);
  if (value === '' || (/^[a-z][a-z\d+.-]+:/i.test(value) && !/^[a-z]:[\\/]/i.test(value))) {
    throw outOfRange(label, `a path, a file: string or a URL`, value);
  }
  if (value.includes('\0')) throw outOfRange(label, 'a path without null bytes', describe(value));
  return pathToFileURL(resolve(value)).href;
}
