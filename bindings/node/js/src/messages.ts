// What crosses the port between a pool and one of its workers.
//
// Tasks and results cross as flat arrays, many at a time: one array is one structured clone. All
// else is an object with a `type`, and rare.

import type { MessagePort } from 'node:worker_threads';
import type { LoopAddress } from './loop.js';
import type { CenoteErrorCode } from './errors.js';

/** `[generation, postedAt, (slot, handler, payload)…]`; `postedAt` is 0 unless the worker was idle. */
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

/** The handler threw a DOMException: `value` is a {@link WireDomException}, since not every Node clones one. */
export const kThrewDom = 3;

export interface WireDomException {
  readonly message: string;
  readonly name: string;
  readonly stack: string | undefined;
}

/** A thrown value as it crosses: its code, and what is posted. */
export function toWire(error: unknown): [code: number, value: unknown] {
  if (!(error instanceof DOMException)) return [kThrew, error];
  const { message, name, stack } = error;
  return [kThrewDom, { message, name, stack } satisfies WireDomException];
}

/** The other half of {@link toWire}. */
export function fromWire(code: number, value: unknown): unknown {
  if (code !== kThrewDom) return value;
  const { message, name, stack } = value as WireDomException;
  return Object.defineProperty(new DOMException(message, name), 'stack', {
    value: stack,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}

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
  readonly owner: LoopAddress;
  /** The owner's monotonic clock at 0 of its `performance.now()`, in ms. */
  readonly ownerOrigin: number;
  readonly concurrency: number;
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly portable: boolean;
  readonly preload: HandlerMessage | null;
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
  | { readonly type: 'retire' };

export type ToOwner =
  | ResultBatch
  | { readonly type: 'ready'; readonly address: LoopAddress }
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
