// The pool as its users see it: checks what they pass, hands tasks to the dispatcher, reports.
//
// A pool that is dropped without `close()` does not leak: nothing here is referenced by the parts
// that the threads keep alive, so it can be collected, and its threads are closed then.

import { EventEmitter } from 'node:events';
import type { Transferable, Worker } from 'node:worker_threads';
import {
  checkContext,
  checkWhenFull,
  functionAsTask,
  isAbortSignal,
  refuseAssignments,
} from './arguments.js';
import { append, ArrayIsArray, now, SafePromise } from './base/intrinsics.js';
import { AbortError, invalidType, poolErrors } from './errors.js';
import { execFunction } from './exec.js';
import { Lanes, type Lane, type LaneOptions } from './lane.js';
import { mapItems, readMapOptions, type MapOptions, type MapOutcome } from './map.js';
import { onAbort } from './owner/abort-watch.js';
import { Dispatcher } from './owner/dispatcher.js';
import { HandlerTable } from './owner/handlers.js';
import { Task, TaskQueue, type TaskLimits } from './owner/task.js';
import { isTraced, trace, type TaskTrace } from './owner/tracing.js';
import { Waiting, WaitingLine } from './owner/waiting-line.js';
import {
  checkLimit,
  checkName,
  readOptions,
  resolveOptions,
  toFileUrl,
  spinUnderPressure,
  wireByPort,
  workerOptions,
  type PoolOptions,
  type ResolvedOptions,
} from './options.js';
import { listenFor, type PoolEvents } from './pool-events.js';
import type { OtherHandler, RunOptions, SameHandler } from './run-options.js';
import { takeStats, type PoolStats } from './stats.js';
import { cpuCount } from './wait/cpus.js';
import { warnPortable, whyPoolIsPortable } from './wait/native.js';
import { isMovable, joinLists, takeTransfer } from './wire/move.js';
import { loadingNow, refuseRecursion } from './worker/worker-state.js';

const collected = new FinalizationRegistry<Dispatcher>((dispatcher) => void dispatcher.close());

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
export class Pool<Payload = unknown, Result = unknown> extends EventEmitter<PoolEvents> {
  readonly #dispatcher: Dispatcher;
  readonly #handlers: HandlerTable;
  readonly #line: WaitingLine;
  readonly #lanes = new Lanes((task, options) => this.run(task as Payload, options));
  readonly #options: ResolvedOptions;
  /** The limits of a task whose call names none. */
  readonly #limits: TaskLimits | null;

