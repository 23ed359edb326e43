// Whether to offload: what a hop costs beside what a handler takes (`pool.advise()`), and handlers
// that run here where that is cheaper (`offload: 'auto'`).
//
// A handler runs here only if its file says that it may (`export const inlineSafe = true`), which a
// worker is asked, so that nobody else's code is loaded on this thread. From then on the last runs
// decide: once they take longer than a hop the tasks go to workers again.
//
// Guarantee: also here a handler gets a copy of its task, and its caller one of its result.

import { now, PlainAbortController, SafeMap, structuredClone } from './base/intrinsics.js';
import { callOf, type Request } from './calls.js';
import type { Front } from './front.js';
import type { Dispatcher } from './owner/dispatcher.js';
import { kExecFile } from './owner/inline-code.js';
import type { Handler, HandlerTable } from './owner/handlers.js';
import type { Task } from './owner/task.js';
import { kCarriesValues } from './wire/task-messages.js';
import { importFile } from './worker/module-import.js';
import type { Handler as HandlerFunction, TaskContext } from './worker/task-context.js';
import { callWithValues } from './worker/task-values.js';

/** What is known of a handler. Times are in milliseconds. */
export interface Advice {
  /** As a `file:` URL. */
  readonly filename: string;
  readonly name: string;
  /** A moving average of its run times. */
  readonly runMs: number;
  /** What its way to a worker and back took beside that, without waiting for a worker. */
  readonly hopMs: number;
  /** Whether a worker is worth its hop: the run takes longer. */
  readonly pays: boolean;
  /** How many of its tasks ran here. */
  readonly inline: number;
}

/** What a handler's runs and hops took. */
export function adviceOf(handlers: HandlerTable): Advice[] {
  const advice: Advice[] = [];
  handlers.forEach((handler) => {
    const { url, exportName, averageMs, hopMs, measured, inlineRuns } = handler;
    if (!measured || hopMs === 0 || url === kExecFile) return;
    const pays = averageMs > hopMs;
    advice[advice.length] = {
      filename: url,
      name: exportName,
      runMs: averageMs,
      hopMs,
      pays,
      inline: inlineRuns,
    };
  });
  return advice;
}

export class Offloading {
  readonly #front: Front;
  readonly #dispatcher: Dispatcher;
  readonly #bare: boolean;
  /** Handlers that may run here, or null: their files do not say so, or it is not known yet. */
  readonly #functions = new SafeMap<Handler, HandlerFunction | null>();

  /** `bare`: handlers get a context only where their call carries values. */
  constructor(front: Front, dispatcher: Dispatcher, bare: boolean) {
    this.#front = front;
    this.#dispatcher = dispatcher;
    this.#bare = bare;
  }

  /**
   * Runs a task here, if that is cheaper than to hand it to a worker; else `false`. The pool
   * accepts it as any other: it counts it, and waits for it in `close()`.
   */
  runHere(
    request: Request,
    payload: unknown,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): boolean {
    const fn = this.#functionOf(request);
    const { acceptance, state } = this.#dispatcher;
    if (fn === null || state !== 'open' || acceptance.isFull) return false;
    const { task } = callOf(request, payload, resolve, reject);
    acceptance.accept();
    request.handler.inlineRuns++;
    void this.#run(fn, request, payload, task);
    return true;
  }

  /** The function that is to run here; null: none. */
  #functionOf({ handler, signal, limits }: Request): HandlerFunction | null {
    const fn = this.#functions.get(handler);
    if (fn === undefined) {
      this.#functions.set(handler, null);
      void this.#find(handler);
      return null;
    }
    if (fn === null || !handler.measured || handler.hopMs === 0) return null;
    // What its task carries beside values needs a worker, and so does a limit.
    if (handler.carries > kCarriesValues || signal !== undefined || limits !== null) return null;
    // Once it has run here it is known what that takes, with the copies.
    const hereMs = handler.inlineMs === 0 ? handler.averageMs : handler.inlineMs;
    return hereMs < handler.hopMs ? fn : null;
  }

  async #run(
    fn: HandlerFunction,
    { handler, values }: Request,
    payload: unknown,
    task: Task,
  ): Promise<void> {
    const { ledger } = this.#dispatcher;
    const begunAt = now();
    try {
      const copy = copyOf(payload);
      const startedAt = now();
      const result = await callWithValues(values, () => this.#call(fn, copy, values));
      handler.measure(now() - startedAt);
      const answer = copyOf(result);
      handler.measureInline(now() - begunAt);
      if (ledger.settle(task, 'completed')) task.resolve(answer);
    } catch (error) {
      if (ledger.settle(task, 'failed')) task.reject(error);
    }
  }

  #call(fn: HandlerFunction, copy: unknown, values: TaskContext['values']): unknown {
    if (this.#bare && values === undefined) return (fn as (task: unknown) => unknown)(copy);
    return fn(copy, new InlineContext(values));
  }

  async #find(handler: Handler): Promise<void> {
    const { url, exportName } = handler;
    try {
      const options = { filename: kExecFile, name: 'inlineSafe' };
      if ((await this.#front.run(url, options, this.#front)) !== true) return;
      const exports = await importFile(url, this.#bare, 0);
      const inner = exports['default'] as Record<string, unknown> | undefined;
      const fn: unknown = await (exports[exportName] ?? inner?.[exportName]);
      if (typeof fn === 'function') this.#functions.set(handler, fn as HandlerFunction);
    } catch {
      // Its tasks say what is wrong with the file.
    }
  }
}

/** Primitives need none. */
function copyOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? structuredClone!(value) : value;
}

/** What a handler that runs here gets: nobody aborts it, and nobody hears what it reports. */
class InlineContext implements TaskContext {
  readonly aborted = false;
  readonly input = undefined;

  constructor(readonly values: TaskContext['values']) {}

  get signal(): AbortSignal {
    return new PlainAbortController().signal;
  }

  report(): void {}

  waitUntil(): void {}
}
