// The constructor's options: what is refused, in Piscina's order and words, and what is filled in.
//
// What an inherited property says is no option: options are copied to objects without a prototype.
// NaN is refused wherever a number is asked for; the rest of what Piscina takes is taken.

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { MathFloor, MathMax, MathMin, ObjectAssign, ObjectCreate } from '../base/intrinsics.js';
import { OwnOrder } from './own-order.js';
import { isTaskQueue } from './queues.js';
import type { FilledOptions, Options } from './types.js';

type Given = Readonly<Partial<Record<keyof Options, unknown>>>;

/** A copy that inherits nothing. */
export function withNullPrototype<T extends object>(source: T): T {
  return ObjectAssign(ObjectCreate(null) as T, source);
}

/** The path that a path or a `file:` string stands for. */
export function toPath(filename: string): string {
  return filename.startsWith('file:') ? fileURLToPath(filename) : filename;
}

const isAbsent = (value: unknown): boolean => value === undefined;
const isAtLeast = (value: unknown, least: number): boolean =>
  typeof value === 'number' && value >= least;
const isText = (value: unknown): boolean => typeof value === 'string' || value === null;
const isBoolean = (value: unknown): boolean => typeof value === 'boolean';
const isAtomics = (value: unknown): boolean =>
  value === null || value === 'sync' || value === 'async' || value === 'disabled';
const isBalancer = (value: unknown): boolean => typeof value === 'function' && value.length >= 1;
const isNice = (value: unknown): boolean =>
  isAtLeast(value, process.platform === 'win32' ? -Infinity : 0);

/** What is refused before the limits of threads are compared, and after. */
const kFirst: readonly (readonly [keyof Options, (value: unknown) => boolean, string])[] = [
  ['filename', isText, 'options.filename must be a string or null'],
  ['name', isText, 'options.name must be a string or null'],
  [
    'minThreads',
    (value) => isAtLeast(value, 0),
    'options.minThreads must be a non-negative integer',
  ],
  ['maxThreads', (value) => isAtLeast(value, 1), 'options.maxThreads must be a positive integer'],
];
const kThen: typeof kFirst = [
  [
    'idleTimeout',
    (value) => isAtLeast(value, 0),
    'options.idleTimeout must be a non-negative integer',
  ],
  [
    'maxQueue',
    (value) => value === 'auto' || isAtLeast(value, 0),
    'options.maxQueue must be a non-negative integer',
  ],
  [
    'concurrentTasksPerWorker',
    (value) => isAtLeast(value, 1),
    'options.concurrentTasksPerWorker must be a positive integer',
  ],
  ['atomics', isAtomics, 'options.atomics should be a value of sync, sync or disabled.'],
  [
    'atomicsTimeout',
    (value) => isAtLeast(value, 1),
    'options.atomicsTimeout must be a non-negative integer',
  ],
  [
    'resourceLimits',
    (value) => typeof value === 'object' && value !== null,
    'options.resourceLimits must be an object',
  ],
  ['taskQueue', isTaskQueue, 'options.taskQueue must be a TaskQueue object'],
  ['niceIncrement', isNice, 'options.niceIncrement must be a non-negative integer on Unix systems'],
  ['trackUnmanagedFds', isBoolean, 'options.trackUnmanagedFds must be a boolean value'],
  [
    'closeTimeout',
    (value) => isAtLeast(value, 0),
    'options.closeTimeout must be a non-negative integer',
  ],
  ['loadBalancer', isBalancer, 'options.loadBalancer must be a function with at least two args'],
  ['workerHistogram', isBoolean, 'options.workerHistogram must be a boolean'],
  ['stricterFIFO', isBoolean, 'options.stricterFIFO must be a boolean'],
];

/** Refuses what cannot be used. */
export function checkOptions(given: Options): void {
  const check = (rules: typeof kFirst): void => {
    for (let i = 0; i < rules.length; i++) {
      const { 0: name, 1: holds, 2: message } = rules[i]!;
      const value = (given as Given)[name];
      if (!isAbsent(value) && !holds(value)) throw new TypeError(message);
    }
  };
  check(kFirst);
  const { minThreads, maxThreads } = given;
  if (minThreads !== undefined && maxThreads !== undefined && minThreads > maxThreads) {
    throw new RangeError('options.minThreads and options.maxThreads must not conflict');
  }
  check(kThen);
}

/** Fills in what was left out. `given` has been checked, and has no prototype. */
export function fillOptions(given: Options): FilledOptions {
  const parallelism = availableParallelism();
  let minThreads = given.minThreads ?? MathMax(MathFloor(parallelism / 2), 1);
  let maxThreads = given.maxThreads ?? parallelism * 1.5;
  // Whichever of the two was passed moves the other.
  if (given.maxThreads !== undefined) minThreads = MathMin(minThreads, maxThreads);
  if (given.minThreads !== undefined) maxThreads = MathMax(maxThreads, minThreads);
  return ObjectAssign(ObjectCreate(null) as FilledOptions, {
    trackUnmanagedFds: true,
    ...given,
    filename: given.filename ? toPath(given.filename) : null,
    name: given.name ?? 'default',
    minThreads,
    maxThreads,
    idleTimeout: given.idleTimeout ?? 0,
    maxQueue: given.maxQueue === 'auto' ? maxThreads ** 2 : (given.maxQueue ?? Infinity),
    concurrentTasksPerWorker: given.concurrentTasksPerWorker ?? 1,
    atomics: given.atomics ?? 'sync',
    taskQueue: given.taskQueue ?? new OwnOrder(),
    niceIncrement: given.niceIncrement ?? 0,
    closeTimeout: given.closeTimeout ?? 30_000,
    recordTiming: given.recordTiming === undefined || Boolean(given.recordTiming),
    stricterFIFO: given.stricterFIFO ?? false,
    workerHistogram: given.workerHistogram ?? false,
  });
}