  /**
   * Starts `minThreads` threads. They do not keep the process alive while no task is pending.
   *
   * @throws TypeError (`ERR_INVALID_ARG_TYPE`) and RangeError (`ERR_OUT_OF_RANGE`), naming the
   * option; and what `new Worker` throws for `workerData`, `env`, `execArgv` or `resourceLimits`.
   */
  constructor(options: PoolOptions = {}) {
    super();
    const resolved = resolveOptions(options);
    this.#options = resolved;
    if (resolved.filename !== null) refuseRecursion(resolved.filename);
    this.#handlers = new HandlerTable(resolved.filename, resolved.name);
    this.#limits = limitsOf(resolved.queueTimeout, resolved.timeout);
    const portable = whyPoolIsPortable(resolved.execArgv, resolved.env);
    if (portable !== '') warnPortable(portable);
    this.#dispatcher = new Dispatcher(
      {
        minThreads: resolved.minThreads,
        maxThreads: resolved.maxThreads,
        concurrency: resolved.concurrentTasksPerWorker,
        idleTimeoutMs: resolved.idleTimeout,
        bootTimeoutMs: resolved.bootTimeout,
        abortGraceMs: resolved.abortGrace,
        maxQueue: resolved.maxQueue,
        prefetchWindowMs: resolved.prefetchWindowUs / 1000,
        cpus: cpuCount(),
        eager: false,
        queue: new TaskQueue(),
        balancer: null,
        errors: poolErrors,
        spec: {
          workerOptions: workerOptions(resolved),
          concurrency: resolved.concurrentTasksPerWorker,
          maxSpinUs: resolved.maxSpinUs,
          turnBudgetUs: resolved.turnBudgetUs,
          spinUnderPressure: spinUnderPressure(),
          portable: portable !== '',
          wireByPort: wireByPort(),
          preload: this.#handlers.preload,
          bare: false,
          niceIncrement: 0,
          loading: loadingNow(),
          recordsLatencies: true,
          onTiming: null,
        },
      },
      listenFor(new WeakRef<EventEmitter<PoolEvents>>(this)),
    );
    this.#line = new WaitingLine(this.#dispatcher);
    collected.register(this, this.#dispatcher, this);
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
  run<R = unknown>(task: unknown, options: OtherHandler): Promise<NoInfer<R>>;
  /** Options that may name another handler. */
  run<R = unknown>(task: Payload, options?: RunOptions): Promise<NoInfer<R>>;
  /** The call says both of its types. */
  run<P = Payload, R = unknown>(task: NoInfer<P>, options?: RunOptions): Promise<NoInfer<R>>;
  run(task?: unknown, options?: RunOptions): Promise<unknown> {
    if (isTraced()) return this.#runTraced(task, options);
    return new SafePromise<unknown>((resolve, reject) => {
      if (
        options === undefined &&
        this.#limits === null &&
        typeof task !== 'function' &&
        !isMovable(task)
      ) {
        const handler = this.#handlers.resolve(undefined, undefined);
        this.#dispatcher.submit(new Task(handler, task, null, false, resolve, reject));
      } else {
        this.#runWith(task, options === undefined ? {} : options, resolve, reject, null);
      }
    });
  }

  /** Runs a closed function, without a file for it, with copies of `args`: see inline-code.md. */
  exec<A extends readonly unknown[], R>(fn: (...args: A) => R, ...args: A): Promise<Awaited<R>> {
    return execFunction((task, options) => this.run<Awaited<R>>(task, options), fn, args);
  }

  #runTraced(task: unknown, options: unknown): Promise<unknown> {
    const { filename, name } = this.#options;
    const message: TaskTrace = { pool: this, filename, name };
    const call = (): Promise<unknown> =>
      new SafePromise((resolve, reject) => {
        const given = options === undefined ? {} : options;
        this.#runWith(task, given, resolve, reject, message);
      });
    return trace(call, message);
  }

