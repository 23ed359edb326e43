// The pool as its users see it: checks what they pass, hands tasks to the dispatcher, reports.
//
// A pool that is dropped without `close()` does not leak: nothing here is referenced by the parts
// that the threads keep alive, so it can be collected, and its threads are closed then.

import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Worker } from 'node:worker_threads';
import { refuseAssignments } from './arguments.js';
import { SafePromise } from './base/intrinsics.js';
import { limitsOf } from './calls.js';
import { poolErrors } from './errors.js';
import { Front } from './front.js';
import type { Lane, LaneOptions } from './lane.js';
import type { MapTransform } from './map-streams.js';
import type { MapOptions, MapOutcome } from './map.js';
import type { Advice } from './offloading.js';
import { bodiesOf } from './owner/body.js';
import type { Dispatcher } from './owner/dispatcher.js';
import { HandlerTable } from './owner/handlers.js';
import { Task, type TaskLimits } from './owner/task.js';
import { isTraced } from './owner/tracing.js';
import { requireWorkerFile } from './owner/worker-file.js';
import { resolveOptions, type PoolOptions, type ResolvedOptions } from './options.js';
import { listenFor, type PoolEvents } from './pool-events.js';
import { PoolMethods } from './pool-methods.js';
import { endWithPool, makeDispatcher, watchFiles } from './pool-parts.js';
import type {
  BroadcastOptions,
  OtherHandler,
  RunOptions,
  SameHandler,
  SyncOptions,
} from './run-options.js';
import type { StreamOptions } from './stream.js';
import type { PoolStats } from './stats.js';
import type { Typing, Untyped } from './tasks.js';
import type { Watcher } from './watching.js';
import { isMovable } from './wire/move.js';
import { refuseRecursion } from './worker/worker-state.js';

type Items<T> = Iterable<T | PromiseLike<T>> | AsyncIterable<T>;

/**
 * A pool of worker threads.
 *
 * ```js
 * const { Pool } = require('cenote');
 * const pool = new Pool({ filename: require.resolve('./worker.js') });
 * const result = await pool.run({ n: 42 });
 * await pool.close();
 * ```
 */
export class Pool<
  Payload = unknown,
  Result = unknown,
  T extends Typing = Untyped,
