// Ends threads that a pool has more of than its minimum, once they have idled for long enough.
//
// Guarantees: such a thread is asked to end by itself, so that what a task left running on it is
// finished first, for a while; the coldest goes first; no more than `maxThreads`
// linger so.

import { clearTimeout, MathMax, now, setTimeout } from '../base/intrinsics.js';
import type { WorkerHandle } from './worker-handle.js';

/** How many threads a pool has. */
export interface CrewSize {
  minThreads: number;
  maxThreads: number;
}

export class IdleWatch {
  readonly #size: CrewSize;
  readonly #idleTimeoutMs: number;
  readonly #takers: readonly WorkerHandle[];
  readonly #all: readonly WorkerHandle[];
  #timer: NodeJS.Timeout | undefined;

  /** The threads that take tasks, and all of them; looked at whenever it is their time. */
  constructor(
    size: CrewSize,
    idleTimeoutMs: number,
    takers: readonly WorkerHandle[],
    all: readonly WorkerHandle[],
  ) {
    this.#size = size;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#takers = takers;
    this.#all = all;
  }

  /** Makes sure that idle threads above the minimum are looked at when their time is over. */
  watch(): void {
    const idleTimeoutMs = this.#idleTimeoutMs;
    const { minThreads } = this.#size;
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
    const idleTimeoutMs = this.#idleTimeoutMs;
    const { minThreads } = this.#size;
    const latest = now() - idleTimeoutMs;
    while (this.#takers.length > minThreads) {
      const worker = this.#coldest();
      if (worker === null || worker.idleSince > latest) break;
      // With that it is no taker any more.
      worker.drain();
    }
    this.#endLingering();
  }

  /** A pool whose threads hold something open would gather them faster than they end. */
  #endLingering(): void {
    let tooMany = -this.#size.maxThreads;
    for (let i = 0; i < this.#all.length; i++) if (lingers(this.#all[i]!)) tooMany++;
    // Those that were made first come first.
    for (let i = 0; i < this.#all.length && tooMany > 0; i++) {
      const worker = this.#all[i]!;
      if (!lingers(worker)) continue;
      worker.terminate();
      tooMany--;
    }
  }
}

/** It has nothing to do and has not ended. */
function lingers({ state, inFlight }: WorkerHandle): boolean {
  return state === 'leaving' && inFlight === 0;
}