  #runWith(
    task: unknown,
    options: unknown,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    traced: TaskTrace | null,
  ): void {
    const given = readOptions(options, 'run()');
    if (typeof task === 'function') throw functionAsTask(task);
    const { filename, name, transferList, signal, queueTimeout, timeout } = given;
    const waits = checkWhenFull(given['whenFull']);
    const values = checkContext(given['context']);
    const handler = this.#handlers.resolve(
      filename === undefined ? undefined : fileOfCall(filename),
      name === undefined ? undefined : checkName(name, 'options.name'),
      values !== null,
    );
    if (transferList !== undefined && !ArrayIsArray(transferList))
      throw invalidType('options.transferList', 'an array', transferList);
    if (signal !== undefined && !isAbortSignal(signal))
      throw invalidType('options.signal', 'an AbortSignal', signal);
    const limits = limitsOf(
      queueTimeout === undefined
        ? this.#options.queueTimeout
        : checkLimit(queueTimeout, 'queueTimeout'),
      timeout === undefined ? this.#options.timeout : checkLimit(timeout, 'timeout'),
    );
    if (signal?.aborted === true) throw new AbortError(signal.reason);
    const payload = takeTransfer(task);
    const list = joinLists(transferList as Transferable[] | undefined, payload.transferList);
    const carried = values === null ? payload.value : [values, payload.value];
    const submitted = new Task(handler, carried, list, signal !== undefined, resolve, reject);
    submitted.limits = limits;
    if (traced !== null) {
      traced.filename = handler.url;
      traced.name = handler.exportName;
      submitted.trace = traced;
    }
    if (waits && this.#dispatcher.state === 'open' && this.#line.isClosed)
      this.#waitForRoom(submitted, signal);
    else this.#submit(submitted, signal);
  }

  #submit(task: Task, signal: AbortSignal | undefined): void {
    if (!this.#dispatcher.submit(task) || signal === undefined) return;
    const dispatcher = this.#dispatcher;
    task.forget = onAbort(signal, () => dispatcher.abort(task, signal.reason));
  }

  #waitForRoom(task: Task, signal: AbortSignal | undefined): void {
    const waiting = new Waiting(
      () => {
        forget?.();
        task.acceptedAt = now();
        this.#submit(task, signal);
      },
      (error) => {
        forget?.();
        task.reject(error);
      },
    );
    const forget =
      signal &&
      onAbort(signal, () => {
        if (this.#line.remove(waiting)) task.reject(new AbortError(signal.reason));
      });
    this.#line.push(waiting);
  }

  /**
   * Resolves when the pool has room for a task, at once if it has some. First come, first served,
   * together with the tasks that wait for room (`whenFull: 'wait'`). The room is not kept: another
   * call may take it before yours. Rejects with a `CenoteError` if the pool is closed.
   */
  capacity(): Promise<void> {
    return new SafePromise((resolve, reject) => {
      if (this.#dispatcher.state !== 'open') reject(poolErrors.closed());
      else if (this.#line.isClosed) this.#line.push(new Waiting(resolve, reject, false));
      else resolve();
    });
  }

  /**
   * Runs a task for each item of an iterable, sync or async, and gives the results as an async
   * iterable. At most `concurrency` items are between the source and the reader, so memory is
   * bounded however long the source is: it is asked for the next item only when a result was read.
   *
   * A `break`, an error or an abort ends the source (`return()`). Tasks that were handed over by
   * then run to their end, and nobody gets their results; those of an aborted signal are aborted.
   * Where the pool is full, the tasks wait for room.
   *
   * @throws TypeError (`ERR_INVALID_ARG_TYPE`) and RangeError (`ERR_OUT_OF_RANGE`), at the call.
   */
  map<R = Result>(
    source: Iterable<Payload> | AsyncIterable<Payload>,
    options: MapOptions & { readonly stopOnError: false },
  ): AsyncGenerator<MapOutcome<Awaited<R>>, void, undefined>;
  map<R = Result>(
    source: Iterable<Payload> | AsyncIterable<Payload>,
    options?: MapOptions,
  ): AsyncGenerator<Awaited<R>, void, undefined>;
  map(
    source: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions = {},
  ): AsyncGenerator<unknown, void, undefined> {
    const { settings, runOptions } = readMapOptions(source, options, this.#options);
    const waiting: RunOptions = { ...runOptions, whenFull: 'wait' };
    const run = (item: unknown): Promise<unknown> =>
      runOptions === null && !this.#line.isClosed
        ? this.run(item as Payload)
        : this.run(item as Payload, waiting);
    const { signal } = settings;
    return mapItems(run, source, settings, (stop) => (signal ? onAbort(signal, stop) : () => {}));
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
   * Rejects every task that has not begun: those that wait in the pool, for room, or in a lane, and
   * those that a worker holds beyond what it runs. They get an `AbortError`, whose `cause` is
   * `reason`. Tasks that run go on.
   *
   * @returns how many those were.
   */
  cancelPending(reason?: unknown): number {
    const error = (): unknown => new AbortError(reason);
    const { outcomes } = this.#dispatcher;
    const before = outcomes.cancelled;
    const inFront = this.#lanes.cancel(error) + this.#line.refuseTasks(error);
    this.#dispatcher.rejectWaiting(error);
    return inFront + outcomes.cancelled - before;
  }

  /** Sends away those who wait in front of the pool. */
  #refuse(error: () => unknown): void {
    this.#lanes.end(error);
    this.#line.refuseAll(error);
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
    return this.#lanes.get(name, options) as unknown as Lane<P, R>;
  }

  /** The options in force; `options.sources` says where each came from. Read-only. */
  get options(): ResolvedOptions {
    return this.#options;
  }

  /** The threads that have not ended. */
  get threads(): Worker[] {
    const threads: Worker[] = [];
    const { all } = this.#dispatcher.crew;
    for (let i = 0; i < all.length; i++) append(threads, all[i]!.worker);
    return threads;
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
    return takeStats(this.#dispatcher, this.#lanes.stats());
  }
}

refuseAssignments(Pool.prototype);

function fileOfCall(filename: unknown): string {
  const url = toFileUrl(filename, 'options.filename');
  refuseRecursion(url);
  return url;
}

function limitsOf(queueMs: number, runMs: number): TaskLimits | null {
  return queueMs === Infinity && runMs === Infinity ? null : { queueMs, runMs };
}
