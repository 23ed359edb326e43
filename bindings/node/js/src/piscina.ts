// `cenote/piscina`: a pool with the interface of Piscina, on Cenote's dispatcher.
//
// Guarantees: options, methods, events, error texts, exports and types are Piscina's (`version`
// says which Piscina's), so that `require('piscina')` can be replaced and nothing else. What
// differs is listed in the documentation: tasks that Piscina loses, runs twice or runs though it
// refused them. Beside that it has what a `Pool` has and Piscina has not, where that takes nothing
// away from Piscina's.
//
// The module is the class itself, as `require('piscina')` is; the namespace of the same name
// carries the types, also those that Piscina does not export.

import { EventEmitterAsyncResource } from 'node:events';
import type { Duplex } from 'node:stream';
import type { MessagePort, Worker } from 'node:worker_threads';
import { PromiseReject } from './base/intrinsics.js';
import type { Lane, LaneOptions } from './lane.js';
import type { MapTransform } from './map-streams.js';
import type { MapOptions, MapOutcome } from './map.js';
import type { Advice } from './offloading.js';
import type { BroadcastOptions, SyncOptions } from './run-options.js';
import type { PoolStats } from './stats.js';
import type { StreamOptions } from './stream.js';
import type { Untyped } from './tasks.js';
import { move, transferableSymbol, valueSymbol, type Movable } from './wire/move.js';
import type * as moving from './wire/move.js';
import { histogramOf, type PiscinaHistogram } from './piscina/histogram.js';
import type * as histogram from './piscina/histogram.js';
import { checkOptions, withNullPrototype } from './piscina/options.js';
import { ThreadPool } from './piscina/pool.js';
import { ArrayTaskQueue, FixedQueue, queueOptionsSymbol } from './piscina/queues.js';
import type * as queues from './piscina/queues.js';
import { checkCloseOptions, checkRunOptions } from './piscina/run-options.js';
import type * as types from './piscina/types.js';
import { isWorkerThread, workerDataOf } from './worker/worker-state.js';

/** The version of Piscina whose interface this is. */
const kVersion = '5.3.2';

type Items<T> = Iterable<T | PromiseLike<T>> | AsyncIterable<T>;

/**
 * A pool of worker threads.
 *
 * ```js
 * const Piscina = require('cenote/piscina');
 * const pool = new Piscina({ filename: require.resolve('./worker.js') });
 * const result = await pool.run({ n: 42 });
 * await pool.close();
 * ```
 */
class Piscina<T = any, R = any> extends EventEmitterAsyncResource {
  readonly #pool: ThreadPool;
  #histogram: PiscinaHistogram | null = null;

  /**
   * Starts `minThreads` threads. They do not keep the process alive while no task is pending.
   *
   * @throws TypeError and RangeError, naming the option; and what `new Worker` throws.
   */
  constructor(options: types.Options = {}) {
    const given = withNullPrototype(options);
    super({ ...given, name: 'Piscina' });
    checkOptions(given);
    this.#pool = new ThreadPool(this, given);
  }

  /** Runs a task: a worker calls the handler with a copy of it. Rejects with what it threw. */
  run(task: T, options?: types.RunOptions): Promise<R> {
    return this.#called(() => this.#pool.run(task, checkRunOptions(options))) as Promise<R>;
  }

