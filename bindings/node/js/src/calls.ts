// The calls of a pool: each is read and checked once, at the call, and becomes a task.
//
// Guarantee: whatever the task waits for afterwards, in a lane or for room, what its caller does
// with the options meanwhile changes nothing, and a call that is wrong is refused at once.

import type { Transferable } from 'node:worker_threads';
import {
  checkContext,
  checkCount,
  checkWhenFull,
  functionAsTask,
  isAbortSignal,
  isIterable,
  isNoOptions,
  isPlainObject,
  refuseUnknown,
  wrongOptions,
} from './arguments.js';
import { ArrayIsArray, NumberIsSafeInteger, ObjectAssign } from './base/intrinsics.js';
import { AbortError, invalidType, outOfRange } from './errors.js';
import { checkLimit } from './number-options.js';
import { checkName, kNames, toFileUrl, type ResolvedOptions } from './options.js';
import type { Handler, HandlerTable } from './owner/handlers.js';
import type { RetryState } from './owner/retries.js';
import { makeTask, type Rank, type Task, type TaskLimits, type TaskMaker } from './owner/task.js';
import { TaskPort, type Source } from './owner/task-port.js';
import type { Call } from './owner/waiting-line.js';
import {
  kBroadcastNames,
  kRunNames,
  kStreamNames,
  kSyncNames,
  type Coalesce,
} from './run-options.js';
import { readRetry, retryOf } from './retry-options.js';
import { joinLists, takeTransfer } from './wire/move.js';
import { kCarriesPort, kCarriesValues, kStreams } from './wire/task-messages.js';
import { refuseRecursion } from './worker/worker-state.js';

type CallKind = 'run' | 'stream' | 'broadcast' | 'sync';

const kNamesOf = {
  run: kRunNames,
  stream: kStreamNames,
  broadcast: kBroadcastNames,
  sync: kSyncNames,
};

/** How many parts of a stream are taken ahead. */
const kWindow = 16;

/** What the options of a call say, checked. Any number of tasks may be made of it. */
export interface Request {
  readonly handler: Handler;
  readonly makeTask: TaskMaker;
  readonly signal: AbortSignal | undefined;
  readonly limits: TaskLimits | null;
  readonly values: Record<string, unknown> | undefined;
  readonly onProgress: ((value: unknown) => void) | undefined;
  readonly input: Source | undefined;
  /** How many parts of its stream are taken ahead. */
  readonly window: number;
  readonly transferList: readonly Transferable[] | undefined;
  readonly waits: boolean;
  readonly rank: Rank | null;
  readonly key: string | null;
  readonly coalesce: Required<Coalesce> | null;
  readonly retry: (() => RetryState) | null;
  /** It may run on this thread, if that is cheaper. */
  readonly mayRunHere: boolean;
}

/** What holds where a call says nothing: the pool's options, or a lane's. */
export type CallDefaults = Pick<ResolvedOptions, 'queueTimeout' | 'timeout' | 'retry'> & {
  readonly priority?: number;
};

export class Calls {
  readonly #handlers: HandlerTable;
  readonly #makeTask: TaskMaker;

  constructor(handlers: HandlerTable, make: TaskMaker = makeTask) {
    this.#handlers = handlers;
    this.#makeTask = make;
  }

  /** Reads the options of a call. Each is looked at once. */
  read(options: unknown, defaults: CallDefaults, kind: CallKind = 'run'): Request {
    const given = readOptions(options, kind);
    const { onProgress, input } = given;
    if (onProgress !== undefined && typeof onProgress !== 'function')
      throw invalidType('options.onProgress', 'a function', onProgress);
    if (input !== undefined && !isIterable(input))
      throw invalidType('options.input', 'an iterable or an async iterable', input);
    const hasPort = kind === 'stream' || onProgress !== undefined || input !== undefined;
    const { filename, name, transferList, signal, queueTimeout, timeout } = given;
    const waits = checkWhenFull(given['whenFull']);
    const values = checkContext(given['context']);
    const handler = this.#handlers.resolve(
      filename === undefined ? undefined : fileOfCall(filename),
      name === undefined ? undefined : checkName(name, 'options.name'),
      (values === undefined ? 0 : kCarriesValues) |
        (hasPort ? kCarriesPort : 0) |
        (kind === 'stream' ? kStreams : 0),
    );
    if (transferList !== undefined && !ArrayIsArray(transferList))
      throw invalidType('options.transferList', 'an array', transferList);
    if (signal !== undefined && !isAbortSignal(signal))
      throw invalidType('options.signal', 'an AbortSignal', signal);
    const limits = limitsOf(
      queueTimeout === undefined ? defaults.queueTimeout : checkLimit(queueTimeout, 'queueTimeout'),
      timeout === undefined ? defaults.timeout : checkLimit(timeout, 'timeout'),
    );
    return {
      handler,
      makeTask: this.#makeTask,
      signal,
      limits,
      values,
      onProgress: onProgress as Request['onProgress'],
      input,
      window: checkCount(given['highWaterMark'] ?? kWindow, 'options.highWaterMark', 1),
      transferList: transferList as readonly Transferable[] | undefined,
      waits,
      rank: rankOf(given['priority'] ?? defaults.priority ?? 0, given['group'] ?? ''),
      key: given['key'] === undefined ? null : checkText(given['key'], 'options.key'),
      coalesce: readCoalesce(given['coalesce']),
      mayRunHere: checkOffload(given['offload']),
      retry: retryOf(
        given['retry'] === undefined ? defaults.retry : readRetry(given['retry']),
        given['idempotent'],
      ),
    };
  }
}

