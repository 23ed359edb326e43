// The pool as its users see it: checks what they pass, hands tasks to the dispatcher, reports.
//
// A pool that is dropped without `close()` does not leak: nothing here is referenced by the parts
// that the threads keep alive, so it can be collected, and its threads are closed then.

import { EventEmitter } from 'node:events';
import type { Transferable, Worker, WorkerOptions } from 'node:worker_threads';
import { SafePromise } from './base/intrinsics.js';
import { Dispatcher, type DispatcherListener } from './owner/dispatcher.js';
import { onAbort } from './owner/abort-watch.js';
import { AbortError, invalidType, poolErrors } from './errors.js';
import { HandlerTable } from './owner/handlers.js';
import { warnPortable, whyPoolIsPortable } from './wait/native.js';
import { isMovable, takeTransfer } from './wire/move.js';
import {
  checkLimit,
  checkName,
  refuseUnknown,
  resolveOptions,
  toFileUrl,
  type PoolOptions,
  type ResolvedOptions,
} from './options.js';
import { takeStats, type PoolStats } from './stats.js';
import { Task, TaskQueue, type TaskLimits } from './owner/task.js';

/** What one call of {@link Pool.run} may say. */
export interface RunOptions {
  /** The file with the handler, instead of the pool's. */
  readonly filename?: string | URL;
  /** The export that handles the task, instead of the pool's. */
  readonly name?: string;
  /** What is moved instead of copied, as for `postMessage`. */
  readonly transferList?: readonly Transferable[];
  /**
   * Aborts the task: one that waits never runs; one that runs is asked to end, and after the pool's
   * `abortGrace` its worker is terminated. A task with a signal is put behind no other on a worker,
   * so each costs a hop of its own.
   */
  readonly signal?: AbortSignal;
  /** Milliseconds that it may wait for its start, instead of the pool's. */
  readonly queueTimeout?: number;
  /** Milliseconds that it may take from its start, instead of the pool's. */
  readonly timeout?: number;
}

const kRunOptions: readonly string[] = [
  'filename',
  'name',
  'transferList',
  'signal',
  'queueTimeout',
  'timeout',
] satisfies (keyof RunOptions)[];

