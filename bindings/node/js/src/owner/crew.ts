// The worker threads of a pool: how many there are, how they start, fail to start, and end.
//
// Guarantees: never more than `maxThreads` that take tasks; at least `minThreads` while the pool is
// open and threads can start at all. A thread that cannot serve does not stay: one whose file or
// `setup` failed is terminated, and counts as a failed start like one that ended. Failed starts are
// repeated, not for ever, as starts.ts says; `despair` says when the tasks that wait have no thread
// to wait for. Idle threads above the minimum end (idle-watch.ts).
//
// What its threads report of their lives comes here first, and the dispatcher hears what it means
// for tasks. What they report of tasks goes straight to the dispatcher.

import { CenoteError, type CenoteErrorCode, type WorkerEnd } from '../errors.js';
import {
  bareList,
  clearTimeout,
  MathCeil,
  MathMax,
  MathMin,
  now,
  PromiseResolve,
  removeFrom,
  SafePromise,
  SafeSet,
  setTimeout,
} from '../base/intrinsics.js';
import { kRefused, type WireError } from '../wire/messages.js';
import { IdleWatch, type CrewSize } from './idle-watch.js';
import { kProvenMs, Starts, type FailedStart } from './starts.js';
import type { Held } from './slots.js';
import { WorkerHandle } from './worker-handle.js';
import type { WorkerEvents, WorkerSpec } from './worker-events.js';

export interface CrewLimits {
  readonly minThreads: number;
  readonly maxThreads: number;
  readonly concurrency: number;
  readonly idleTimeoutMs: number;
  /** How long a thread may take to be ready. */
  readonly bootTimeoutMs: number;
  /** Threads take tasks from the moment they are made, not only once they are ready. */
  readonly eager: boolean;
}

/** What threads report of tasks. */
export type TaskEvents = Omit<WorkerEvents, 'onReady' | 'onLeaving' | 'onExit'>;

/** What the crew reports of threads. None of these may throw. */
export interface CrewEvents {
  /** A thread is ready to serve. */
  onReady(worker: WorkerHandle): void;
  /**
   * A thread is ready and cannot serve. It was terminated, and still has the tasks that it was
   * given.
   */
  onUnfit(worker: WorkerHandle): void;
  /** A thread takes no more tasks: it was told to end, or has ended. Once for each thread. */
  onLeft(worker: WorkerHandle): void;
  /** A thread has ended. `expected`: it was told to, and could serve. */
  onLost(worker: WorkerHandle, end: WorkerEnd, held: Held, expected: boolean): void;
  /** A start was put off, and its time has come. */
  onStartDue(): void;
}

export class Crew {
  /** Threads that take tasks; where the crew is eager, also those that still boot. */
  readonly takers: WorkerHandle[] = bareList();
  /** All threads that have not ended, in the order in which they were made. */
  readonly all: WorkerHandle[] = bareList();
  /** Ends those that idle for too long. */
  readonly idle: IdleWatch;
  /** How many threads there are to be. */
  readonly size: CrewSize;
  readonly #limits: CrewLimits;
  readonly #spec: WorkerSpec;
  readonly #events: CrewEvents;
  readonly #workerEvents: WorkerEvents;
  readonly #starts = new Starts();
  /** Threads that were terminated because they cannot serve. */
  readonly #unfit = new SafeSet<WorkerHandle>();
  #retryTimer: NodeJS.Timeout | undefined;
  #whenEmpty: (() => void)[] = bareList();

