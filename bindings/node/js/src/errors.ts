// The errors of a pool: each has a stable `code`, and a message that says what happened, to what,
// and what to do. Bad arguments get Node's own codes.

import { inspect } from 'node:util';

/** The codes of {@link CenoteError}. */
export type CenoteErrorCode =
  /** The pool holds as many tasks as it may; the task was not accepted and never runs. */
  | 'ERR_CENOTE_QUEUE_FULL'
  /** The pool is closing or closed; the task was not accepted and never runs. */
  | 'ERR_CENOTE_POOL_CLOSED'
  /** The pool was destroyed while the task was queued or running. */
  | 'ERR_CENOTE_POOL_DESTROYED'
  /** The worker ended while the task ran on it. `cause` says why, where that is known. */
  | 'ERR_CENOTE_WORKER_LOST'
  /** No worker could be started for the task. `cause` is the last failure. */
  | 'ERR_CENOTE_WORKER_BOOT'
  /** Neither the pool nor the call names a file. */
  | 'ERR_CENOTE_NO_FILENAME'
  /** The file has no handler function under the name. */
  | 'ERR_CENOTE_HANDLER_NOT_FOUND'
  /** The handler threw, or registered background work rejected with, a value that cannot be cloned. */
  | 'ERR_CENOTE_UNCLONEABLE_ERROR';

/** What a pool rejects with when a task did not fail by itself. */
export class CenoteError extends Error {
  override readonly name = 'CenoteError';
  readonly code: CenoteErrorCode;

  constructor(code: CenoteErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** What a task rejects with when its signal was aborted. `cause` is the signal's reason. */
export class AbortError extends Error {
  override readonly name = 'AbortError';
  readonly code = 'ABORT_ERR';

  constructor(cause: unknown) {
    super('The task was aborted', { cause });
  }
}

class ArgumentTypeError extends TypeError {
  readonly code = 'ERR_INVALID_ARG_TYPE';
}

class ArgumentRangeError extends RangeError {
  readonly code = 'ERR_OUT_OF_RANGE';
}

/** A value of the wrong type, named as the caller wrote it. */
export function invalidType(name: string, expected: string, actual: unknown): TypeError {
  return new ArgumentTypeError(`The "${name}" must be ${expected}. Received ${describe(actual)}`);
}

/** A value of the right type that is out of range. */
export function outOfRange(name: string, expected: string, actual: unknown): RangeError {
  return new ArgumentRangeError(`The "${name}" is out of range. It must be ${expected}. Received ${describe(actual)}`);
}

/** A value as an error message shows it: on one line, of bounded length. */
export function describe(value: unknown): string {
  let text;
  try {
    text = inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 80 });
  } catch {
    // It runs code of the value's own: a getter, a proxy, an inspection method.
    return `a value of type ${typeof value} that cannot be shown`;
  }
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}
