// The options of single calls: what is refused, in Piscina's order and words.

import { kRunNames } from '../run-options.js';
import { withNullPrototype } from './options.js';
import type { AbortSignalAny, CloseOptions, RunOptions, TransferList } from './types.js';

/** What one call of `run()` says; null where it says nothing. */
export interface Call {
  readonly transferList: TransferList | null;
  readonly filename: string | null;
  readonly name: string | null;
  readonly signal: AbortSignalAny | null;
  /** With options that Piscina has not: all of them, as for `run()` of a `Pool`. */
  readonly extended: Record<string, unknown> | null;
}

const kNothing: Call = {
  transferList: null,
  filename: null,
  name: null,
  signal: null,
  extended: null,
};

const kPiscinas: readonly string[] = ['transferList', 'filename', 'name', 'signal'];
/** The options of `Pool` that Piscina has not. */
const kExtended: readonly string[] = kRunNames.filter((name) => !kPiscinas.includes(name));

/** @throws TypeError, for the caller to reject with. */
export function checkRunOptions(options: RunOptions | undefined): Call {
  if (options === undefined) return kNothing;
  if (typeof options !== 'object' || options === null)
    throw new TypeError('options must be an object');
  const given = withNullPrototype(options);
  const { transferList, filename, name, signal } = given;
  if (transferList !== undefined && !Array.isArray(transferList)) {
    throw new TypeError('transferList argument must be an Array');
  }
  // Loose comparisons: null and undefined both stand for nothing.
  if (filename != null && typeof filename !== 'string')
    throw new TypeError('filename argument must be a string');
  if (name != null && typeof name !== 'string')
    throw new TypeError('name argument must be a string');
  if (signal != null && typeof signal !== 'object')
    throw new TypeError('signal argument must be an object');
  return {
    transferList: transferList ?? null,
    filename: filename ?? null,
    name: name ?? null,
    signal: signal ?? null,
    extended: extendedOf(given),
  };
}

/** Null: Piscina has all of them that say something. */
function extendedOf(given: RunOptions): Record<string, unknown> | null {
  const values = given as Record<string, unknown>;
  let isExtended = false;
  for (let i = 0; i < kExtended.length; i++) isExtended ||= values[kExtended[i]!] !== undefined;
  return isExtended ? optionsOf(given) : null;
}

/** The options of a call as `Pool` takes them: what neither has is not among them. */
export function optionsOf(given: object): Record<string, unknown> {
  const values = given as Record<string, unknown>;
  const options = { __proto__: null } as never as Record<string, unknown>;
  for (let i = 0; i < kRunNames.length; i++) {
    const name = kRunNames[i]!;
    const value = values[name];
    // Null stands for nothing where Piscina has the option.
    if (value !== undefined && (value !== null || kExtended.includes(name))) options[name] = value;
  }
  return options;
}

/** Whether `close()` is to reject what waits. @throws TypeError, for the caller to reject with. */
export function checkCloseOptions(options: CloseOptions | undefined): boolean {
  if (options === undefined) return false;
  if (typeof options !== 'object' || options === null)
    throw new TypeError('options must be an object');
  const { force } = withNullPrototype(options);
  if (force !== undefined && typeof force !== 'boolean')
    throw new TypeError('force argument must be a boolean');
  return force ?? false;
}
