// The errors of a pool: each has a stable `code`, and a message that says what happened, to what,
// and what to do. Bad arguments get Node's own codes.

import { inspect } from 'node:util';

/** The codes of {@link CenoteError}. */
export type CenoteErrorCode =
  /** The pool is full. It did not accept the task, which never runs. */
  | 'ERR_CENOTE_QUEUE_FULL'
  /** The pool is closing or closed. It did not accept the task, which never runs. */
  | 'ERR_CENOTE_POOL_CLOSED'
  /** `destroy()` was called while the task waited or ran. */
  | 'ERR_CENOTE_POOL_DESTROYED'
  /** The worker ended while the task ran on it. `cause` says why, where that is known. */
  | 'ERR_CENOTE_WORKER_LOST'
  /** No worker could start. `cause` is the last failure. */
  | 'ERR_CENOTE_WORKER_BOOT'
  /** A worker was not ready within `bootTimeout`. It is the `cause` of `ERR_CENOTE_WORKER_BOOT`. */
  | 'ERR_CENOTE_BOOT_TIMEOUT'
  /** A newer call with the same `coalesce` key took the task's place. It never runs. */
  | 'ERR_CENOTE_SUPERSEDED'
  /** The task, which was tried again, ran on several workers that ended. */
  | 'ERR_CENOTE_QUARANTINED'
  /** The task did not start within its `queueTimeout`, and never runs. */
  | 'ERR_CENOTE_QUEUE_TIMEOUT'
  /** The task did not finish within `timeout` of its start. */
  | 'ERR_CENOTE_TIMEOUT'
  /** Neither the pool nor the call names a file. */
  | 'ERR_CENOTE_NO_FILENAME'
  /** The file does not exist. */
  | 'ERR_CENOTE_FILE_NOT_FOUND'
  /** The file exports no function under the name. */
  | 'ERR_CENOTE_HANDLER_NOT_FOUND'
  /** A function passed to `exec()` uses a name that is defined outside of it. */
  | 'ERR_CENOTE_NOT_CLOSED'
  /** While a worker loaded a file, a pool of that same file was made. */
  | 'ERR_CENOTE_RECURSIVE_POOL'
  /** `pool.stream()` called a handler that gives no stream. */
  | 'ERR_CENOTE_NOT_A_STREAM'
  /** A bundler has copied the package into a program, without the file that its workers run. */
  | 'ERR_CENOTE_BUNDLED'
  /** A handler threw a value that cannot be cloned, or its background work rejected with one. */
  | 'ERR_CENOTE_UNCLONEABLE_ERROR'
  /** A task or a result crossed to the other thread, and cannot be read there. */
  | 'ERR_CENOTE_UNREADABLE';

/** What a task is rejected with when the pool could not run it to its end. */
export class CenoteError extends Error {
  override readonly name = 'CenoteError';
  readonly code: CenoteErrorCode;

