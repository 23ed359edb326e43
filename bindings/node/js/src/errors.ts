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
  /** A worker was not ready within `bootTimeout`. Seen as the `cause` of `ERR_CENOTE_WORKER_BOOT`. */
  | 'ERR_CENOTE_BOOT_TIMEOUT'
  /** The task had not begun within `queueTimeout`; it never runs. */
  | 'ERR_CENOTE_QUEUE_TIMEOUT'
  /** The task had not ended within `timeout` of its start. */
  | 'ERR_CENOTE_TIMEOUT'
  /** Neither the pool nor the call names a file. */
  | 'ERR_CENOTE_NO_FILENAME'
  /** A worker that is loading a file made a pool of that same file, or ran it by name. */
  | 'ERR_CENOTE_RECURSIVE_POOL'
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
  return new ArgumentRangeError(
    `The "${name}" is out of range. It must be ${expected}. Received ${describe(actual)}`,
  );
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

/** How a worker ended. */
export interface WorkerEnd {
  readonly threadId: number;
  readonly exitCode: number;
  /** The uncaught error that ended it, if there was one. */
  readonly error: unknown;
}

/** What a pool's tasks are rejected with, where it is not what their handlers threw. */
export interface PoolErrors {
  /** Submitted to a pool that takes no more. */
  closed(): unknown;
  /** Submitted to a pool that holds as many as it may. */
  queueFull(places: number, maxQueue: number): unknown;
  destroyed(): unknown;
  aborted(reason: unknown): unknown;
  /** Not begun within the limit, in ms. */
  waitedTooLong(limitMs: number): unknown;
  /** Not ended within the limit, in ms. */
  ranTooLong(limitMs: number): unknown;
  /** Its worker ended while it ran (`begun`), or before, and it cannot be given to another. */
  lost(end: WorkerEnd, begun: boolean): unknown;
  /** No thread could be started; `end` is how the last that was tried ended. */
  noThread(cause: unknown, end: WorkerEnd | null): unknown;
  /** Refused by the worker; the handler says what was to be run. */
  refused(
    code: CenoteErrorCode,
    message: string,
    handler: { readonly url: string; readonly exportName: string } | null,
  ): unknown;
}

/** The errors of `Pool`. */
export const poolErrors: PoolErrors = {
  closed: () =>
    new CenoteError('ERR_CENOTE_POOL_CLOSED', 'The pool is closed and takes no more tasks'),
  queueFull: (places, maxQueue) =>
    new CenoteError(
      'ERR_CENOTE_QUEUE_FULL',
      `The pool already has ${places} tasks to run and ${maxQueue} waiting (maxQueue): ` +
        'run fewer at a time, or raise maxQueue',
    ),
  destroyed: () =>
    new CenoteError('ERR_CENOTE_POOL_DESTROYED', 'The pool was destroyed before the task was done'),
  aborted: (reason) => new AbortError(reason),
  waitedTooLong: (limitMs) =>
    new CenoteError(
      'ERR_CENOTE_QUEUE_TIMEOUT',
      `The task had not begun after ${limitMs} ms (queueTimeout), and never will: ` +
        'the pool has more to do than its threads can, or they are blocked',
    ),
  ranTooLong: (limitMs) =>
    new CenoteError(
      'ERR_CENOTE_TIMEOUT',
      `The task had not ended ${limitMs} ms after its start (timeout)`,
    ),
  lost: ({ threadId, exitCode, error }, begun) => {
    const what = begun
      ? 'while the task ran'
      : 'before the task began, and it cannot be given to another';
    const reason = error === undefined ? `it exited with code ${exitCode}` : messageOf(error);
    return new CenoteError(
      'ERR_CENOTE_WORKER_LOST',
      `Worker thread ${threadId} ended ${what}: ${reason}`,
      {
        cause: error,
      },
    );
  },
  noThread: (cause) =>
    new CenoteError(
      'ERR_CENOTE_WORKER_BOOT',
      `No worker thread could be started: ${messageOf(cause)}`,
      { cause },
    ),
  refused: (code, message) => new CenoteError(code, message),
};

/** What an error, or any other thrown value, says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
