// What crosses the port between a pool and one of its workers.
//
// Tasks and results cross as flat arrays, many at a time: one array is one structured clone. All
// else is an object with a `type`, and rare.

import type { MessagePort } from 'node:worker_threads';
import type { LoopAddress } from '../wait/loop.js';
import type { CenoteErrorCode } from '../errors.js';

/**
 * `[generation, postedAt, (slot, handler, payload)…]`; `postedAt` is 0 unless the worker was idle.
 * `~slot` of a task that may cost the worker: what there is of results is posted before it begins.
 * `~handler` of a task that may not wait for ever: whether it begins is decided in its slot's ask.
 */
export type TaskBatch = unknown[];
/** Where the tasks begin in a {@link TaskBatch}. */
export const kTaskBatchHeader = 2;

/** `[(slot, code, value)…]` */
export type ResultBatch = unknown[];
/** The handler returned `value`. */
export const kReturned = 0;
/** The handler threw `value`. */
export const kThrew = 1;
/** The pool's own error: `value` is a {@link WireError}. */
export const kRefused = 2;

export interface WireError {
  readonly code: CenoteErrorCode;
  readonly message: string;
}

/** The first message, on the worker's own channel: all it needs to begin. */
export interface Init {
  readonly type: 'cenote:init';
  readonly port: MessagePort;
  readonly words: Int32Array;
  readonly timings: Float64Array;
  readonly asks: Int32Array;
  readonly owner: LoopAddress;
  /** The owner's monotonic clock at 0 of its `performance.now()`, in ms. */
  readonly ownerOrigin: number;
  readonly concurrency: number;
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly portable: boolean;
  readonly preload: HandlerMessage | null;
  /** Handlers are called with the task alone, and `setup` and `teardown` are exports like any other. */
  readonly bare: boolean;
  /** By how much to lower the thread's priority. */
  readonly niceIncrement: number;
}

export interface HandlerMessage {
  readonly type: 'handler';
  readonly index: number;
  readonly url: string;
  readonly exportName: string;
}

export type ToWorker =
  | TaskBatch
  | HandlerMessage
  /** Finish the registered background work and say so. */
  | { readonly type: 'close' }
  /** No more tasks will come: end as soon as nothing is left that runs. */
  | { readonly type: 'retire' }
  /** A task was asked to end: to a worker that nobody can ring. */
  | { readonly type: 'asked' };

export type ToOwner =
  | ResultBatch
  | {
      readonly type: 'ready';
      readonly address: LoopAddress;
      /** Why the pool's handler could not be loaded. */
      readonly failure: readonly [code: number, value: unknown] | null;
    }
  | { readonly type: 'backgroundError'; readonly code: number; readonly value: unknown }
  | { readonly type: 'closed' };

/** The monotonic clock at 0 of this thread's `performance.now()`, in ms: threads share the former. */
export function clockOrigin(): number {
  let origin = -Infinity;
  // The two clocks are read one after the other, and what lies between makes the result smaller:
  // the largest of a few tries is the closest.
  for (let i = 0; i < 8; i++) {
    const [seconds, nanoseconds] = process.hrtime();
    origin = Math.max(origin, seconds * 1e3 + nanoseconds / 1e6 - performance.now());
  }
  return origin;
}