  /** Runs a task in every thread, and resolves with one result for each. */
  broadcastTask(task: T, options?: types.RunOptions): Promise<R[]> {
    return this.#called(() =>
      this.#pool.broadcast(task, checkRunOptions(options), this.broadcastTask),
    ) as Promise<R[]>;
  }

  // What Piscina has not, and a `Pool` has

  /** As `Pool.runSync`: runs a task and blocks this thread until it has ended. */
  runSync(task: T, options?: SyncOptions): R {
    return this.#pool.methods.runSync(task, options, this.runSync) as R;
  }

  /** As `Pool.exec`: runs a closed function with copies of `args`, without a file for it. */
  exec<A extends readonly unknown[], F>(fn: (...args: A) => F, ...args: A): Promise<Awaited<F>> {
    return this.#pool.methods.exec(fn, args, this.exec) as Promise<Awaited<F>>;
  }

  /** As `Pool.map`: runs a task for each item of an iterable, in bounded memory. */
  map(
    source: Items<T>,
    options: MapOptions & { readonly stopOnError: false },
  ): AsyncGenerator<MapOutcome<R>, void, undefined>;
  map(source: Items<T>, options?: MapOptions): AsyncGenerator<R, void, undefined>;
  map(source: Items<T>, options: MapOptions = {}): AsyncGenerator<unknown, void, undefined> {
    return this.#pool.methods.map(source, options);
  }

  /** As `Pool.transform`: `map` as a stage of web streams. */
  transform(options: MapOptions = {}): MapTransform<T, R> {
    return this.#pool.methods.transform(options) as MapTransform<T, R>;
  }

  /** As `Pool.duplex`: `map` as a Node stream of objects. */
  duplex(options: MapOptions = {}): Duplex {
    return this.#pool.methods.duplex(options);
  }

  /** As `Pool.stream`: the parts that a handler gives, as an async iterable. */
  stream<P = unknown>(task: T, options?: StreamOptions): AsyncGenerator<P, void, undefined> {
    const parts = this.#pool.methods.front.stream(task, options);
    return parts as AsyncGenerator<P, void, undefined>;
  }

  /** As `Pool.capacity`: resolves when the pool has room for a task. */
  capacity(): Promise<void> {
    return this.#pool.methods.front.capacity();
  }

  /** As `Pool.lane`: a share of the pool with limits of its own. */
  lane(name: string, options?: LaneOptions): Lane<T, R> {
    return this.#pool.methods.lane(name, options) as unknown as Lane<T, R>;
  }

  /** As `Pool.tasks`: a function for each handler. */
  get tasks(): Untyped['tasks'] {
    return this.#pool.methods.tasks;
  }

  /** As `Pool.advise`: which handlers are worth their hop. */
  advise(): Advice[] {
    return this.#pool.methods.advise();
  }

  /** As `Pool.stats`: a snapshot of every counter and histogram. */
  stats(): PoolStats {
    return this.#pool.methods.stats();
  }

  /** As `Pool.ready`: resolves when `minThreads` threads, at least one, have loaded the file. */
  ready(): Promise<void> {
    return this.#pool.ready();
  }

  /** As `Pool.broadcast`: runs a task on each worker that there is, also on those that start. */
  async broadcast(task: T, options?: BroadcastOptions): Promise<R[]> {
    const { front } = this.#pool.methods;
    return (await front.broadcast(task, options, this.broadcast)) as R[];
  }

  /** As `Pool.resize`: changes how many threads the pool has. */
  resize(sizes: { readonly minThreads?: number; readonly maxThreads?: number }): void {
    this.#pool.resize(sizes);
  }

  /** As `Pool.restart`: replaces all workers, and loses no task. */
  restart(): Promise<void> {
    return this.#pool.methods.restart();
  }

  /** As `Pool.cancelPending`: rejects every task that has not begun. */
  cancelPending(reason?: unknown): number {
    return this.#pool.methods.cancelPending(reason);
  }

  /** Rejects with what the call throws. */
  #called(call: () => Promise<unknown>): Promise<unknown> {
    try {
      return call();
    } catch (error) {
      return PromiseReject(error as Error) as Promise<never>;
    }
  }

  /**
   * Accepts no more tasks. Resolves when the accepted tasks have settled and the threads have
   * ended; destroys the pool if the tasks take longer than `closeTimeout`.
   */
  close(options?: types.CloseOptions): Promise<void> {
    return this.#called(() => this.#pool.close(checkCloseOptions(options))) as Promise<void>;
  }

  /**
   * Rejects every accepted task and terminates the threads at once. Resolves when they have ended.
   */
  destroy(): Promise<void> {
    return this.#pool.destroy();
  }

  [Symbol.dispose](): void {
    void this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get maxThreads(): number {
    return this.#pool.options.maxThreads;
  }

  get minThreads(): number {
    return this.#pool.options.minThreads;
  }

  /** The options in force. */
  get options(): types.FilledOptions {
    return this.#pool.options;
  }

  /** The threads that take tasks. */
  get threads(): Worker[] {
    return this.#pool.threads;
  }

  /** How many threads are ready and run nothing. */
  get idleThreads(): number {
    return this.#pool.idleThreads;
  }

  /** How many tasks wait for a thread. */
  get queueSize(): number {
    return this.#pool.queueSize;
  }

  /** How many tasks have settled without being aborted. */
  get completed(): number {
    return this.#pool.load.completed;
  }

  get histogram(): PiscinaHistogram {
    this.#histogram ??= histogramOf(this.#pool.times);
    return this.#histogram;
  }

  /** The share of the threads' time that went into tasks, from 0 to 1. */
  get utilization(): number {
    return this.#pool.utilization;
  }

  /** Milliseconds since the pool was made. */
  get duration(): number {
    return this.#pool.duration;
  }

  /** Whether the pool is at its capacity: at least as many unsettled tasks as can run at once. */
  get needsDrain(): boolean {
    return this.#pool.load.needsDrain;
  }
}

