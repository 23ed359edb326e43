// The options that say when workers are replaced, `recycle`, `isolate` and `watch`, and the sizes
// of `resize()`.

import { isNoOptions, isPlainObject, refuseUnknown, wrongOptions } from './arguments.js';
import { ObjectAssign, ObjectFreeze } from './base/intrinsics.js';
import { invalidType, outOfRange } from './errors.js';
import { checkNumber, kRules } from './number-options.js';
import type { ResolvedOptions } from './options.js';
import { kNoRecycling, type RecycleLimits } from './owner/renewal.js';

/** When a worker is replaced by a new one. It first ends the tasks that it runs; none is lost. */
export interface RecycleOptions {
  /** After so many tasks. */
  readonly tasks?: number;
  /** When it is this old, in milliseconds, and a task of it ends. */
  readonly ageMs?: number;
  /** When its heap uses so much, in MiB, and a task of it ends. Not with `runtime: 'process'`. */
  readonly heapMb?: number;
}

const kRecycleNames = ['tasks', 'ageMs', 'heapMb'] as const;
const kMost = 2 ** 31 - 1;

/** Checks `recycle` and `isolate`. */
export function readRecycling(recycle: unknown, isolate: unknown): RecycleLimits {
  const isIsolated = readSwitch(isolate, 'options.isolate');
  if (recycle === undefined) return isIsolated ? { ...kNoRecycling, tasks: 1 } : kNoRecycling;
  if (!isPlainObject(recycle)) throw invalidType('options.recycle', 'an object', recycle);
  const given: Record<string, unknown> = ObjectAssign({ __proto__: null } as never, recycle);
  refuseUnknown(given, kRecycleNames, { names: [], call: '' });
  const limit = (name: (typeof kRecycleNames)[number]): number => {
    const value = given[name];
    if (value === undefined) return Infinity;
    const label = `options.recycle.${name}`;
    if (typeof value !== 'number') throw invalidType(label, 'a number', value);
    if (value !== Infinity && (!Number.isInteger(value) || value < 1 || value > kMost))
      throw outOfRange(label, `a whole number from 1 to ${kMost}, or Infinity`, value);
    return value;
  };
  const limits = { tasks: limit('tasks'), ageMs: limit('ageMs'), heapMb: limit('heapMb') };
  return isIsolated ? { ...limits, tasks: 1 } : limits;
}

/** Off, or what `fallback` is, unless it is said otherwise. */
export function readSwitch(value: unknown, label: string, fallback = false): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw invalidType(label, 'a boolean', value);
  return value;
}

/** The options with other numbers of threads, of a call of `resize()`. */
export function resized(options: ResolvedOptions, input: unknown): ResolvedOptions {
  const given = ObjectAssign(
    { __proto__: null } as never as Record<string, unknown>,
    readSizes(input),
  );
  const { minThreads: least = options.minThreads, maxThreads: most = options.maxThreads } = given;
  const maxThreads = checkNumber('options.maxThreads', most, kRules.maxThreads);
  const minThreads = checkNumber('options.minThreads', least, kRules.minThreads);
  if (minThreads > maxThreads)
    throw outOfRange(
      'options.minThreads',
      `at most maxThreads, which is ${maxThreads}`,
      minThreads,
    );
  return ObjectFreeze({ ...options, minThreads, maxThreads });
}

function readSizes(input: unknown): object {
  if (isNoOptions(input)) throw wrongOptions(input, 'resize()');
  const elsewhere = { names: [], call: '' };
  refuseUnknown(input as object, ['minThreads', 'maxThreads'], elsewhere);
  return input as object;
}
