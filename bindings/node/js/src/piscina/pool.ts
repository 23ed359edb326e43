// A Piscina's insides: tasks, events and numbers, on top of the dispatcher.

import type { EventEmitterAsyncResource } from 'node:events';
import type { Transferable, Worker } from 'node:worker_threads';
import {
  append,
  bareList,
  now,
  ObjectAssign,
  PromiseReject,
  queueMicrotask,
  SafePromise,
  SafeSet,
  SafeWeakSet,
} from '../base/intrinsics.js';
import { isAbortSignal } from '../arguments.js';
import { allOf } from '../base/all-of.js';
import { limitsOf } from '../calls.js';
import type { Dispatcher } from '../owner/dispatcher.js';
import { Front } from '../front.js';
import { HandlerTable } from '../owner/handlers.js';
import type { RetryState } from '../owner/retries.js';
import type { Task, TaskLimits, TaskMaker, WaitQueue } from '../owner/task.js';
import { isTraced } from '../owner/tracing.js';
import type { WorkerHandle } from '../owner/worker-handle.js';
import { PoolMethods } from '../pool-methods.js';
import { watchFiles } from '../pool-parts.js';
import { retryOf } from '../retry-options.js';
import type { Watcher } from '../watching.js';
import { takeTransfer } from '../wire/move.js';
import { refuseRecursion } from '../worker/worker-state.js';
import { UserBalancer } from './balancer.js';
import { AbortError, Errors } from './errors.js';
import { urlOf } from './filenames.js';
import { ForeignQueue } from './foreign-queue.js';
import { TaskTimes } from './histogram.js';
import { Load } from './load.js';
import { fillOptions } from './options.js';
import { OwnOrder } from './own-order.js';
import type { TaskQueue } from './queues.js';
import { optionsOf, type Call } from './run-options.js';
import { listenForAbort, taskOfCall, TaskInfo, type InfoTask } from './task-info.js';
import { concurrencyOf, ownOptions, startDispatcher, threadsOf } from './threads.js';
import type { AbortSignalEventTarget, FilledOptions, Options } from './types.js';
import { WorkerViews } from './worker-views.js';

/** What is done with an accepted task: waits for its turn, or goes to one worker. */
type Submit = (task: InfoTask) => void;

export class ThreadPool {
  readonly options: FilledOptions;
  readonly times: TaskTimes | null;
  readonly startedAt = now();
  readonly load: Load;
  /** What Piscina has not. */
  readonly methods: PoolMethods;
  readonly #watcher: Watcher | null;
  /** The limits of a task whose call names none. */
  readonly #limits: TaskLimits | null;
  readonly #retry: (() => RetryState) | null;
  readonly #emitter: EventEmitterAsyncResource;
  readonly #dispatcher: Dispatcher;
  readonly #handlers: HandlerTable;
  readonly #views: WorkerViews;
  readonly #queue: WaitQueue & { release?(): void };
  readonly #balancer: UserBalancer | null;
  /** Workers that count as ready before they are: those that the pool was made with. */
  readonly #initial = new SafeWeakSet<WorkerHandle>();
  /** Workers that `workerCreate` was emitted for. */
  readonly #announced = new SafeWeakSet<WorkerHandle>();
  /** Workers that were told to end and have not, by the ids of their threads. */
  readonly #told = new SafeSet<number>();
  #closing: Promise<void> | null = null;

  /** `given` has been checked. */
  constructor(emitter: EventEmitterAsyncResource, given: Options) {
    const options = fillOptions(given);
    const { filename, loadBalancer, recordTiming, workerHistogram } = options;
    this.options = options;
    this.#emitter = emitter;
    this.times = recordTiming ? new TaskTimes() : null;
    this.#views = new WorkerViews(workerHistogram);
    this.#queue = queueOf(options.taskQueue);
    const url = filename === null ? null : urlOf(filename);
    if (url !== null) refuseRecursion(url);
    this.#handlers = new HandlerTable(url, options.name);
    const own = ownOptions(options, url);
    this.#limits = limitsOf(own.queueTimeout, own.timeout);
    this.#retry = retryOf(own.retry, undefined);
    this.load = new Load(
      threadsOf(options) * concurrencyOf(options),
      () => this.#dispatcher.ledger.unsettled,
      (event) => this.#emitSoon(event),
    );
    // Asked about that many tasks in vain, it is taken to have no worker for those behind them.
    const lookahead = options.stricterFIFO ? 1 : threadsOf(options);
    this.#balancer =
      loadBalancer === undefined ? null : new UserBalancer(loadBalancer, this.#views, lookahead);
    this.#dispatcher = startDispatcher(
      options,
      {
        own,
        handlers: this.#handlers,
        queue: this.#queue,
        balancer: this.#balancer,
        onTiming: recordTiming || workerHistogram ? this.#record.bind(this) : null,
        wasTold: (threadId) => this.#told.has(threadId),
      },
      {
        onBackgroundError: (error, threadId) =>
          void emitter.emit('backgroundError', error, threadId),
        onMessage: (message) => void emitter.emit('message', message),
        onWorkerLost: ({ error }, begun, waiting, unfit) => {
          // Its file failed: it is tried again, or the tasks that wait are told.
          if (unfit && emitter.listenerCount('error') === 0) return;
          // Where tasks were moved to other workers nobody has heard of it, but nothing was lost
          // either: unlike the other, this one is no event that ends the process where nobody
          // listens.
          const isUnheard = begun === 0 && (waiting === 0 || emitter.listenerCount('error') > 0);
          if (isUnheard && error !== undefined) emitter.emit('error', error);
        },
        onWorkerReady: (worker) => this.#onWorkerReady(worker),
        onWorkerLeft: (worker) => this.#onWorkerLeft(worker),
      },
    );
    const front = new Front(emitter, own, this.#handlers, this.#dispatcher, {
      bare: true,
      makeTask: (...parts) => this.#makeTask(parts),
      onSubmitted: ({ task, waits }) => {
        // One that waits for room is not refused: it starts when the dispatcher comes to it.
        if (!waits) this.#dispatcher.flushNow(task);
        this.load.onSubmitted();
      },
    });
    this.methods = new PoolMethods(front, this.#handlers, this.#dispatcher);
    this.#watcher = own.watch ? watchFiles(this.#handlers, this.#dispatcher) : null;
    const { all } = this.#dispatcher.crew;
    for (let i = 0; i < all.length; i++) {
      this.#initial.add(all[i]!);
      this.#announce(all[i]!);
    }
  }

