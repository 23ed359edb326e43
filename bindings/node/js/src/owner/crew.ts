// The worker threads of a pool: how many there are, how they start, fail to start, and end.
//
// Guarantees: never more than `maxThreads` that take tasks; at least `minThreads` while the pool is
// open and threads can start at all; those that cannot are not tried for ever (after kStartAttempts
// in a row the waiting tasks are told, and only the next task starts anew); an idle thread above the
// minimum is asked to end by itself, so that what a task left running on it is finished first; no more than
// `maxThreads` linger so.

import { CenoteError } from '../errors.js';
import { WorkerHandle, type WorkerEvents, type WorkerSpec } from './worker-handle.js';

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

/** How a thread ended. */
export interface Ended {
  /** It was told to. */
  readonly expected: boolean;
  /** Tasks that it had begun and not settled. */
  readonly begun: number;
  /** Tasks that it had been given and not begun. */
  readonly waiting: number;
}

/** Starts in a row that may fail before the waiting tasks are rejected. */
const kStartAttempts = 3;
/** A thread that was ready and idle for so long has started, whatever ended it. */
const kProvenMs = 1_000;
/** While other threads serve, how long to wait after that many failures before the next try. */
const kCoolDownMs = 1_000;
/** How long a retiring thread may go on with what was left on it before it is terminated. */
const kRetireLimitMs = 30_000;

export class Crew {
  /** Threads that take tasks; where the crew is eager, also those that still boot. */
  readonly ready: WorkerHandle[] = [];
  /** All threads that have not ended. */
  readonly all = new Set<WorkerHandle>();
  readonly #limits: CrewLimits;
  readonly #spec: WorkerSpec;
  readonly #events: WorkerEvents;
  #failedStarts = 0;
  /** Starts failed as often as they may: threads are only started for tasks. */
  #gaveUp = false;
  #notBefore = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  readonly #whenEmpty: (() => void)[] = [];

  constructor(limits: CrewLimits, spec: WorkerSpec, events: WorkerEvents) {
    this.#limits = limits;
    this.#spec = spec;
    this.#events = events;
  }

  /** Threads that take tasks or soon will. */
  get #serving(): number {
    let count = 0;
    for (const worker of this.all)
      if (worker.state === 'booting' || worker.state === 'ready') count++;
    return count;
  }

  /** Whether a thread has started, and takes tasks. */
  get #proven(): boolean {
    return this.ready.some((worker) => worker.wasReady);
  }

  /** Starts threads up to the minimum, and further for tasks that wait for a place. */
  ensure(waiting: number): void {
    if (this.#gaveUp && waiting === 0) return;
    // Only while others serve: nothing but this would start a thread for tasks that have none.
    if (this.#notBefore > 0 && this.#proven && performance.now() < this.#notBefore) return;
    const serving = this.#serving;
    const { minThreads, maxThreads, concurrency } = this.#limits;
    const wanted = this.ready.length + Math.ceil(waiting / concurrency);
    const target = Math.min(maxThreads, Math.max(minThreads, wanted, serving));
    for (let i = serving; i < target; i++) this.#start();
  }

  #start(): void {
    const { bootTimeoutMs, eager } = this.#limits;
    const worker = new WorkerHandle(this.#spec, this.#events);
    this.all.add(worker);
    if (eager) this.ready.push(worker);
    if (bootTimeoutMs === Infinity) return;
    worker.bootTimer = setTimeout(() => worker.giveUp(bootTimedOut(bootTimeoutMs)), bootTimeoutMs);
    worker.bootTimer.unref();
  }

  /** A thread reported ready. */
  enlist(worker: WorkerHandle): void {
    clearTimeout(worker.bootTimer);
    if (worker.state === 'ready' && !this.#limits.eager) this.ready.push(worker);
    this.watchIdle();
  }

  /** Stops giving tasks to a thread. */
  dismiss(worker: WorkerHandle): void {
    const index = this.ready.indexOf(worker);
    if (index >= 0) this.ready.splice(index, 1);
  }

  /**
   * A thread ended. It is a failed start if it was not told to end, and had neither begun nor settled
   * a task, nor been ready with tasks before it, and was not ready and idle for a while: of each start
   * that counts as none fewer tasks are left, or they have one try less, so that they all settle.
   * `true` says that starts failed kStartAttempts times in a row and that no thread is there to serve.
   */
  remove(worker: WorkerHandle, { expected, begun, waiting }: Ended): boolean {
    clearTimeout(worker.bootTimer);
    this.dismiss(worker);
    this.all.delete(worker);
    if (this.all.size === 0) for (const done of this.#whenEmpty.splice(0)) done();
    const worked = begun > 0 || worker.completed + worker.failed > 0;
    // Somebody who ends a thread before it comes to its tasks has not made it fail to start.
    const idled = worker.wasReady && (waiting > 0 || performance.now() - worker.bornAt > kProvenMs);
    if (expected || worked || idled) {
      this.#failedStarts = 0;
      this.#gaveUp = false;
      return false;
    }
    this.#failedStarts++;
    if (this.#failedStarts < kStartAttempts) return false;
    if (this.#proven) {
      this.#notBefore = performance.now() + kCoolDownMs;
      return false;
    }
    this.#failedStarts = 0;
    this.#gaveUp = true;
    return true;
  }

  /** Resolves once no thread is left. */
  empty(): Promise<void> {
    if (this.all.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  /** Makes sure that idle threads above the minimum are looked at when their time is over. */
  watchIdle(): void {
    const { idleTimeoutMs, minThreads } = this.#limits;
    if (
      this.#idleTimer !== undefined ||
      idleTimeoutMs === Infinity ||
      this.ready.length <= minThreads
    )
      return;
    let since = Infinity;
    for (const worker of this.ready) if (isIdle(worker)) since = Math.min(since, worker.idleSince);
    if (since === Infinity) return;
    this.#idleTimer = setTimeout(
      () => {
        this.#idleTimer = undefined;
        this.#retireIdle();
        this.watchIdle();
      },
      Math.max(1, since + idleTimeoutMs - performance.now()),
    );
    this.#idleTimer.unref();
  }

  #retireIdle(): void {
    const { idleTimeoutMs, minThreads, maxThreads } = this.#limits;
    const latest = performance.now() - idleTimeoutMs;
    const idle = this.ready.filter((worker) => isIdle(worker) && worker.idleSince <= latest);
    // The coldest go first.
    idle.sort((a, b) => a.idleSince - b.idleSince);
    for (const worker of idle.slice(0, Math.max(0, this.ready.length - minThreads))) {
      worker.askToRetire();
      setTimeout(() => {
        if (this.all.has(worker)) worker.terminate();
      }, kRetireLimitMs).unref();
    }
    // A set keeps its order, so the first of these were asked first. Were they not counted, a pool
    // whose threads hold something open would gather them faster than they end.
    const leaving = [...this.all].filter((worker) => worker.state === 'leaving');
    for (const worker of leaving.slice(0, Math.max(0, leaving.length - maxThreads)))
      worker.terminate();
  }

  stopWatching(): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
  }
}

function isIdle(worker: WorkerHandle): boolean {
  return worker.inFlight === 0 && worker.state === 'ready';
}

function bootTimedOut(limitMs: number): CenoteError {
  return new CenoteError(
    'ERR_CENOTE_BOOT_TIMEOUT',
    `The worker thread was not ready after ${limitMs} ms (bootTimeout): its file may never finish loading`,
  );
}
