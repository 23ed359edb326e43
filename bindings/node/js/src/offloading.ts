// Whether to offload: what a hop costs beside what a handler takes (`pool.advise()`), and handlers
// that run here where that is cheaper (`offload: 'auto'`).
//
// A handler runs here only if its file says that it may (`export const inlineSafe = true`), which a
// worker is asked, so that nobody else's code is loaded on this thread. From then on the last runs
// decide: once they take longer than a hop the tasks go to workers again.
//
// Guarantee: also here a handler gets a copy of its task, and its caller one of its result.

import {
  now,
  PlainAbortController,
  SafeMap,
  SafePromise,
  structuredClone,
} from './base/intrinsics.js';
import type { Request } from './calls.js';
import type { Front } from './front.js';
import { kExecFile } from './owner/inline-code.js';
import type { Handler, HandlerTable } from './owner/handlers.js';
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
  /** Handlers that may run here, or null: their files do not say so, or it is not known yet. */
  readonly #functions = new SafeMap<Handler, HandlerFunction | null>();

  constructor(front: Front) {
    this.#front = front;
  }

  /** Runs a task here, if that is cheaper than to hand it to a worker; else null. */
  tryInline(request: Request, payload: unknown): Promise<unknown> | null {
    const { handler } = request;
    const fn = this.#functions.get(handler);
    if (fn === undefined) {
      this.#functions.set(handler, null);
      void this.#find(handler);
      return null;
    }
    if (fn === null || !handler.measured || handler.hopMs === 0) return null;
    // What its task carries beside the payload needs a worker, and so does a limit.
    if (handler.carries > 1 || request.signal !== undefined || request.limits !== null) return null;
    // Once it has run here it is known what that takes, with the copies.
    const hereMs = handler.inlineMs === 0 ? handler.averageMs : handler.inlineMs;
    return hereMs < handler.hopMs ? this.#run(fn, request, payload) : null;
  }

  #run(fn: HandlerFunction, { handler, values }: Request, payload: unknown): Promise<unknown> {
    return new SafePromise((resolve) => {
      const begunAt = now();
      const task = copyOf(payload);
      const startedAt = now();
      handler.inlineRuns++;
      const settle = async (): Promise<unknown> => {
        const result = await callWithValues(values, () => fn(task, new InlineContext(values)));
        handler.measure(now() - startedAt);
        const copy = copyOf(result);
        handler.measureInline(now() - begunAt);
        return copy;
      };
      resolve(settle());
    });
  }

  async #find(handler: Handler): Promise<void> {
    const { url, exportName } = handler;
    try {
      const options = { filename: kExecFile, name: 'inlineSafe' };
      if ((await this.#front.run(url, options, this.#front)) !== true) return;
      const exports = await importFile(url, false, 0);
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
