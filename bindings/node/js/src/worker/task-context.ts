// The second argument of a handler: it says when to stop, and registers background work.

import {
  AbortControllerAbort,
  AbortControllerSignal,
  PlainAbortController,
} from '../base/intrinsics.js';
import { AbortError, CenoteError, invalidType } from '../errors.js';
import { kAskAborted, kAskNothing, kAskTimeout } from '../wire/channel.js';
import type { Asks } from './asks.js';
import type { Background } from './background.js';
import type { TaskPort } from './task-port.js';
import type { ContextValues } from './task-values.js';

/** The second argument of a handler. Its functions may be taken out of it. */
export interface TaskContext {
  /**
   * Aborted when the caller aborts the task (the reason is an `AbortError`) or when its `timeout`
   * is over (a `CenoteError`, `ERR_CENOTE_TIMEOUT`). The event needs a turn of the worker's event
   * loop, so a handler that never awaits must check {@link aborted} instead. If the task still runs
   * `abortGrace` later, the pool terminates its worker.
   */
  readonly signal: AbortSignal;
  /** Whether the task should stop. Changes at once, even inside a loop that never yields. */
  readonly aborted: boolean;
  /** What the caller gave to `run()` as `context`, if anything; see `contextValues()`. */
  readonly values: ContextValues | undefined;
  /**
   * The `input` of the call, if it has any: an async iterable. What the task has not read yet stays
   * with the caller, but for a few items.
   */
  readonly input: AsyncIterable<unknown> | undefined;
  /**
   * Sends a copy of a value to the call's `onProgress`, in order, and before the result. Without
   * `onProgress` it does nothing.
   */
  readonly report: (value: unknown) => void;
  /**
   * Registers background work: a promise that goes on after the handler returned. `pool.close()`
   * waits for it without limit, `stats()` counts it, and if it rejects, the pool emits
   * `backgroundError` and the worker lives on. It does not delay the task's result.
   *
   * @throws TypeError (`ERR_INVALID_ARG_TYPE`) if `work` is not a promise.
   */
  readonly waitUntil: (work: PromiseLike<unknown>) => void;
}

/** A function that runs tasks. The caller gets a copy of what it returns, or resolves with. */
export type Handler<Payload = unknown, Result = unknown> = (
  task: Payload,
  context: TaskContext,
) => Result | PromiseLike<Result>;

/** What a context needs of its worker. @internal */
export interface TaskHost {
  readonly asks: Asks;
  readonly background: Background;
}

/** @internal */
export class WorkerTaskContext implements TaskContext {
  values: ContextValues | undefined = undefined;
  port: TaskPort | null = null;
  readonly #host: TaskHost;
  /** -1 once the task has ended: the slot is another task's then. */
  #slot: number;
  #ask = kAskNothing;
  #controller: AbortController | null = null;

  constructor(host: TaskHost, slot: number) {
    this.#host = host;
    this.#slot = slot;
  }

  get input(): AsyncIterable<unknown> | undefined {
    return this.port?.input;
  }

  // Made when they are asked for: most handlers ask for none.

  get report(): TaskContext['report'] {
    return (value) => {
      // Once the task has ended nobody listens.
      if (this.#slot >= 0) this.port?.report(value);
    };
  }

  get waitUntil(): TaskContext['waitUntil'] {
    return (work) => {
      if (!isPromiseLike(work)) throw invalidType('work', 'a promise', work);
      this.#host.background.began();
      void follow(work, this.#host);
    };
  }

  get aborted(): boolean {
    if (this.#ask === kAskNothing && this.#slot >= 0) this.#ask = this.#host.asks.of(this.#slot);
    return this.#ask !== kAskNothing;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new PlainAbortController();
      if (this.aborted) this.#abort();
      else if (this.#slot >= 0) this.#host.asks.watch(this);
    }
    return AbortControllerSignal(this.#controller);
  }

  /** Aborts the signal if the task was asked to end. */
  look(): void {
    if (!this.aborted) return;
    this.#host.asks.unwatch(this);
    this.#abort();
  }

  /** Nobody waits for it any more. */
  askToEnd(): void {
    if (this.#slot < 0 || this.#ask !== kAskNothing) return;
    this.#ask = kAskAborted;
    this.look();
  }

  /** The task has ended: what it is asked from now on is not for it. */
  end(): void {
    if (this.#controller !== null) this.#host.asks.unwatch(this);
    this.#slot = -1;
  }

  #abort(): void {
    if (this.#controller === null) return;
    AbortControllerAbort(
      this.#controller,
      this.#ask === kAskTimeout
        ? new CenoteError('ERR_CENOTE_TIMEOUT', 'The task did not finish within its timeout')
        : new AbortError(undefined),
    );
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
    host.background.failed(error);
    return;
  }
  host.background.ended();
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
