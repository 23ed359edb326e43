// What tasks are rejected with that their workers did not run to the end: as it crossed, or as the
// pool says it.

import { messageOf, type PoolErrors, type WorkerEnd } from '../errors.js';
import { fromWire } from '../wire/errors/decoder.js';
import { kRefused, type WireError } from '../wire/messages.js';
import { rejectWithCallerStack } from './caller-stack.js';
import type { Handler } from './handlers.js';
import type { FailedStart } from './starts.js';
import type { Task } from './task.js';

export class Failures {
  readonly #errors: PoolErrors;
  readonly #preload: Handler | null;

  constructor(errors: PoolErrors, preload: Handler | null) {
    this.#errors = errors;
    this.#preload = preload;
  }

  /** Rejects a task with an error of its own, whose stack names the worker and the callers. */
  reject(task: Task, error: unknown, threadId: number): void {
    const where = `${this.#errors.kind} ${threadId}`;
    const fail = task.terms === null ? null : task.terms.fail;
    if (fail === null) rejectWithCallerStack(task.resolve, error, where);
    else fail(error, where);
  }

  /** What a worker answered that did not return. */
  of(code: number, value: unknown, handler: Handler | null): unknown {
    if (code !== kRefused) return fromWire(code, value);
    const refusal = value as WireError;
    return this.#errors.refused(refusal.code, refusal.message, handler);
  }

  /** Why a worker could not load the pool's file or handler. An error of its own for each call. */
  ofLoad(failure: readonly [code: number, value: unknown]): unknown {
    return this.of(failure[0], failure[1], this.#preload);
  }

  /**
   * What a task gets that no thread can be started for: what its file threw, or how the thread
   * ended.
   */
  ofStart({ end, loadFailure }: FailedStart): unknown {
    if (loadFailure !== null) return this.ofLoad(loadFailure);
    const cause = end.error ?? new Error(`The ${this.#errors.kind} ended: ${reasonOf(end)}`);
    return this.#errors.noThread(cause, end.threadId < 0 ? null : end);
  }
}

function reasonOf({ error, exitCode }: WorkerEnd): string {
  return error === undefined ? `it exited with code ${exitCode}` : messageOf(error);
}