> extends EventEmitter<PoolEvents> {
  readonly #dispatcher: Dispatcher;
  readonly #handlers: HandlerTable;
  readonly #methods: PoolMethods;
  readonly #watcher: Watcher | null;
  /** The limits of a task whose call names none. */
  readonly #limits: TaskLimits | null;

  /**
   * Starts `minThreads` threads. They do not keep the process alive while no task is pending.
   *
   * @throws TypeError (`ERR_INVALID_ARG_TYPE`) and RangeError (`ERR_OUT_OF_RANGE`), naming the
   * option; what `new Worker` throws for `workerData`, `env`, `execArgv` or `resourceLimits`; and a
   * `CenoteError` (`ERR_CENOTE_BUNDLED`) where a bundler has left the workers' file behind.
   */
  constructor(options: PoolOptions = {}) {
    super();
    const resolved = resolveOptions(options);
    requireWorkerFile();
    if (resolved.filename !== null) refuseRecursion(resolved.filename);
    this.#handlers = new HandlerTable(resolved.filename, resolved.name);
    this.#limits = limitsOf(resolved.queueTimeout, resolved.timeout);
    const listener = listenFor(new WeakRef<EventEmitter<PoolEvents>>(this));
    this.#dispatcher = makeDispatcher(resolved, this.#handlers.preload, listener);
    const front = new Front(this, resolved, this.#handlers, this.#dispatcher);
    this.#methods = new PoolMethods(front, this.#handlers, this.#dispatcher);
    this.#watcher = resolved.watch ? watchFiles(this.#handlers, this.#dispatcher) : null;
    endWithPool(this, this.#dispatcher, this.#watcher);
  }

  /**
   * Runs a task: a worker calls the handler with a copy of `task`, and a context.
   *
   * The pool copies `task` when it gives it to a worker, not at the call. Until the promise
   * settles, leave it as it is, or pass a copy of your own.
   *
   * A call that names another handler (`name`, `filename`) says its own types: `run<Result>(…)`, or
   * `run<Payload, Result>(…)`. If it does not, its result is `unknown`.
   *
   * @returns a copy of what the handler returned. Rejects with what the handler threw; with a
   * `CenoteError` if the pool could not run the task; with an `AbortError` if its signal was
   * aborted; with a `DataCloneError` if task or result cannot be cloned; with a TypeError or
   * RangeError if the call is wrong.
   */
  run(task: Payload, options?: SameHandler): Promise<Result>;
  /** The task may be left out where it may be `undefined`. */
  run<R = Result>(this: Pool<undefined>): Promise<NoInfer<R>>;
  /** Another handler: the pool's types say nothing about its task and its result. */
  run<R = unknown>(task: unknown, options: T['options'] & OtherHandler): Promise<NoInfer<R>>;
  /** Options that may name another handler. */
  run<R = unknown>(task: Payload, options?: T['options']): Promise<NoInfer<R>>;
  /** The call says both of its types. */
  run<P = Payload, R = unknown>(task: NoInfer<P>, options?: T['options']): Promise<NoInfer<R>>;
  run(task?: unknown, options?: RunOptions): Promise<unknown> {
    const isPlain =
      options === undefined &&
      this.#limits === null &&
      typeof task !== 'function' &&
      !isMovable(task) &&
      !isTraced();
    if (!isPlain) return this.#methods.run(task, options);
    return new SafePromise<unknown>((resolve, reject) => {
      const handler = this.#handlers.resolve(undefined, undefined);
      this.#dispatcher.submit(new Task(handler, task, null, false, resolve, reject));
    });
  }

  /**
   * Runs a task and blocks this thread until it has ended: for code that cannot await, such as a
   * rule of a linter or a configuration. It works on the main thread and in workers. Meanwhile
   * nothing else of this thread runs, so a handler that needs an answer from it waits for ever:
   * pass a `timeout`, in milliseconds, which here counts from the call.
   *
   * @returns a copy of what the handler returned. Throws what `run()` rejects with.
   */
  runSync<R = Result>(task: Payload, options?: SyncOptions): Awaited<R>;
  runSync<R = unknown>(task: unknown, options: SyncOptions): Awaited<R>;
  runSync(task: unknown, options?: SyncOptions): unknown {
    return this.#methods.runSync(task, options, this.runSync);
  }

  /** Runs a closed function, without a file for it, with copies of `args`: see inline-code.md. */
  exec<A extends readonly unknown[], R>(fn: (...args: A) => R, ...args: A): Promise<Awaited<R>> {
    return this.#methods.exec(fn, args, this.exec) as Promise<Awaited<R>>;
  }

  /**
   * Resolves when the pool has room for a task, at once if it has some. First come, first served,
   * together with the tasks that wait for room (`whenFull: 'wait'`). The room is yours until the
   * end of this turn of the event loop, unless another call takes it first. Rejects with a
   * `CenoteError` if the pool is closed.
   */
  capacity(): Promise<void> {
    return this.#methods.front.capacity();
  }

  /**
   * Runs a task for each item of an iterable, sync or async, and gives the results as an async
   * iterable. At most `concurrency` items are between the source and the reader, so memory is
   * bounded however long the source is: it is asked for the next item only when a result was read.
   *
   * A `break`, an error or an abort ends the source (`return()`). Tasks that have not begun by then
   * are taken back; those that run do so to their end, and nobody gets their results; those of an
   * aborted signal are aborted. Where the pool is full, the tasks wait for room. An item that is a
   * promise is awaited.
   *
   * @throws TypeError (`ERR_INVALID_ARG_TYPE`) and RangeError (`ERR_OUT_OF_RANGE`), at the call.
   */
  map<R = Result>(
    source: Items<Payload>,
    options: MapOptions & T['handler'] & { readonly stopOnError: false },
  ): AsyncGenerator<MapOutcome<Awaited<R>>, void, undefined>;
  map<R = Result>(
    source: Items<Payload>,
    options?: MapOptions & T['handler'],
  ): AsyncGenerator<Awaited<R>, void, undefined>;
  map(
    source: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions = {},
  ): AsyncGenerator<unknown, void, undefined> {
    return this.#methods.map(source, options);
  }

  /**
   * {@link map} as a stage of web streams: `source.pipeThrough(pool.transform(options))`.
   *
   * @throws TypeError (`ERR_INVALID_ARG_TYPE`) and RangeError (`ERR_OUT_OF_RANGE`), at the call.
   */
  transform<R = Result>(options: MapOptions = {}): MapTransform<Payload, Awaited<R>> {
    return this.#methods.transform(options) as MapTransform<Payload, Awaited<R>>;
  }

  /**
   * {@link map} as a Node stream of objects: `pipeline(source, pool.duplex(options), sink)`.
   *
   * @throws TypeError (`ERR_INVALID_ARG_TYPE`) and RangeError (`ERR_OUT_OF_RANGE`), at the call.
   */
  duplex(options: MapOptions = {}): Duplex {
    return this.#methods.duplex(options);
  }

  /**
   * Runs a task whose handler gives a stream, and gives its parts as an async iterable. The handler
   * is a generator or async generator, or returns a `ReadableStream`, a Node `Readable` or another
   * iterable. It goes on as fast as its parts are read: `highWaterMark` of them, 16 by default, may
   * be on their way.
   *
   * A `break` asks the handler to end, its `finally` included, and waits for it. An abort asks the
   * same and waits for nothing: after `abortGrace`, at least a second, the worker of a handler that
   * has not ended is terminated. The task begins when the first part is asked for.
   *
   * @throws TypeError (`ERR_INVALID_ARG_TYPE`) and RangeError (`ERR_OUT_OF_RANGE`), at the call.
   */
  stream<R = unknown>(
    task: unknown,
    options?: StreamOptions & T['handler'],
  ): AsyncGenerator<Awaited<R>, void, undefined>;
  stream(task: unknown, options?: StreamOptions): AsyncGenerator<unknown, void, undefined> {
    return this.#methods.front.stream(task, options);
  }

  /**
   * Resolves when `minThreads` threads, at least one, have loaded the pool's file and run its
   * `setup`. Rejects with what the file or its `setup` threw; with a `CenoteError` if the file has
   * no such handler, if no thread could start, or if the pool is closed. You need not call it: each
   * task waits for what it needs.
   */
  async ready(): Promise<void> {
    // A caller that waits still uses the pool: `this` lives on in here, so it is not collected.
    await this.#dispatcher.ready();
  }

  /**
   * Accepts no more tasks. Resolves when every accepted task has settled, the background work that
   * handlers registered with `waitUntil` is done, and the threads have ended. It waits for that
   * without limit. What handlers left running unregistered gets up to 1 s in each worker: a worker
   * with an open server or interval takes that second. The `exit` listeners of the workers run.
   */
  close(): Promise<void> {
    this.#refuse(poolErrors.closed);
    return this.#dispatcher.close();
  }

  /**
   * Rejects every accepted task (`ERR_CENOTE_POOL_DESTROYED`) and terminates the threads at once.
   * Resolves when they have ended.
   */
  destroy(): Promise<void> {
    this.#refuse(poolErrors.destroyed);
    return this.#dispatcher.destroy();
  }

  /**
   * Runs a task on each worker that there is, also on those that still start, and gives the results
   * in the order of the workers. Workers that start later do not run it: for those, export `setup`
   * from the file. Rejects with the first error, in that order, when all have ended.
   *
   * `transferList`, `key`, `coalesce`, `priority` and `group` have no place here.
   */
  async broadcast<R = unknown>(task: unknown, options?: BroadcastOptions): Promise<Awaited<R>[]> {
    return (await this.#methods.front.broadcast(task, options, this.broadcast)) as Awaited<R>[];
  }

  /**
   * Changes how many threads the pool has. New ones start at once; those that are too many end when
   * what they run has ended. What is left out stays as it is.
   *
   * @throws TypeError (`ERR_INVALID_ARG_TYPE`) and RangeError (`ERR_OUT_OF_RANGE`).
   */
  resize(sizes: { readonly minThreads?: number; readonly maxThreads?: number }): void {
    this.#methods.resize(sizes);
  }

  /**
   * Replaces all workers by new ones, which load their files anew, one after the other. No task is
   * lost: each worker ends what it runs. Resolves when that is done; rejects with what keeps new
   * workers from starting, or with a `CenoteError` if the pool is closed.
   */
  async restart(): Promise<void> {
    await this.#methods.restart();
  }

  /**
   * Rejects every task that has not begun: those that wait in the pool, for room, or in a lane, and
   * those that a worker holds beyond what it runs. They get an `AbortError`, whose `cause` is
   * `reason`. Tasks that run go on.
   *
   * @returns how many those were.
   */
  cancelPending(reason?: unknown): number {
    return this.#methods.cancelPending(reason);
  }

  /** Sends away those who wait in front of the pool. */
  #refuse(error: () => unknown): void {
    this.#watcher?.close();
    this.#methods.end(error);
  }

  /** `await using pool = new Pool(…)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * A share of the pool with limits of its own, a bulkhead: at most `maxRunning` of its tasks are
   * in the pool at once, however long they take, and at most `maxQueue` wait for that. The first
   * call says the limits; with the same name, and the same limits or none, it gives the same lane.
   *
   * @throws TypeError (`ERR_INVALID_ARG_TYPE`) and RangeError (`ERR_OUT_OF_RANGE`).
   */
  lane<P = Payload, R = Result>(name: string, options?: LaneOptions): Lane<P, R> {
    return this.#methods.lane(name, options) as unknown as Lane<P, R>;
  }

  /**
   * A function for each handler: `const { resize } = pool.tasks`, then `await resize(image)`. With
   * `new Pool<typeof import('./tasks.js')>(…)` they have the types of the file's exports.
   */
  get tasks(): T['tasks'] {
    return this.#methods.tasks as T['tasks'];
  }

  /**
   * Which handlers are worth their hop: for each that has run, how long its runs take, and its way
   * to a worker and back.
   */
  advise(): Advice[] {
    return this.#methods.advise();
  }

  /** The options in force; `options.sources` says where each came from. Read-only. */
  get options(): ResolvedOptions {
    return this.#methods.options;
  }

  /** The threads that have not ended. None with `runtime: 'process'`. */
  get threads(): Worker[] {
    return bodiesOf(this.#dispatcher.crew, 'worker');
  }

  /** The processes that have not ended, with `runtime: 'process'`. */
  get processes(): ChildProcess[] {
    return bodiesOf(this.#dispatcher.crew, 'process');
  }

  /** How many accepted tasks wait in the pool: no worker has been given them yet. */
  get queueSize(): number {
    return this.#dispatcher.queueSize;
  }

  /** How many tasks settled with a value. */
  get completed(): number {
    return this.#dispatcher.outcomes.completed;
  }

  /** A snapshot of every counter and histogram. Costs some tens of µs for each worker. */
  stats(): PoolStats {
    return this.#methods.stats();
  }
}

refuseAssignments(Pool.prototype);
