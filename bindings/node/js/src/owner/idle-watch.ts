// Ends threads that a pool has more of than its minimum, once they have idled for long enough.
//
// Guarantees: such a thread is asked to end by itself, so that what a task left running on it is
// finished first, for kRetireLimitMs at most; the coldest goes first; no more than `maxThreads`
// linger so.

import { clearTimeout, MathMax, now, setTimeout } from '../base/intrinsics.js';
import type { WorkerHandle } from './worker-handle.js';

/** How long a retiring thread may go on with what was left on it before it is terminated. */
const kRetireLimitMs = 30_000;

interface IdleLimits {
  readonly minThreads: number;
  readonly maxThreads: number;
  readonly idleTimeoutMs: number;
}

export class IdleWatch {
  readonly #limits: IdleLimits;
  readonly #takers: readonly WorkerHandle[];
  readonly #all: readonly WorkerHandle[];
  #timer: NodeJS.Timeout | undefined;

  /** The threads that take tasks, and all of them; looked at whenever it is their time. */
  constructor(limits: IdleLimits, takers: readonly WorkerHandle[], all: readonly WorkerHandle[]) {
    this.#limits = limits;
    this.#takers = takers;
    this.#all = all;
  }

  /** Makes sure that idle threads above the minimum are looked at when their time is over. */
  watch(): void {
    const { idleTimeoutMs, minThreads } = this.#limits;
    if (this.#timer !== undefined || idleTimeoutMs === Infinity) return;
    if (this.#takers.length <= minThreads) return;
    const coldest = this.#coldest();
    if (coldest === null) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#retire();
        this.watch();
      },
      MathMax(1, coldest.idleSince + idleTimeoutMs - now()),
    );
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #coldest(): WorkerHandle | null {
    let coldest: WorkerHandle | null = null;
    for (let i = 0; i < this.#takers.length; i++) {
      const worker = this.#takers[i]!;
      if (worker.inFlight > 0 || worker.state !== 'ready') continue;
      if (coldest === null || worker.idleSince < coldest.idleSince) coldest = worker;
    }
    return coldest;
  }

  #retire(): void {
    const { idleTimeoutMs, minThreads } = this.#limits;
    const latest = now() - idleTimeoutMs;
    while (this.#takers.length > minThreads) {
      const worker = this.#coldest();
      if (worker === null || worker.idleSince > latest) break;
      // With that it is no taker any more.
      worker.askTo('retire');
      setTimeout(() => {
        if (worker.state !== 'exited') worker.terminate();
      }, kRetireLimitMs).unref();
    }
    this.#endLingering();
  }

  /** A pool whose threads hold something open would gather them faster than they end. */
  #endLingering(): void {
    let tooMany = -this.#limits.maxThreads;
    for (let i = 0; i < this.#all.length; i++) if (this.#all[i]!.state === 'leaving') tooMany++;
    // Those that were made first come first.
    for (let i = 0; i < this.#all.length && tooMany > 0; i++) {
      const worker = this.#all[i]!;
      if (worker.state !== 'leaving') continue;
      worker.terminate();
      tooMany--;
    }
  }
}
