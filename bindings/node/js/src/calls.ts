// The calls of a pool: each is read and checked once, at the call, and becomes a task.
//
// Guarantee: whatever the task waits for afterwards, in a lane or for room, what its caller does
// with the options meanwhile changes nothing, and a call that is wrong is refused at once.

import type { Transferable } from 'node:worker_threads';
import {
  checkContext,
  checkWhenFull,
  functionAsTask,
  isAbortSignal,
  isNoOptions,
  refuseUnknown,
  wrongOptions,
} from './arguments.js';
import { ArrayIsArray, ObjectAssign } from './base/intrinsics.js';
import { AbortError, invalidType } from './errors.js';
import { checkLimit, checkName, kNames, toFileUrl, type ResolvedOptions } from './options.js';
import type { Handler, HandlerTable } from './owner/handlers.js';
import { Task, type TaskLimits } from './owner/task.js';
import type { Call } from './owner/waiting-line.js';
import { kRunNames } from './run-options.js';
import { joinLists, takeTransfer } from './wire/move.js';
import { refuseRecursion } from './worker/worker-state.js';

/** What the options of a call say, checked. Any number of tasks may be made of it. */
export interface Request {
  readonly handler: Handler;
  readonly signal: AbortSignal | undefined;
  readonly limits: TaskLimits | null;
  readonly values: Record<string, unknown> | null;
  readonly transferList: readonly Transferable[] | undefined;
  readonly waits: boolean;
}

/** What holds where a call says nothing: the pool's options, or a lane's. */
export type CallDefaults = Pick<ResolvedOptions, 'queueTimeout' | 'timeout'>;

export class Calls {
  readonly #handlers: HandlerTable;

  constructor(handlers: HandlerTable) {
    this.#handlers = handlers;
  }

  /** Reads the options of a call. Each is looked at once. */
  read(options: unknown, defaults: CallDefaults): Request {
    const given = readOptions(options);
    const { filename, name, transferList, signal, queueTimeout, timeout } = given;
    const waits = checkWhenFull(given['whenFull']);
    const values = checkContext(given['context']);
    const handler = this.#handlers.resolve(
      filename === undefined ? undefined : fileOfCall(filename),
      name === undefined ? undefined : checkName(name, 'options.name'),
      values !== null,
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
      signal,
      limits,
      values,
      transferList: transferList as readonly Transferable[] | undefined,
      waits,
    };
  }

  /** The request of a call without options. */
  plain(defaults: CallDefaults): Request {
    return {
      handler: this.#handlers.resolve(undefined, undefined),
      signal: undefined,
      limits: limitsOf(defaults.queueTimeout, defaults.timeout),
      values: null,
      transferList: undefined,
      waits: false,
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
  const { handler, signal, limits, values, waits } = request;
  if (signal?.aborted === true) throw new AbortError(signal.reason);
  const { value, transferList } = takeTransfer(payload);
  const list = joinLists(request.transferList as Transferable[] | undefined, transferList);
  const carried = values === null ? value : [values, value];
  const task = new Task(handler, carried, list, signal !== undefined, resolve, reject);
  task.limits = limits;
  return { task, signal, waits, waiting: null };
}

/** The options of `run()`, all of which exist. */
function readOptions(input: unknown): Record<string, unknown> {
  if (isNoOptions(input)) throw wrongOptions(input, 'run()');
  const given = ObjectAssign({ __proto__: null } as never as Record<string, unknown>, input);
  refuseUnknown(given, kRunNames, { names: kNames, call: 'new Pool()' });
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
