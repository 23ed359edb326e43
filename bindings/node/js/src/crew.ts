// The worker threads of a pool: how many there are, how they start, fail to start, and end.
//
// Guarantees: never more than `maxThreads` that take tasks; at least `minThreads` while the pool is
// open and threads can start at all; those that cannot are not tried for ever (after kStartAttempts
// in a row the waiting tasks are told, and only the next task starts anew); an idle thread above the
// minimum is asked to end by itself, so that what a task left running on it is finished first.

import { WorkerHandle, type WorkerEvents, type WorkerSpec } from './worker-handle.js';

export interface CrewLimits {
  readonly minThreads: number;
  readonly maxThreads: number;
  readonly concurrency: number;
  readonly idleTimeoutMs: number;
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
  /** Threads that take tasks. */
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

  get #booting(): number {
    let count = 0;
    for (const worker of this.all) if (worker.state === 'booting') count++;
    return count;
  }

  /** Starts threads up to the minimum, and further for tasks that wait for a place. */
  ensure(waiting: number): void {
    if (this.#gaveUp && waiting === 0) return;
    // Only while others serve: nothing but this would start a thread for tasks that have none.
    if (this.ready.length > 0 && performance.now() < this.#notBefore) return;
    const booting = this.#booting;
    const serving = this.ready.length + booting;
    const { minThreads, maxThreads, concurrency } = this.#limits;
    const wanted = this.ready.length + Math.ceil(waiting / concurrency);
    const target = Math.min(maxThreads, Math.max(minThreads, wanted, serving));
    for (let i = serving; i < target; i++) this.all.add(new WorkerHandle(this.#spec, this.#events));
  }

  /** A thread reported ready. */
  enlist(worker: WorkerHandle): void {
    if (worker.state === 'ready') this.ready.push(worker);
    this.watchIdle();
  }

  /** Stops giving tasks to a thread. */
  dismiss(worker: WorkerHandle): void {
    const index = this.ready.indexOf(worker);
    if (index >= 0) this.ready.splice(index, 1);
  }

  /**
   * A thread ended. It is a failed start if it was not told to end, and had neither begun nor settled
   * a task, and was not ready and idle for a while: each start that counts as none leaves fewer
   * tasks, so that they all settle. `true` says that starts failed kStartAttempts times in a row
   * and that no thread is there to serve.
   */
  remove(worker: WorkerHandle, { expected, begun, waiting }: Ended): boolean {
    this.dismiss(worker);
    this.all.delete(worker);
    if (this.all.size === 0) for (const done of this.#whenEmpty.splice(0)) done();
    const worked = begun > 0 || worker.completed + worker.failed > 0;
    const idled = worker.wasReady && waiting === 0 && performance.now() - worker.startedAt > kProvenMs;
    if (expected || worked || idled) {
      this.#failedStarts = 0;
      this.#gaveUp = false;
      return false;
    }
    this.#failedStarts++;
    if (this.#failedStarts < kStartAttempts) return false;
    if (this.ready.length > 0) {
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
    if (this.#idleTimer !== undefined || idleTimeoutMs === Infinity || this.ready.length <= minThreads) return;
    this.#idleTimer = setTimeout(
      () => {
        this.#idleTimer = undefined;
        this.#retireIdle();
        this.watchIdle();
      },
      Math.max(1, idleTimeoutMs),
    );
    this.#idleTimer.unref();
  }

  #retireIdle(): void {
    const { idleTimeoutMs, minThreads } = this.#limits;
    const latest = performance.now() - idleTimeoutMs;
    const idle = this.ready.filter((worker) => worker.inFlight === 0 && worker.idleSince <= latest);
    // The coldest go first.
    idle.sort((a, b) => a.idleSince - b.idleSince);
    for (const worker of idle.slice(0, Math.max(0, this.ready.length - minThreads))) {
      worker.askToRetire();
      setTimeout(() => {
        if (this.all.has(worker)) worker.terminate();
      }, kRetireLimitMs).unref();
    }
  }

  stopWatching(): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
  }
}