// Declared below, in the namespace, and made here: as static members of the class they would be
// part of its type, but no exports of the module to TypeScript, and `import * as` would not see
// them.
const kStatics = {
  isWorkerThread: { get: isWorkerThread },
  workerData: { get: workerDataOf },
  version: { get: () => kVersion },
  Piscina: { get: () => Piscina },
  FixedQueue: { get: () => FixedQueue },
  ArrayTaskQueue: { get: () => ArrayTaskQueue },
  move: { value: move, writable: true },
  transferableSymbol: { get: () => transferableSymbol },
  valueSymbol: { get: () => valueSymbol },
  queueOptionsSymbol: { get: () => queueOptionsSymbol },
};
for (const [name, property] of Object.entries(kStatics)) {
  Object.defineProperty(Piscina, name, {
    __proto__: null,
    ...property,
    configurable: true,
  } as never);
}

type PiscinaClass<T, R> = Piscina<T, R>;
type PiscinaConstructor = typeof Piscina;

// Declarations only: it makes no object.
declare namespace Piscina {
  /** Whether this code runs in a worker of a pool. */
  const isWorkerThread: boolean;
  /** The pool's `workerData`, in one of its workers. */
  const workerData: any;
  const version: string;
  const Piscina: PiscinaConstructor;
  const FixedQueue: typeof queues.FixedQueue;
  const ArrayTaskQueue: typeof queues.ArrayTaskQueue;
  /** Marks a task or a result so that it is transferred instead of cloned. */
  function move(value: Moved): Moved;
  const transferableSymbol: typeof moving.transferableSymbol;
  const valueSymbol: typeof moving.valueSymbol;
  const queueOptionsSymbol: typeof queues.queueOptionsSymbol;
  /** What `move` takes, and returns marked. */
  type Moved = Movable | types.TransferListItem | ArrayBufferView | ArrayBuffer | MessagePort;
  type Piscina<T = any, R = any> = PiscinaClass<T, R>;
  type FixedQueue = queues.FixedQueue;
  type ArrayTaskQueue = queues.ArrayTaskQueue;
  type PiscinaTask = queues.PiscinaTask;
  type Task = queues.Task;
  type TaskQueue = queues.TaskQueue;
  type Transferable = Movable;
  type Options = types.Options;
  type FilledOptions = types.FilledOptions;
  type RunOptions = types.RunOptions;
  type CloseOptions = types.CloseOptions;
  type TransferList = types.TransferList;
  type TransferListItem = types.TransferListItem;
  type EnvSpecifier = types.EnvSpecifier;
  type AbortSignalAny = types.AbortSignalAny;
  type AbortSignalEventTarget = types.AbortSignalEventTarget;
  type AbortSignalEventEmitter = types.AbortSignalEventEmitter;
  type PiscinaWorker = types.PiscinaWorker;
  type PiscinaLoadBalancer = types.PiscinaLoadBalancer;
  type PiscinaHistogram = histogram.PiscinaHistogram;
  type PiscinaHistogramSummary = histogram.PiscinaHistogramSummary;
}

export = Piscina;
