// The options of single calls: what is refused, in Piscina's order and words.

import { withNullPrototype } from './options.js';
import type { AbortSignalAny, CloseOptions, RunOptions, TransferList } from './types.js';

/** What one call of `run()` says; null where it says nothing. */
export interface Call {
  readonly transferList: TransferList | null;
  readonly filename: string | null;
  readonly name: string | null;
  readonly signal: AbortSignalAny | null;
}

const kNothing: Call = { transferList: null, filename: null, name: null, signal: null };

/** @throws TypeError, for the caller to reject with. */
export function checkRunOptions(options: RunOptions | undefined): Call {
  if (options === undefined) return kNothing;
  if (typeof options !== 'object' || options === null)
    throw new TypeError('options must be an object');
  const { transferList, filename, name, signal } = withNullPrototype(options);
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
  };
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