  // Tasks

  /** Runs a task where there is a place for it. */
  run(payload: unknown, call: Call): Promise<unknown> {
    const { extended, signal } = call;
    if (extended !== null) {
      this.#requireFile(call);
      return this.methods.run(payload, extended);
    }
    // Who aborts by another kind of signal is not traced.
    if (isTraced() && (signal === null || isAbortSignal(signal)))
      return this.methods.run(payload, optionsOf(call));
    return this.#start(payload, call, (task) => {
      if (this.#dispatcher.submit(task)) this.#dispatcher.flushNow(task);
    });
  }

  /** Runs a task in each of the threads. */
  broadcast(
    payload: unknown,
    call: Call,
    below: (...args: never[]) => unknown,
  ): Promise<unknown[]> {
    if (this.#takesNoMore) return PromiseReject(Errors.terminated()) as Promise<never>;
    if (call.extended !== null) {
      this.#requireFile(call);
      return this.methods.front.broadcast(payload, call.extended, below);
    }
    const { takers } = this.#dispatcher.crew;
    const runs: Promise<unknown>[] = bareList();
    // A copy: what getters of the payload do may end one of them.
    const workers: WorkerHandle[] = bareList();
    for (let i = 0; i < takers.length; i++) workers[i] = takers[i]!;
    for (let i = 0; i < workers.length; i++) {
      const worker = workers[i]!;
      runs[i] = this.#start(payload, call, (task) => this.#dispatcher.submitTo(worker, task));
    }
    return allOf(runs);
  }

  get #takesNoMore(): boolean {
    return this.#closing !== null || this.#dispatcher.state !== 'open';
  }

  #start(payload: unknown, call: Call, submit: Submit): Promise<unknown> {
    return new SafePromise((resolve, reject) => {
      // What is thrown here rejects the promise.
      const { signal } = call;
      const filename = this.#requireFile(call);
      if (this.#takesNoMore) throw Errors.terminated();
      const name = call.name ?? this.options.name;
      const { aborted, reason } = (signal ?? {}) as Partial<AbortSignalEventTarget>;
      if (aborted) throw new AbortError(reason);
      const { value, transferList } = takeTransfer(payload);
      const moved = joined((call.transferList ?? []) as readonly Transferable[], transferList);
      const info = new TaskInfo(
        {
          payload: value,
          transferList: moved.length === 0 ? null : moved,
          handler: this.#handlers.resolve(
            call.filename === null ? undefined : fileOfCall(filename),
            call.name ?? undefined,
          ),
          filename,
          name,
          isAbortable: signal !== null,
          triggerAsyncId: this.#emitter.asyncId,
        },
        {
          resolve: (result) => {
            this.#onSettled(task, true);
            resolve(result);
          },
          reject: (error) => {
            // One that was refused was never accepted, so it does not count as settled.
            this.#onSettled(task, task.settled && !(error instanceof AbortError));
            reject(error);
          },
        },
      );
      const task = TaskInfo.taskOf(info)!;
      task.limits = this.#limits;
      if (this.#retry !== null) task.withTerms().retry = this.#retry();
      // Before it is submitted: a queue or a balancer of the user's may abort it.
      if (signal !== null) task.forget = listenForAbort(signal, () => this.#abort(task, signal));
      submit(task);
      this.load.onSubmitted();
    });
  }

  #requireFile(call: Call): string {
    const filename = call.filename ?? this.options.filename;
    if (filename === null) throw Errors.noFilename();
    return filename;
  }

  /** The task of a call that says more than Piscina's say. */
  #makeTask(parts: Parameters<TaskMaker>): Task {
    const task = taskOfCall(parts, this.#emitter.asyncId);
    task.follow((outcome) => this.#onSettled(task, task.settled && outcome !== 'aborted'));
    return task;
  }

  ready(): Promise<void> {
    return this.#dispatcher.ready();
  }

  /** Another number of threads. */
  resize(sizes: unknown): void {
    this.methods.resize(sizes);
    const { minThreads, maxThreads } = this.methods.options;
    ObjectAssign(this.options, { minThreads, maxThreads });
    this.load.capacity = maxThreads * concurrencyOf(this.options);
  }

  #abort(task: InfoTask, signal: object): void {
    const { holder } = task;
    this.#dispatcher.abort(task, (signal as Partial<AbortSignalEventTarget>).reason);
    // Where the user's balancer has given it to a worker, it counts as running there.
    if (this.#balancer !== null) holder?.terminate();
  }

  #onSettled(task: Task, completed: boolean): void {
    // The dispatcher does so only for tasks that it accepted.
    task.forget?.();
    this.#balancer?.reconsider();
    this.load.onSettled(completed);
  }

  #record(worker: WorkerHandle, waitMs: number, runMs: number): void {
    this.times?.wait.record(waitMs);
    this.times?.run.record(runMs);
    this.#views.record(worker, runMs);
  }

  // Events: each in a turn of its own, for listeners may throw

  #emitSoon(event: string, worker?: unknown): void {
    queueMicrotask(() => {
      if (worker === undefined) this.#emitter.emit(event);
      else this.#emitter.emit(event, worker);
    });
  }

  #announce(worker: WorkerHandle): void {
    if (this.#announced.has(worker)) return;
    this.#announced.add(worker);
    this.#emitSoon('workerCreate', this.#views.of(worker));
  }

  #onWorkerReady(worker: WorkerHandle): void {
    this.#announce(worker);
    this.#balancer?.reconsider();
  }

  #onWorkerLeft(worker: WorkerHandle): void {
    // One that ended before it was ready was there all the same.
    this.#announce(worker);
    this.#emitSoon('workerDestroy', this.#views.of(worker));
    this.#balancer?.reconsider();
    if (worker.state !== 'leaving') return;
    this.#told.add(worker.threadId);
    worker.body.worker!.once('exit', () =>
      queueMicrotask(() => this.#told.delete(worker.threadId)),
    );
  }

  // Ending

  close(force: boolean): Promise<void> {
    this.methods.end(force ? Errors.poolClosed : Errors.terminated);
    this.#watcher?.close();
    if (force) {
      this.#queue.release?.();
      this.#dispatcher.rejectWaiting(Errors.poolClosed);
    }
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const dispatcher = this.#dispatcher;
    const closed = dispatcher.close();
    try {
      if (!(await this.load.flushed(this.options.closeTimeout)))
        this.#emitter.emit('error', Errors.closeTimeout());
    } finally {
      await this.destroy();
      await closed;
      this.#emitter.emit('close');
    }
  }

  destroy(): Promise<void> {
    this.methods.end(Errors.threadTermination);
    this.#watcher?.close();
    this.#queue.release?.();
    return this.#dispatcher.destroy();
  }

  // Numbers

  get threads(): Worker[] {
    const threads: Worker[] = [];
    const { all } = this.#dispatcher.crew;
    for (let i = 0; i < all.length; i++) {
      const { state, body } = all[i]!;
      if (state === 'booting' || state === 'ready') append(threads, body.worker!);
    }
    return threads;
  }

  get idleThreads(): number {
    let count = 0;
    const { takers } = this.#dispatcher.crew;
    for (let i = 0; i < takers.length; i++) {
      const worker = takers[i]!;
      if (worker.inFlight === 0 && (worker.wasReady || this.#initial.has(worker))) count++;
    }
    return count;
  }

  get queueSize(): number {
    return this.#dispatcher.waiting;
  }

  get duration(): number {
    return now() - this.startedAt;
  }

  /** Time that tasks ran, of the time that the threads had. */
  get utilization(): number {
    const run = this.times?.run;
    if (run === undefined || run.count === 0) return 0;
    return (run.meanMs * run.count) / (this.duration * this.options.maxThreads);
  }
}

/** Without a queue of the user's, tasks wait in the pool's own, which knows priorities. */
function queueOf(taskQueue: TaskQueue): WaitQueue & { release?(): void } {
  return taskQueue instanceof OwnOrder ? taskQueue.schedule : new ForeignQueue(taskQueue);
}

function fileOfCall(filename: string): string {
  const url = urlOf(filename);
  refuseRecursion(url);
  return url;
}

function joined<T>(some: readonly T[], others: readonly T[]): T[] {
  const all: T[] = bareList();
  for (let i = 0; i < some.length; i++) all[i] = some[i]!;
  for (let i = 0; i < others.length; i++) all[some.length + i] = others[i]!;
  return all;
}