  constructor(code: CenoteErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** What a task is rejected with when its signal was aborted. `cause` is the signal's reason. */
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

/**
 * A value of the wrong type. The name is an argument's, or an option's as `options.name`. The hint,
 * a sentence or more, says what the caller probably wants to write.
 */
export function invalidType(name: string, expected: string, actual: unknown, hint = ''): TypeError {
  const received = `${subject(name)} must be ${expected}. Received ${describe(actual)}`;
  return new ArgumentTypeError(hint === '' ? received : `${received}. ${hint}`);
}

/** A value of the right type that is out of range. */
export function outOfRange(name: string, expected: string, actual: unknown): RangeError {
  return new ArgumentRangeError(
    `${subject(name)} must be ${expected}. Received ${describe(actual)}`,
  );
}

/** An option that does not exist. The hint is a sentence that says what was meant, or empty. */
export function unknownOption(name: string, hint: string, known: readonly string[]): TypeError {
  let list = '';
  for (let i = 0; i < known.length; i++) list += `${i === 0 ? '' : ', '}${known[i]!}`;
  return new ArgumentTypeError(
    `Unknown option "${name}". ${hint === '' ? '' : `${hint} `}Known options: ${list}`,
  );
}

/** What a message is about, as its first words. */
function subject(name: string): string {
  if (name.startsWith('options.')) return `The "${name.slice('options.'.length)}" option`;
  return name.startsWith('environment variable ') ? `The ${name}` : `The "${name}" argument`;
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
  /** What its messages call a worker. */
  readonly kind: 'worker thread' | 'worker process';
  /** For a task that was submitted after `close()` or `destroy()`. */
  closed(): unknown;
  /** For a task that a full pool did not accept. */
  queueFull(places: number, maxQueue: number): unknown;
  destroyed(): unknown;
  aborted(reason: unknown): unknown;
  /** The task did not start within the limit, in ms. */
  waitedTooLong(limitMs: number): unknown;
  /** The task did not finish within the limit, in ms. */
  ranTooLong(limitMs: number): unknown;
  /** Its worker ended while it ran (`begun`), or before, and the task cannot move to another. */
  lost(end: WorkerEnd, begun: boolean): unknown;
  /** No thread could start; `end` is how the last one that was tried ended. */
  noThread(cause: unknown, end: WorkerEnd | null): unknown;
  /** The worker refused the task; the handler says what it should have run. */
  refused(
    code: CenoteErrorCode,
    message: string,
    handler: { readonly url: string; readonly exportName: string } | null,
  ): unknown;
}

/** The errors of `Pool`. */
export const poolErrors: PoolErrors = {
  kind: 'worker thread',
  closed: () =>
    new CenoteError('ERR_CENOTE_POOL_CLOSED', 'The pool is closed and accepts no more tasks'),
  queueFull: (places, maxQueue) =>
    new CenoteError(
      'ERR_CENOTE_QUEUE_FULL',
      `The pool is full: ${places} running, ${maxQueue} waiting (maxQueue). ` +
        'Submit less at a time or raise maxQueue.',
    ),
  destroyed: () =>
    new CenoteError('ERR_CENOTE_POOL_DESTROYED', 'The pool was destroyed before the task finished'),
  aborted: (reason) => new AbortError(reason),
  waitedTooLong: (limitMs) =>
    new CenoteError(
      'ERR_CENOTE_QUEUE_TIMEOUT',
      `The task did not start within ${limitMs} ms (queueTimeout) and was dropped: ` +
        'the pool is overloaded, or its threads are blocked.',
    ),
  ranTooLong: (limitMs) =>
    new CenoteError(
      'ERR_CENOTE_TIMEOUT',
      `The task did not finish within ${limitMs} ms of its start (timeout)`,
    ),
  lost: (end, begun) => lost('thread', end, begun),
  noThread: (cause) => noWorker('thread', cause),
  refused: (code, message) => new CenoteError(code, message),
};

/** A newer call of the same key came before the task began. */
export function superseded(key: string): CenoteError {
  return new CenoteError(
    'ERR_CENOTE_SUPERSEDED',
    `A newer call with the coalesce key "${key}" came before the task began: only the newest runs.`,
  );
}

/** The same of a pool whose workers are processes. */
export const processErrors: PoolErrors = {
  ...poolErrors,
  kind: 'worker process',
  lost: (end, begun) => lost('process', end, begun),
  noThread: (cause) => noWorker('process', cause),
};

function lost(what: string, { threadId, exitCode, error }: WorkerEnd, begun: boolean): CenoteError {
  const when = begun
    ? 'while the task ran on it'
    : 'before the task began, and the task cannot move to another worker';
  const reason = error === undefined ? `it exited with code ${exitCode}` : messageOf(error);
  return new CenoteError(
    'ERR_CENOTE_WORKER_LOST',
    `Worker ${what} ${threadId} ended ${when}: ${reason}`,
    { cause: error },
  );
}

function noWorker(what: string, cause: unknown): CenoteError {
  const message = `No worker ${what} could start: ${messageOf(cause)}`;
  return new CenoteError('ERR_CENOTE_WORKER_BOOT', message, { cause });
}

/** Neither the pool nor the call says which file holds the handler. */
export function noFilename(): CenoteError {
  return new CenoteError(
    'ERR_CENOTE_NO_FILENAME',
    'No file to run. Pass "filename" to new Pool() or to run().',
  );
}

/**
 * A worker that is still loading a file, or one below it, made a pool of that file: each would
 * start the next.
 */
export function recursivePool(url: string): CenoteError {
  return new CenoteError(
    'ERR_CENOTE_RECURSIVE_POOL',
    `While a worker loads ${url}, a pool of that same file was made, whose workers would do so ` +
      'again without end. Move the handlers to a file of their own, or make the pool only where ' +
      'isMainThread (of node:worker_threads) is true.',
  );
}

/** `path` is where the file that worker threads run should be; empty: nobody can say. */
export function bundled(path: string): CenoteError {
  return new CenoteError(
    'ERR_CENOTE_BUNDLED',
    'A bundler has put cenote into the bundle, or copied it in part: the file that its worker ' +
      `threads run is not there${path === '' ? '' : ` (${path})`}. Mark cenote as external, and ` +
      'install it whole where the program runs: esbuild --external:cenote; ' +
      "webpack externals: { cenote: 'commonjs cenote' }; Rollup external: ['cenote']; " +
      "Vite ssr.external: ['cenote']; Next serverExternalPackages: ['cenote']; " +
      'ncc --external cenote; tsup: as one of the dependencies in package.json. ' +
      'docs/bundlers.md of the package says more.',
  );
}

/**
 * What a worker says of a file that does not exist: where the pool looked, and from where.
 *
 * @param nearby a file that exists and differs only in its extension, if one does.
 */
export function fileNotFoundText(path: string, cwd: string, nearby: string | null): string {
  const hint = nearby === null ? '' : ` Did you mean ${nearby}?`;
  return (
    `Cannot find the file ${path}.${hint} A relative filename starts at the working directory, ` +
    `which is ${cwd}; for a file beside your module pass ` +
    "new URL('./worker.mjs', import.meta.url), or in CommonJS require.resolve('./worker.js')."
  );
}

/** Why a value that crossed cannot be read where it arrived. */
export function unreadable(what: 'task' | 'result', cause: unknown): CenoteError {
  const where = what === 'task' ? 'in the worker' : "on the pool's thread";
  return new CenoteError(
    'ERR_CENOTE_UNREADABLE',
    `The ${what} arrived ${where} and cannot be read there (${messageOf(cause)}). ` +
      'Transfer a buffer only once, and nest less deeply.',
    { cause },
  );
}

/** What an error, or any other thrown value, says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
