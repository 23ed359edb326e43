// The options of one call of `run()`: their names and types. `calls.ts` reads them.

import type { Transferable } from 'node:worker_threads';
import type { RetryOptions } from './retry-options.js';

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
  /**
   * Which of the waiting tasks of its `group` starts first: the one with the highest number, a
   * whole one from -100 to 100. Each step counts as much as 100 ms of waiting, so none waits for
   * ever.
   * @default 0
   */
  readonly priority?: number;
  /**
   * A name, such as a tenant's. Groups with waiting tasks share the workers' time evenly, however
   * many tasks each has. Tasks without a group are one group.
   */
  readonly group?: string;
  /**
   * A name, such as a user's. Tasks of the same key run on the same worker while it lives, so that
   * what it has cached for them serves again. Where that one is busy for over 25 ms, another runs
   * the task.
   */
  readonly key?: string;
  /**
   * Calls of the same handler with the same key run one task between them. `'share'`, or a key
   * alone: a call that comes while the task of an earlier one has not settled gets that one's
   * outcome. `'latest'`: one task runs at a time, and one waits: the newest. Older calls that have
   * not begun reject (`ERR_CENOTE_SUPERSEDED`).
   */
  readonly coalesce?: string | Coalesce;
  /**
   * Gets what the handler says with `context.report(value)`, in order and before the result. The
   * task is never queued behind another one on a worker.
   */
  readonly onProgress?: (value: unknown) => void;
  /**
   * Items that the handler reads from `context.input`: an iterable or async iterable, such as a
   * `ReadableStream`. It is read as fast as the handler takes them, and asked to end with the task.
   */
  readonly input?: Iterable<unknown> | AsyncIterable<unknown>;
  /**
   * Has the task tried again if its worker was lost, or with an error that `when` names. One that
   * has begun is tried again only if it is `idempotent`. @default the pool's
   */
  readonly retry?: RetryOptions;
  /** Whether it does no harm if the task runs more than once. @default false */
  readonly idempotent?: boolean;
  /**
   * `'auto'`: the task runs on the pool's own thread where that is measured to be cheaper than its
   * hop, if the handler's file says `export const inlineSafe = true`. @default 'always'
   */
  readonly offload?: 'auto' | 'always';
}

/** Which calls run one task between them, and how. */
export interface Coalesce {
  readonly key: string;
  /** @default 'share' */
  readonly mode?: 'share' | 'latest';
}

/** The options that all calls have which wait for their task. */
const kCommonNames: readonly string[] = [
  'filename',
  'name',
  'transferList',
  'signal',
  'queueTimeout',
  'timeout',
  'context',
  'whenFull',
  'priority',
  'group',
  'key',
];

/** The options of `run()`. */
export const kRunNames: readonly string[] = [
  ...kCommonNames,
  'coalesce',
  'onProgress',
  'input',
  'retry',
  'idempotent',
  'offload',
];

/** The options of `stream()`. */
export const kStreamNames: readonly string[] = [
  ...kCommonNames,
  'onProgress',
  'input',
  'highWaterMark',
];

/** The options of `runSync()`. */
export const kSyncNames: readonly string[] = [
  'filename',
  'name',
  'transferList',
  'timeout',
  'context',
  'priority',
  'group',
  'key',
];

/** The options of `pool.runSync()`. */
export type SyncOptions = Pick<
  RunOptions,
  'filename' | 'name' | 'transferList' | 'timeout' | 'context' | 'priority' | 'group' | 'key'
>;

/** The options of `broadcast()`. */
export const kBroadcastNames: readonly string[] = [
  'filename',
  'name',
  'signal',
  'queueTimeout',
  'timeout',
  'context',
  'onProgress',
];

/** The options of `pool.broadcast()`. */
export type BroadcastOptions = Pick<
  RunOptions,
  'filename' | 'name' | 'signal' | 'queueTimeout' | 'timeout' | 'context' | 'onProgress'
>;

/** Options that leave the pool's handler in place, so that its types hold. */
export type SameHandler = RunOptions & { readonly filename?: undefined; readonly name?: undefined };

/** Options that name another handler, so that the pool's types say nothing. */
export type OtherHandler = RunOptions &
  ({ readonly name: string } | { readonly filename: string | URL });

/** Options that name a handler of another file. */
export type OtherFile = RunOptions & { readonly filename: string | URL };
