// What crosses beside tasks and results, by the control port of a worker: rare, and in order.
//
// The first message, on the worker's own channel, is {@link Init}. Whoever posts a control message
// bumps its count in shared memory and wakes the other side, which looks at the port when the count
// has moved. Where threads cannot ring each other, the message itself is an event.

import type { MessagePort } from 'node:worker_threads';
import { monotonic, now, uptime } from '../base/intrinsics.js';
import type { CenoteErrorCode } from '../errors.js';
import type { LoopAddress } from '../wait/loop.js';
import type { ChannelMemory } from './channel.js';

// The codes of results, and of what else is thrown.
/** The handler returned the value. */
export const kReturned = 0;
/** The handler threw the value. */
export const kThrew = 1;
/** The pool's own error: the value is a {@link WireError}. */
export const kRefused = 2;
/** The handler threw an error: the value is what `encodeThrown` made of it. */
export const kThrewError = 3;

export interface WireError {
  readonly code: CenoteErrorCode;
  readonly message: string;
}

/** What was thrown, as it crosses. */
export type WireFailure = readonly [code: number, value: unknown];

/** The first message, on the worker's own channel: all it needs to begin. */
export interface Init {
  readonly type: 'cenote:init';
  readonly channel: ChannelMemory;
  /** Values that do not fit into shared memory. */
  readonly values: MessagePort;
  readonly control: MessagePort;
  readonly owner: LoopAddress;
  /** The owner's monotonic clock at 0 of its own ms, in ms. */
  readonly ownerOrigin: number;
  readonly concurrency: number;
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly spinUnderPressure: boolean;
  readonly portable: boolean;
  /** The addon's file; empty where the worker is to search for it. */
  readonly addon: string;
  readonly preload: HandlerMessage | null;
  /** Handlers are called with the task alone; `setup` and `teardown` are exports like any other. */
  readonly bare: boolean;
  /** By how much to lower the thread's priority. */
  readonly niceIncrement: number;
  readonly loading: LoadingFiles;
  /** The worker is to say what its heap uses. */
  readonly watchesHeap: boolean;
}

/** The first frame of a worker process: all it needs to begin. */
export interface ProcessInit {
  readonly workerData: unknown;
  /** The owner's {@link processClockOrigin}. */
  readonly ownerOrigin: number;
  readonly concurrency: number;
  readonly turnBudgetUs: number;
  readonly preload: HandlerMessage | null;
  readonly loading: LoadingFiles;
}

/**
 * The files that were being loaded where, and when, a pool was made: real paths, each once for each
 * load. A chain, which the prototype of arrays has no part in.
 */
export type LoadingFiles = { readonly path: string; readonly next: LoadingFiles } | null;

export interface HandlerMessage {
  readonly type: 'handler';
  readonly index: number;
  readonly url: string;
  readonly exportName: string;
  /** What its tasks carry beside their payload, as bits of `task-messages.ts`; 0: nothing. */
  readonly carries: number;
}

/** There is something in shared memory: to a thread that cannot be rung. */
export interface Kick {
  readonly type: 'kick';
}

export type ToWorker =
  | HandlerMessage
  /** Finish the registered background work and say so. */
  | { readonly type: 'close' }
  /** No more tasks will come: end as soon as nothing is left that runs. */
  | { readonly type: 'retire' }
  | Kick;

export type ToOwner =
  /**
   * Takes tasks from now on; `failed`: the pool's handler could not be loaded, and a failure
   * follows.
   */
  | { readonly type: 'ready'; readonly address: LoopAddress; readonly failed: boolean }
  | { readonly type: 'failure'; readonly failure: WireFailure }
  /** `registered`: of work that a handler registered, and not of a teardown. */
  | {
      readonly type: 'backgroundError';
      readonly failure: WireFailure;
      readonly registered: boolean;
    }
  | { readonly type: 'closed' }
  | Kick;

/** As {@link clockOrigin}, on a clock that processes share as well. */
export function processClockOrigin(): number {
  return originOn(monotonic);
}

/** The monotonic clock at 0 of this thread's own ms, in ms: threads share the former. */
export function clockOrigin(): number {
  return originOn(() => uptime() * 1e3);
}

function originOn(clock: () => number): number {
  let origin = -Infinity;
  // The two clocks are read one after the other, and what lies between makes the result smaller:
  // the largest of a few tries is the closest.
  for (let i = 0; i < 8; i++) {
    const ms = clock() - now();
    if (ms > origin) origin = ms;
  }
  return origin;
}