/** A task of a request. Throws if the signal is aborted, or the payload is a function. */
export function callOf(
  request: Request,
  payload: unknown,
  resolve: (value: unknown) => void,
  reject: (error: unknown) => void,
): Call {
  if (typeof payload === 'function') throw functionAsTask(payload);
  const { handler, signal, values } = request;
  if (signal?.aborted === true) throw new AbortError(signal.reason);
  const { value, transferList } = takeTransfer(payload);
  const list = joinLists(request.transferList as Transferable[] | undefined, transferList);
  if ((handler.carries & kCarriesPort) !== 0)
    return callWithPort(request, value, list, resolve, reject);
  const carried = handler.carries === 0 ? value : [values, value];
  const hasSignal = signal !== undefined;
  const task = request.makeTask(handler, carried, list, hasSignal, resolve, reject);
  return completed(task, request);
}

function callWithPort(
  request: Request,
  payload: unknown,
  list: readonly Transferable[] | null,
  resolve: (value: unknown) => void,
  reject: (error: unknown) => void,
): Call {
  const { handler, signal, values, input, onProgress, window } = request;
  const port = new TaskPort(input, onProgress);
  const carried = [values, payload, port.other, window, input !== undefined];
  const transferList = list === null ? [port.other] : [...list, port.other];
  const hasSignal = signal !== undefined;
  const task = request.makeTask(handler, carried, transferList, hasSignal, resolve, reject);
  task.follow(() => port.end());
  return { ...completed(task, request), port };
}

function completed(task: Task, request: Request): Call {
  const { signal, limits, waits, rank, key, retry } = request;
  task.limits = limits;
  if (rank !== null) task.withTerms().rank = rank;
  if (key !== null) task.withTerms().key = key;
  if (retry !== null) task.withTerms().retry = retry();
  return { task, signal, waits, waiting: null, port: null };
}

/** The most that a priority may be, in both directions. */
const kMostPriority = 100;

/** Null: the task has none of its own. */
function rankOf(priority: unknown, group: unknown): Rank | null {
  if (typeof priority !== 'number') throw invalidType('options.priority', 'a number', priority);
  if (!NumberIsSafeInteger(priority) || priority > kMostPriority || priority < -kMostPriority) {
    const expected = `a whole number from -${kMostPriority} to ${kMostPriority}`;
    throw outOfRange('options.priority', expected, priority);
  }
  const name = checkText(group, 'options.group');
  return priority === 0 && name === '' ? null : { priority, group: name };
}

/** Checks a priority, as of a lane. */
export function checkPriority(value: unknown): number {
  return value === undefined ? 0 : (rankOf(value, '')?.priority ?? 0);
}

function checkText(value: unknown, label: string): string {
  if (typeof value !== 'string') throw invalidType(label, 'a string', value);
  return value;
}

/** Checks `offload`. True: a task may run on the pool's own thread. */
function checkOffload(value: unknown): boolean {
  if (value === undefined || value === 'always') return false;
  if (value === 'auto') return true;
  throw outOfRange('options.offload', "'auto' or 'always'", value);
}

function readCoalesce(value: unknown): Required<Coalesce> | null {
  if (value === undefined) return null;
  if (typeof value === 'string') return { key: value, mode: 'share' };
  if (!isPlainObject(value)) throw invalidType('options.coalesce', 'a string or an object', value);
  const { key, mode = 'share' } = value as { key?: unknown; mode?: unknown };
  if (mode !== 'share' && mode !== 'latest')
    throw outOfRange('options.coalesce.mode', "'share' or 'latest'", mode);
  return { key: checkText(key, 'options.coalesce.key'), mode };
}

/** The options of `run()` or `stream()`, all of which exist. */
function readOptions(input: unknown, kind: CallKind): Record<string, unknown> {
  if (isNoOptions(input)) throw wrongOptions(input, 'run()');
  const given = ObjectAssign({ __proto__: null } as never as Record<string, unknown>, input);
  refuseUnknown(given, kNamesOf[kind], {
    names: kNames,
    call: 'new Pool()',
  });
  return given;
}

function fileOfCall(filename: unknown): string {
  const url = toFileUrl(filename, 'options.filename');
  refuseRecursion(url);
  return url;
}

/** Null: there is none. */
export function limitsOf(queueMs: number, runMs: number): TaskLimits | null {
  return queueMs === Infinity && runMs === Infinity ? null : { queueMs, runMs };
}