/** The events of a {@link Pool}, and what their listeners receive. */
export interface PoolEvents {
  /** Background work that was registered with `waitUntil` rejected. The worker goes on. */
  backgroundError: [error: unknown, threadId: number];
  /** A worker ended without being told to. Its started tasks were rejected, and it is replaced. */
  workerLost: [error: unknown, exitCode: number, threadId: number];
  /** A worker's code posted a message on its `parentPort`. */
  message: [message: unknown, threadId: number];
}

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
  /** The limits of a task whose call names none. */
  readonly #limits: TaskLimits | null;
  /** The options in force, and in `options.sources` where each came from. */
  readonly options: ResolvedOptions;

  /**
   * Starts `minThreads` threads. They do not keep the process alive while no task is outstanding.
   *
   * @throws TypeError (`ERR_INVALID_ARG_TYPE`) and RangeError (`ERR_OUT_OF_RANGE`), naming the
   * option; and what `new Worker` throws for `workerData`, `env`, `execArgv` or `resourceLimits`.
   */
  constructor(options: PoolOptions = {}) {
    super();
    const resolved = resolveOptions(options);
    this.options = resolved;
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
        eager: false,
        queue: new TaskQueue(),
        balancer: null,
        errors: poolErrors,
        spec: {
          workerOptions: workerOptions(resolved),
          concurrency: resolved.concurrentTasksPerWorker,
          maxSpinUs: resolved.maxSpinUs,
          turnBudgetUs: resolved.turnBudgetUs,
          portable: portable !== '',
          preload: this.#handlers.preload,
          bare: false,
          niceIncrement: 0,
          recordsLatencies: true,
          onTiming: null,
        },
      },
      listenFor(new WeakRef<EventEmitter<PoolEvents>>(this)),
    );
    collected.register(this, this.#dispatcher, this);
  }

  /**
   * Runs a task: `task` is cloned to a worker, whose handler is called with it and a context.
   * A call for another handler than the pool's may say its types: `run<Payload, Result>(…)`.
   *
   * @returns what the handler returned, cloned. Rejects with what the handler threw; with a
   * `CenoteError` if the pool could not run it; with an `AbortError` if its signal was aborted; with
   * a `DataCloneError` if task or result cannot be cloned; with a TypeError if the call is wrong.
   */
  run<P = Payload, R = Result>(task: NoInfer<P>, options?: RunOptions): Promise<R> {
    return new SafePromise<unknown>((resolve, reject) => {
      if (options === undefined && this.#limits === null && !isMovable(task)) {
        this.#dispatcher.submit(
          new Task(
            this.#handlers.resolve(undefined, undefined),
            task,
            null,
            false,
            resolve,
            reject,
          ),
        );
      } else {
        this.#runWith(task, options === undefined ? {} : options, resolve, reject);
      }
    }) as Promise<R>;
  }

  #runWith(
    task: unknown,
    options: RunOptions,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    if (typeof options !== 'object' || options === null)
      throw invalidType('options', 'an object', options);
    // A null prototype: what somebody put on Object.prototype is no option.
    const given = Object.assign(Object.create(null) as RunOptions, options);
    refuseUnknown(given, kRunOptions);
    const { filename, name, transferList, signal, queueTimeout, timeout } = given;
    const handler = this.#handlers.resolve(
      filename === undefined ? undefined : toFileUrl(filename, 'options.filename'),
      name === undefined ? undefined : checkName(name, 'options.name'),
    );
    if (transferList !== undefined && !Array.isArray(transferList)) {
      throw invalidType('options.transferList', 'an array', transferList);
    }
    if (signal !== undefined && !isAbortSignal(signal))
      throw invalidType('options.signal', 'an AbortSignal', signal);
    const limits = limitsOf(
      queueTimeout === undefined
        ? this.options.queueTimeout
        : checkLimit(queueTimeout, 'queueTimeout'),
      timeout === undefined ? this.options.timeout : checkLimit(timeout, 'timeout'),
    );
    if (signal?.aborted === true) throw new AbortError(signal.reason);
    const payload = takeTransfer(task);
    const moved = [...(transferList ?? []), ...payload.transferList];
    const list = moved.length > 0 ? moved : null;
    const submitted = new Task(handler, payload.value, list, signal !== undefined, resolve, reject);
    submitted.limits = limits;
    if (this.#dispatcher.submit(submitted) && signal !== undefined) {
      const dispatcher = this.#dispatcher;
      submitted.forget = onAbort(signal, () => dispatcher.abort(submitted, signal.reason));
    }
  }

  /**
   * Resolves when `minThreads` threads, at least one, have loaded the pool's file and run its `setup`.
   * Rejects with what either of them threw; with a `CenoteError` if the file has no such handler, if
   * no thread could be started, or if the pool is closed. It need not be called: tasks wait for what they need.
   */
  async ready(): Promise<void> {
    // A pool that is waited for is in use: `this` lives on in here, so that it is not collected.
    await this.#dispatcher.ready();
  }

  /**
   * Takes no more tasks, and resolves when every accepted task has settled, the background work
   * that was registered with `waitUntil` is done, and the threads have ended.
   */
  close(): Promise<void> {
    return this.#dispatcher.close();
  }

  /**
   * Rejects every accepted task (`ERR_CENOTE_POOL_DESTROYED`), terminates the threads at once, and
   * resolves when they have ended.
   */
  destroy(): Promise<void> {
    return this.#dispatcher.destroy();
  }

  /** `await using pool = new Pool(…)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The threads that have not ended. */
  get threads(): Worker[] {
    return Array.from(this.#dispatcher.crew.all, ({ worker }) => worker);
  }

  /** Accepted tasks that no worker has been given yet. */
  get queueSize(): number {
    return this.#dispatcher.queueSize;
  }

  /** Tasks that settled with a value. */
  get completed(): number {
    return this.#dispatcher.outcomes.completed;
  }

  /** A snapshot of every counter and histogram. Costs some tens of µs for each worker. */
  stats(): PoolStats {
    return takeStats(this.#dispatcher);
  }
}

/** Holds the pool weakly: its threads must not keep it alive. */
function listenFor(pool: WeakRef<EventEmitter<PoolEvents>>): DispatcherListener {
  return {
    onBackgroundError: (error, threadId) =>
      void pool.deref()?.emit('backgroundError', error, threadId),
    onWorkerLost: ({ error, exitCode, threadId }) =>
      void pool.deref()?.emit('workerLost', error, exitCode, threadId),
    onMessage: (message, { threadId }) => void pool.deref()?.emit('message', message, threadId),
  };
}

function limitsOf(queueMs: number, runMs: number): TaskLimits | null {
  return queueMs === Infinity && runMs === Infinity ? null : { queueMs, runMs };
}

function workerOptions(options: ResolvedOptions): WorkerOptions {
  const { workerData, env, argv, execArgv, resourceLimits } = options;
  const passed: WorkerOptions = {
    name: 'cenote',
    workerData,
    ...(env === undefined ? {} : { env }),
    ...(argv === undefined ? {} : { argv: [...argv] }),
    ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
    ...(resourceLimits === undefined ? {} : { resourceLimits }),
  };
  // A null prototype: `new Worker` would read what somebody put on Object.prototype.
  return Object.assign(Object.create(null) as WorkerOptions, passed);
}

function isAbortSignal(value: unknown): value is AbortSignal {
  return (
    typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value
  );
}