  constructor(limits: CrewLimits, spec: WorkerSpec, events: CrewEvents, tasks: TaskEvents) {
    this.#limits = limits;
    const { minThreads, maxThreads, idleTimeoutMs } = limits;
    this.size = { minThreads, maxThreads };
    this.idle = new IdleWatch(this.size, idleTimeoutMs, this.takers, this.all);
    this.#spec = spec;
    this.#events = events;
    this.#workerEvents = {
      onReady: (worker) => this.#onReady(worker),
      onLeaving: (worker) => this.#onLeaving(worker),
      onExit: (worker, exitCode, expected) => this.#onExit(worker, exitCode, expected),
      onMessage: (worker, message) => tasks.onMessage(worker, message),
      onResult: (task, code, value, threadId) => tasks.onResult(task, code, value, threadId),
      onPortDrained: () => tasks.onPortDrained(),
      onBackgroundError: (worker, error) => tasks.onBackgroundError(worker, error),
      onClosed: (worker) => tasks.onClosed(worker),
      onUnpostable: (task, error) => tasks.onUnpostable(task, error),
      onNoRoom: (back) => tasks.onNoRoom(back),
    };
  }

  #count(state: WorkerHandle['state']): number {
    let count = 0;
    for (let i = 0; i < this.all.length; i++) if (this.all[i]!.state === state) count++;
    return count;
  }

  /** Threads that are ready to serve. */
  get serving(): number {
    return this.#count('ready');
  }

  /** Whether a thread boots, or one is to start soon. */
  get isStarting(): boolean {
    return this.#count('booting') > 0 || this.#retryTimer !== undefined;
  }

  /** The last of the failed starts, if they were too many and none is under way. */
  get despair(): FailedStart | null {
    return this.#starts.areHopeless && this.#count('booting') === 0 ? this.#starts.last : null;
  }

  /**
   * Starts threads up to the minimum, and further for tasks that wait for a place. Afterwards, if
   * no thread serves and {@link despair} says why, none will come for the tasks that wait.
   */
  ensure(waiting: number): void {
    const { concurrency } = this.#limits;
    const { minThreads, maxThreads } = this.size;
    const serving = this.serving;
    let booting = this.#count('booting');
    const wanted = this.takers.length + MathCeil(waiting / concurrency);
    const target = MathMin(maxThreads, MathMax(minThreads, wanted, serving + booting));
    if (serving + booting >= target) return;
    if (this.#starts.hasFailed) this.#lookForProof();
    for (; serving + booting < target; booting++) {
      const verdict = this.#starts.judge(waiting, serving, booting);
      if (verdict === 'later') this.#retryLater();
      if (verdict !== 'now') return;
      this.#start();
    }
  }

  #lookForProof(): void {
    for (let i = 0; i < this.takers.length; i++) {
      const worker = this.takers[i]!;
      if (worker.wasReady && (hasWorked(worker) || isOld(worker)))
        this.#starts.proven(worker.bornAt);
    }
  }

  #retryLater(): void {
    this.#retryTimer ??= setTimeout(
      () => {
        this.#retryTimer = undefined;
        this.#events.onStartDue();
      },
      MathMax(1, this.#starts.pauseMs),
    ).unref();
  }

  #start(): void {
    const { bootTimeoutMs, eager } = this.#limits;
    const bornAt = now();
    let worker: WorkerHandle;
    try {
      worker = new WorkerHandle(this.#spec, this.#workerEvents);
    } catch (error) {
      this.#starts.failed({ end: { threadId: -1, exitCode: 1, error }, loadFailure: null }, bornAt);
      throw error;
    }
    this.all[this.all.length] = worker;
    if (eager) this.takers[this.takers.length] = worker;
    if (bootTimeoutMs === Infinity) return;
    worker.bootTimer = setTimeout(() => worker.giveUp(bootTimedOut(bootTimeoutMs)), bootTimeoutMs);
    worker.bootTimer.unref();
  }

  #onReady(worker: WorkerHandle): void {
    clearTimeout(worker.bootTimer);
    if (isUnfit(worker)) {
      if (worker.state !== 'ready') return;
      const { threadId, bornAt, loadFailure } = worker;
      const end = { threadId, exitCode: 1, error: undefined };
      this.#starts.failed({ end, loadFailure }, bornAt);
      this.#unfit.add(worker);
      worker.terminate();
      this.#events.onUnfit(worker);
      return;
    }
    if (worker.state === 'ready') {
      this.#starts.succeeded();
      if (!this.#limits.eager) this.takers[this.takers.length] = worker;
    }
    this.idle.watch();
    this.#events.onReady(worker);
  }

  #onLeaving(worker: WorkerHandle): void {
    removeFrom(this.takers, worker);
    this.#events.onLeft(worker);
  }

  #onExit(worker: WorkerHandle, exitCode: number, expected: boolean): void {
    clearTimeout(worker.bootTimer);
    const { error, threadId } = worker;
    const end = { threadId, exitCode, error };
    const held = worker.abandon();
    removeFrom(this.takers, worker);
    removeFrom(this.all, worker);
    if (!expected) this.#events.onLeft(worker);
    // One that could not serve was counted when it said so.
    const unfit = this.#unfit.delete(worker);
    if (!unfit) this.#judgeEnd(worker, end, held, expected);
    this.#events.onLost(worker, end, held, expected && !unfit);
    if (this.all.length > 0) return;
    const waiting = this.#whenEmpty;
    this.#whenEmpty = bareList();
    for (let i = 0; i < waiting.length; i++) waiting[i]!();
  }

  /**
   * It is a failed start if the thread was not told to end, and had neither begun nor settled a
   * task, nor been ready with tasks before it, and was not ready and idle for a while: of each
   * start that counts as none fewer tasks are left, or they have one try less, so that they all
   * settle.
   */
  #judgeEnd(worker: WorkerHandle, end: WorkerEnd, held: Held, expected: boolean): void {
    const worked = held.started.length > 0 || hasWorked(worker);
    // Somebody who ends a thread before it comes to its tasks has not made it fail to start.
    const idled = worker.wasReady && (held.unclaimed.length > 0 || isOld(worker));
    if (worked || idled) this.#starts.beginAnew();
    else if (!expected) this.#starts.failed({ end, loadFailure: null }, worker.bornAt);
  }

  /** Resolves once no thread is left. */
  empty(): Promise<void> {
    if (this.all.length === 0) return PromiseResolve() as Promise<void>;
    return new SafePromise((resolve) => (this.#whenEmpty[this.#whenEmpty.length] = resolve));
  }

  /** Lets idle threads be, and puts off no more starts. */
  stopWatching(): void {
    this.idle.stop();
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
  }
}

/**
 * Whether a thread could not load the pool's file. That the file has no such export is another
 * matter: it is loaded, and has others.
 */
export function isUnfit({ loadFailure }: WorkerHandle): boolean {
  if (loadFailure === null) return false;
  const notFound: CenoteErrorCode = 'ERR_CENOTE_HANDLER_NOT_FOUND';
  return loadFailure[0] !== kRefused || (loadFailure[1] as WireError).code !== notFound;
}

function hasWorked(worker: WorkerHandle): boolean {
  return worker.completed + worker.failed > 0;
}

function isOld(worker: WorkerHandle): boolean {
  return now() - worker.bornAt > kProvenMs;
}

function bootTimedOut(limitMs: number): CenoteError {
  return new CenoteError(
    'ERR_CENOTE_BOOT_TIMEOUT',
    `The worker was not ready within ${limitMs} ms (bootTimeout) and was terminated: ` +
      'loading its file and its setup() takes longer, or never ends.',
  );
}
