// What a handler is given beside its task.

import {
  AbortControllerAbort,
  AbortControllerSignal,
  PlainAbortController,
} from '../base/intrinsics.js';
import { AbortError, CenoteError, invalidType } from '../errors.js';
import { kAskNothing, kAskTimeout } from '../wire/channel.js';

/** The second argument of a handler. */
export interface TaskContext {
  /**
   * Aborted when the caller aborts the task (the reason is an `AbortError`) or its `timeout` is over
   * (a `CenoteError`, `ERR_CENOTE_TIMEOUT`). The event comes in a turn of the worker's event loop:
   * a handler that never awaits asks {@link aborted} instead. What is still running `abortGrace`
   * later is terminated with its thread.
   */
  readonly signal: AbortSignal;
  /** Whether the task was asked to end. Also true, at once, inside of a loop that never yields. */
  readonly aborted: boolean;
  /**
   * Registers background work: what the task leaves running when it returns. `pool.close()` waits
   * for it, `stats()` counts it, and a rejection becomes a `backgroundError` event of the pool
   * instead of an unhandled rejection. It does not delay the task's result.
   *
   * @throws TypeError (`ERR_INVALID_ARG_TYPE`) if `work` is not a promise.
   */
  waitUntil(work: PromiseLike<unknown>): void;
}

/** A function that runs tasks. What it returns, or its promise resolves with, is cloned back. */
export type Handler<Payload = unknown, Result = unknown> = (
  task: Payload,
  context: TaskContext,
) => Result | PromiseLike<Result>;

/** What a context needs of its worker. @internal */
export interface TaskHost {
  /** Background work was registered, settled, and rejected. */
  began(): void;
  ended(): void;
  failed(error: unknown): void;
  /** What the task in a slot is asked. */
  askOf(slot: number): number;
  /** Calls `context.look()` when a task was asked to end, until {@link unwatch}. */
  watch(context: WorkerTaskContext): void;
  unwatch(context: WorkerTaskContext): void;
}

/** @internal */
export class WorkerTaskContext implements TaskContext {
  readonly #host: TaskHost;
  /** -1 once the task has ended: the slot is another task's then. */
  #slot: number;
  #ask = kAskNothing;
  #controller: AbortController | null = null;

  constructor(host: TaskHost, slot: number) {
    this.#host = host;
    this.#slot = slot;
  }

  get aborted(): boolean {
    if (this.#ask === kAskNothing && this.#slot >= 0) this.#ask = this.#host.askOf(this.#slot);
    return this.#ask !== kAskNothing;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new PlainAbortController();
      if (this.aborted) this.#abort();
      else if (this.#slot >= 0) this.#host.watch(this);
    }
    return AbortControllerSignal(this.#controller);
  }

  /** Aborts the signal if the task was asked to end. */
  look(): void {
    if (!this.aborted) return;
    this.#host.unwatch(this);
    this.#abort();
  }

  /** The task has ended: what it is asked from now on is not for it. */
  end(): void {
    if (this.#controller !== null) this.#host.unwatch(this);
    this.#slot = -1;
  }

  #abort(): void {
    if (this.#controller === null) return;
    AbortControllerAbort(
      this.#controller,
      this.#ask === kAskTimeout
        ? new CenoteError('ERR_CENOTE_TIMEOUT', 'The time of the task is over (timeout)')
        : new AbortError(undefined),
    );
  }

  waitUntil(work: PromiseLike<unknown>): void {
    if (!isPromiseLike(work)) throw invalidType('work', 'a promise', work);
    this.#host.began();
    void follow(work, this.#host);
  }
}

/**
 * Tells the host how background work ends. `await` settles once, whatever the work's `then` does,
 * and asks a native promise for no `then` at all.
 */
async function follow(work: PromiseLike<unknown>, host: TaskHost): Promise<void> {
  try {
    await work;
  } catch (error) {
    host.failed(error);
    return;
  }
  host.ended();
}

/** Whether a value has a `then`; a getter that throws counts as none. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
  try {
    return typeof (value as { then?: unknown }).then === 'function';
  } catch {
    return false;
  }
}
