// The types of the options and of what a Piscina shows, in Piscina's names. `any` and mutable
// members are where Piscina has them: what compiled with its types compiles with these.

import type { EventEmitter } from 'node:events';
import type { MessagePort, ResourceLimits, WorkerOptions } from 'node:worker_threads';
import type { PoolOptions } from '../options.js';
import type { RunOptions as PoolRunOptions } from '../run-options.js';
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

/** The options of a `Pool` that a Piscina takes as well. */
export type AddedOption =
  'bootTimeout' | 'isolate' | 'queueTimeout' | 'recycle' | 'retry' | 'timeout' | 'watch';

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

/** A worker thread, as events and load balancers see it. The same object each time for a worker. */
export interface PiscinaWorker {
  /** Its `threadId`. */
  readonly id: number;
  /**
   * How many tasks it has. Infinity while it runs an abortable task, which never shares its worker.
   */
  readonly currentUsage: number;
  readonly isRunningAbortableTask: boolean;
  /** The run times of its tasks. Null unless `workerHistogram` is set. */
  readonly histogram: PiscinaHistogramSummary | null;
  /** Whether it is about to end on its own, after its last task. */
  readonly terminating: boolean;
  /** Whether it has ended or is being terminated. It takes no more tasks. */
  readonly destroyed: boolean;
}

/** Chooses the worker for a task. `null` leaves the task in the queue. */
export type PiscinaLoadBalancer = (
  task: PiscinaTask,
  workers: PiscinaWorker[],
) => PiscinaWorker | null;

/** Beside Piscina's options, some of a `Pool`: see `PoolOptions` of `cenote`. */
export interface Options extends Pick<PoolOptions, AddedOption> {
  /** The file with the handlers: a path or a `file:` string. */
  filename?: string | null;
  /** The export that handles tasks. @default 'default' */
  name?: string;
  /**
   * How many threads the pool starts at once and keeps.
   * @default half of the available parallelism, at least 1
   */
  minThreads?: number;
  /**
   * The largest number of threads. A fraction is rounded up.
   * @default 1.5 times the available parallelism
   */
  maxThreads?: number;
  /** Milliseconds after which an idle thread above `minThreads` ends. @default 0 */
  idleTimeout?: number;
  /** How many tasks may wait. `'auto'`: the square of `maxThreads`. @default Infinity */
  maxQueue?: number | 'auto';
  /** How many tasks one worker may run at the same time. @default 1 */
  concurrentTasksPerWorker?: number;
  /**
   * Checked, but has no effect: the event loop of a waiting worker always keeps going.
   * @default 'sync'
   */
  atomics?: 'sync' | 'async' | 'disabled';
  /** Checked, but has no effect, for the same reason. */
  atomicsTimeout?: number;
  resourceLimits?: ResourceLimits;
  argv?: string[];
  execArgv?: string[];
  env?: EnvSpecifier;
  workerData?: any;
  /** The queue of waiting tasks. @default a new FixedQueue */
  taskQueue?: TaskQueue;
  /** Lowers the threads' priority if `@napi-rs/nice` is installed. @default 0 */
  niceIncrement?: number;
  trackUnmanagedFds?: boolean;
  /** How many ms `close()` waits for tasks before it destroys the pool. @default 30000 */
  closeTimeout?: number;
  /** Whether the pool records run and wait times. @default true */
  recordTiming?: boolean;
  /** Accepted, but has no effect: tasks always start in the order of submission. */
  stricterFIFO?: boolean;
  loadBalancer?: PiscinaLoadBalancer;
  /** Whether each worker also records run times of its own. @default false */
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

/** Beside Piscina's options, those of a `Pool` that it has not: see `RunOptions` of `cenote`. */
export interface RunOptions extends Omit<
  PoolRunOptions,
  'transferList' | 'filename' | 'name' | 'signal'
> {
  /** What the task moves instead of copying, as for `postMessage`. */
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
