// The types of the options and of what a Piscina shows, in Piscina's names. `any` and mutable
// members are where Piscina has them: what compiled with its types compiles with these.

import type { EventEmitter } from 'node:events';
import type { MessagePort, ResourceLimits, WorkerOptions } from 'node:worker_threads';
import type { PiscinaHistogramSummary } from './histogram.js';
import type { PiscinaTask, TaskQueue } from './queues.js';

/** What `postMessage` takes as its second argument. */
export type TransferList = MessagePort extends {
  postMessage: (value: any, transferList: infer T) => any;
}
  ? T
  : never;
export type TransferListItem = TransferList extends readonly (infer T)[] ? T : never;
export type EnvSpecifier = WorkerOptions['env'];

export interface AbortSignalEventTarget {
  addEventListener: (name: 'abort', listener: () => void, options?: { once: boolean }) => void;
  removeEventListener: (name: 'abort', listener: () => void) => void;
  aborted?: boolean;
  reason?: unknown;
}

export interface AbortSignalEventEmitter {
  off: (name: 'abort', listener: () => void) => void;
  once: (name: 'abort', listener: () => void) => void;
}

/** What can abort a task: an `AbortSignal`, or an emitter of `'abort'`. */
export type AbortSignalAny = AbortSignalEventTarget | AbortSignalEventEmitter | EventEmitter;

/** A worker thread, as events and load balancers see it; always the same object for the same worker. */
export interface PiscinaWorker {
  /** Its thread's id. */
  readonly id: number;
  /** Tasks that it holds; Infinity while it runs one that can be aborted, which shares it with no other. */
  readonly currentUsage: number;
  readonly isRunningAbortableTask: boolean;
  /** The run times of its tasks; null without `workerHistogram`. */
  readonly histogram: PiscinaHistogramSummary | null;
  /** It was told to end by itself, and has not ended. */
  readonly terminating: boolean;
  /** It takes no more tasks: it has ended, or is being terminated. */
  readonly destroyed: boolean;
}

/** Chooses the worker for a task. `null` leaves it in the queue. */
export type PiscinaLoadBalancer = (
  task: PiscinaTask,
  workers: PiscinaWorker[],
) => PiscinaWorker | null;

export interface Options {
  /** The file with the handlers: a path or a `file:` string. */
  filename?: string | null;
  /** The export that handles tasks. @default 'default' */
  name?: string;
  /** Threads that are started at once and kept. @default half of the available parallelism, at least 1 */
  minThreads?: number;
  /** The most threads; a fraction is rounded up. @default 1.5 times the available parallelism */
  maxThreads?: number;
  /** Milliseconds after which an idle thread above `minThreads` ends. @default 0 */
  idleTimeout?: number;
  /** Tasks that may wait for a thread; `'auto'` is the square of `maxThreads`. @default Infinity */
  maxQueue?: number | 'auto';
  /** Tasks that one worker may run at once. @default 1 */
  concurrentTasksPerWorker?: number;
  /** Checked, and without effect: waiting workers keep their event loop going in any case. @default 'sync' */
  atomics?: 'sync' | 'async' | 'disabled';
  /** Checked, and without effect, for the same reason. */
  atomicsTimeout?: number;
  resourceLimits?: ResourceLimits;
  argv?: string[];
  execArgv?: string[];
  env?: EnvSpecifier;
  workerData?: any;
  /** Where tasks wait. @default a new FixedQueue */
  taskQueue?: TaskQueue;
  /** Lowers the priority of the worker threads, where `@napi-rs/nice` is installed. @default 0 */
  niceIncrement?: number;
  trackUnmanagedFds?: boolean;
  /** Milliseconds that `close()` waits for tasks before it destroys the pool. @default 30000 */
  closeTimeout?: number;
  /** Whether run and wait times are recorded. @default true */
  recordTiming?: boolean;
  /** Accepted, and without effect: tasks start in the order of their submission in any case. */
  stricterFIFO?: boolean;
  loadBalancer?: PiscinaLoadBalancer;
  /** Whether each worker has a histogram of its own. @default false */
  workerHistogram?: boolean;
}

/** The options in force. */
export interface FilledOptions extends Options {
  filename: string | null;
  name: string;
  minThreads: number;
  maxThreads: number;
  idleTimeout: number;
  maxQueue: number;
  concurrentTasksPerWorker: number;
  atomics: 'sync' | 'async' | 'disabled';
  taskQueue: TaskQueue;
  niceIncrement: number;
  closeTimeout: number;
  recordTiming: boolean;
  stricterFIFO: boolean;
  workerHistogram: boolean;
}

export interface RunOptions {
  /** What is transferred instead of cloned. */
  transferList?: TransferList;
  /** The file with the handler, instead of the pool's. */
  filename?: string | null;
  /** Aborts the task. */
  signal?: AbortSignalAny | null;
  /** The export that handles the task, instead of the pool's. */
  name?: string | null;
}

export interface CloseOptions {
  /** Rejects the tasks that wait in the queue. @default false */
  force?: boolean;
}
