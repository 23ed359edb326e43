// What a handler is given beside its task.

import { invalidType } from './errors.js';

/** The second argument of a handler. */
export interface TaskContext {
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

/** Keeps count of the registered background work of a worker. */
export interface BackgroundRegistry {
  began(): void;
  ended(): void;
  failed(error: unknown): void;
}

/** @internal */
export class WorkerTaskContext implements TaskContext {
  readonly #registry: BackgroundRegistry;

  constructor(registry: BackgroundRegistry) {
    this.#registry = registry;
  }

  waitUntil(work: PromiseLike<unknown>): void {
    if (!isPromiseLike(work)) throw invalidType('work', 'a promise', work);
    const registry = this.#registry;
    registry.began();
    // Through Promise.resolve, so that a `then` that throws or answers twice is one rejection.
    Promise.resolve(work).then(
      () => registry.ended(),
      (error: unknown) => registry.failed(error),
    );
  }
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
