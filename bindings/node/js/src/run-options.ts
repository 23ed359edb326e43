// The options of one call of `run()`: their names and types. `calls.ts` reads them.

import type { Transferable } from 'node:worker_threads';

/** The options of one call of `pool.run()`. */
export interface RunOptions {
  /** The file with the handler, instead of the pool's. */
  readonly filename?: string | URL;
  /** The export that handles the task, instead of the pool's. */
  readonly name?: string;
  /** What the task moves instead of copying, as for `postMessage`. */
  readonly transferList?: readonly Transferable[];
  /**
   * Aborts the task. If it waits, it never runs. If it runs, the pool asks it to stop, and
   * terminates its worker after the pool's `abortGrace`. A task with a signal is never queued
   * behind another task on a worker, so it costs its own round trip.
   */
  readonly signal?: AbortSignal;
  /**
   * How long the task may wait for its start, in milliseconds, instead of the pool's limit. The
   * time counts from the call, also where the task waits in a lane or for room.
   */
  readonly queueTimeout?: number;
  /** How long the task may run, in milliseconds, instead of the pool's limit. */
  readonly timeout?: number;
  /**
   * Values that go with the task beside its payload, such as `{ traceId }`. The handler finds them
   * as `context.values`, and all code that it calls, also later, by `contextValues()`. They cross
   * as a clone, with the payload.
   */
  readonly context?: Readonly<Record<string, unknown>>;
  /**
   * What happens if the pool is full. `'reject'`: the call rejects (`ERR_CENOTE_QUEUE_FULL`).
   * `'wait'`: the task waits for room, in the order of the calls, for as long as its signal and its
   * `queueTimeout` let it. @default 'reject'
   */
  readonly whenFull?: 'wait' | 'reject';
}

/** The options of `run()`. */
export const kRunNames: readonly string[] = [
  'filename',
  'name',
  'transferList',
  'signal',
  'queueTimeout',
  'timeout',
  'context',
  'whenFull',
];

/** Options that leave the pool's handler in place, so that its types hold. */
export type SameHandler = RunOptions & { readonly filename?: undefined; readonly name?: undefined };

/** Options that name another handler, so that the pool's types say nothing. */
export type OtherHandler = RunOptions &
  ({ readonly name: string } | { readonly filename: string | URL });
