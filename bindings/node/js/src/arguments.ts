// What the pool says to a call that is wrong in a way that people often get it wrong.
//
// Each function throws, or gives the end of a message. Nothing here runs in a call that is right,
// but for `refuseUnknown`, which looks at the keys of the options alone.

import { URL } from 'node:url';
import {
  ArrayIsArray,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectKeys,
} from './base/intrinsics.js';
import { describe, invalidType, outOfRange, unknownOption } from './errors.js';

/** A name at most this far from what was written, or a third of its length, is what was meant. */
const kTypingSlips = 2;
/** Beginnings shorter than this say nothing: `max` may be any of several options. */
const kTellingLength = 4;

/**
 * Throws for an option that does not exist: the pool would silently ignore it.
 *
 * @param elsewhere the options of the other call, and what that call is.
 */
export function refuseUnknown(
  given: object,
  names: readonly string[],
  elsewhere: { readonly names: readonly string[]; readonly call: string },
): void {
  const keys = ObjectKeys(given);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (includes(names, key)) continue;
    throw unknownOption(
      key,
      includes(elsewhere.names, key)
        ? `It is an option of ${elsewhere.call}.`
        : didYouMean(key, names),
      names,
    );
  }
}

function includes(names: readonly string[], name: string): boolean {
  for (let i = 0; i < names.length; i++) if (names[i] === name) return true;
  return false;
}

/** The sentence that names the option that was probably meant; empty if none is near. */
function didYouMean(written: string, names: readonly string[]): string {
  const best = nearest(written, names);
  return best === null ? '' : `Did you mean "${best}"?`;
}

/** The known name that a written one is nearest to, if it is near enough. */
function nearest(written: string, names: readonly string[]): string | null {
  const sought = written.toLowerCase();
  let best: string | null = null;
  let least = Math.max(kTypingSlips, Math.floor(sought.length / 3)) + 1;
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!.toLowerCase();
    const distance = sought !== name && isPart(sought, name) ? 1 : editDistance(sought, name);
    if (distance < least) {
      best = names[i]!;
      least = distance;
    }
  }
  return best;
}

/** One is the beginning or the end of the other: `transfer`, `maxQueueSize`, `threads`. */
function isPart(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return short.length >= kTellingLength && (long.startsWith(short) || long.endsWith(short));
}

/** How many letters must be put in, left out or replaced to make one word of the other. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replaced, above[j]! + 1, row[j - 1]! + 1);
    }
    above = row;
  }
  return above[b.length]!;
}

/** Options that are no object: says how the value is passed, if it is clear what it is. */
export function wrongOptions(
  value: unknown,
  call: 'new Pool()' | 'run()' | 'map()' | 'lane()' | 'resize()',
): TypeError {
  return invalidType('options', 'an object', value, optionsHint(value, call));
}

/** Whether the value is an object that somebody passed in place of an object with options. */
export function isNoOptions(value: unknown): boolean {
  return (
    typeof value !== 'object' ||
    value === null ||
    ArrayIsArray(value) ||
    value instanceof URL ||
    isAbortSignal(value)
  );
}

/** Also one of a polyfill. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  return (
    typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value
  );
}

function optionsHint(
  value: unknown,
  call: 'new Pool()' | 'run()' | 'map()' | 'lane()' | 'resize()',
): string {
  if (typeof value === 'function') return kFunctionsComeFromFiles;
  if (value instanceof URL) return 'Pass a file as { filename }.';
  if (call === 'new Pool()') return typeof value === 'string' ? 'Pass a file as { filename }.' : '';
  if (typeof value === 'string') return 'Pass the name of an export as { name }.';
  if (ArrayIsArray(value)) return 'Pass a transfer list as { transferList }.';
  return isAbortSignal(value) ? 'Pass a signal as { signal }.' : '';
}

/** What to do with a function that should run in a worker. */
const kFunctionsComeFromFiles =
  'Functions cannot cross threads: export this one from a file, and name the file, as in ' +
  "new Pool({ filename: new URL('./worker.mjs', import.meta.url) }).";

/** A function as the task. */
export function functionAsTask(value: unknown): TypeError {
  return invalidType('task', 'a value that can be cloned', value, kFunctionsComeFromFiles);
}

/** A `filename` that is neither a string nor a URL. */
export function wrongFilename(label: string, value: unknown): TypeError {
  const hint = typeof value === 'function' ? kFunctionsComeFromFiles : '';
  return invalidType(label, 'a path, a file: string or a URL', value, hint);
}

const kFixed = 'Options are fixed when the pool is made: pass them to new Pool().';
const kReadOnly: Readonly<Record<string, string>> = {
  options: kFixed,
  threads: 'To choose how many threads run, pass minThreads and maxThreads to new Pool().',
  queueSize: 'To limit the queue, pass maxQueue to new Pool().',
  completed: 'It counts the tasks of the pool since it was made.',
  tasks: 'It has a function for each handler of the file.',
};

/**
 * Gives the getters of a class setters that say what to do instead. Without them an assignment
 * fails with an engine's text, and in sloppy code, such as most of CommonJS, without any.
 */
export function refuseAssignments(prototype: object): void {
  for (const name of ObjectKeys(kReadOnly)) {
    const getter = ObjectGetOwnPropertyDescriptor(prototype, name)!;
    ObjectDefineProperty(prototype, name, {
      __proto__: null,
      ...getter,
      set(value: unknown) {
        throw new TypeError(
          `Cannot set pool.${name} to ${describe(value)}: it is read-only. ${kReadOnly[name]}`,
        );
      },
    } as PropertyDescriptor);
  }
}

/** Checks `whenFull`. True: wait. */
export function checkWhenFull(value: unknown): boolean {
  if (value === undefined || value === 'reject') return false;
  if (value === 'wait') return true;
  throw outOfRange('options.whenFull', "'wait' or 'reject'", value);
}

/** Checks the `context` of `run()`. */
export function checkContext(value: unknown): Record<string, unknown> | undefined {
  if (value === undefined) return undefined;
  if (!isPlainObject(value)) throw invalidType('options.context', 'an object', value);
  return value;
}

/** An object that is no array. */
export function isPlainObject(value: unknown): value is Record<string, never> {
  return typeof value === 'object' && value !== null && !ArrayIsArray(value);
}

/** Something to read items from. */
export function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'string')) return false;
  return (
    typeof (value as Iterable<unknown>)[Symbol.iterator] === 'function' ||
    typeof (value as AsyncIterable<unknown>)[Symbol.asyncIterator] === 'function'
  );
}

/** The most that a count of tasks may be. */
const kMostTasks = 16_777_216;

/** Checks a number of tasks. */
export function checkCount(value: unknown, name: string, least: number): number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value);
  if (!Number.isInteger(value) || value < least || value > kMostTasks)
    throw outOfRange(name, `a whole number from ${least} to ${kMostTasks}`, value);
  return value;
}
