// Workers that are replaced while the pool goes on: after so many tasks, at an age, or with a large
// heap (*recycling*); all of them (*restart*); those that are too many (*resize*).
//
// Guarantees: no task is lost. A worker that is to go is given no more, what it has not begun goes
// back into the queue, and it ends when the tasks that it runs have. Its successor starts
// meanwhile, so that for a moment one thread more than `maxThreads` may run tasks.

import { append, AtomicsLoad, bareList, now, SafePromise } from '../base/intrinsics.js';
import { thisLoop } from '../wait/loop.js';
import { kHeapMb } from '../wire/channel.js';
import type { Crew } from './crew.js';
import type { Task } from './task.js';
import type { WorkerHandle } from './worker-handle.js';

/** When workers are replaced; Infinity where they are not. */
export interface RecycleLimits {
  readonly tasks: number;
  readonly ageMs: number;
  /** Used memory of the heap, in MiB. */
  readonly heapMb: number;
}

/** Workers stay. */
export const kNoRecycling: RecycleLimits = { tasks: Infinity, ageMs: Infinity, heapMb: Infinity };

/** What the dispatcher does for it. */
interface RenewalHost {
  isOpen(): boolean;
  /** Accepts as many tasks as so many threads have room for. */
  resize(maxThreads: number): void;
  requeue(tasks: readonly Task[]): void;
  /** Starts the threads that are missing. */
  ensure(): void;
  /** Resolves once the least number of threads can serve; rejects with what keeps them from it. */
  ready(): Promise<void>;
}

export class Renewal {
  readonly #limits: RecycleLimits;
  readonly #recycles: boolean;
  readonly #crew: Crew;
  readonly #host: RenewalHost;
  #waiters: (() => void)[] = bareList();

  constructor(limits: RecycleLimits, crew: Crew, host: RenewalHost) {
    this.#limits = limits;
    const { tasks, ageMs, heapMb } = limits;
    this.#recycles = tasks < Infinity || ageMs < Infinity || heapMb < Infinity;
    this.#crew = crew;
    this.#host = host;
  }

  /** A task of the worker has ended. */
  look(worker: WorkerHandle): void {
    if (!this.#recycles) return;
    if (worker.state === 'ready' && this.#isDue(worker)) this.#replace(worker);
  }

  #isDue(worker: WorkerHandle): boolean {
    const { tasks, ageMs, heapMb } = this.#limits;
    if (worker.completed + worker.failed >= tasks) return true;
    if (ageMs < Infinity && now() - worker.bornAt >= ageMs) return true;
    return heapMb < Infinity && heapOf(worker) >= heapMb;
  }

  #replace(worker: WorkerHandle): void {
    const back = worker.revokeAll();
    worker.drain();
    this.#host.requeue(back);
    this.#host.ensure();
  }

  /**
   * Replaces all threads that there are, one after the other. Rejects with what keeps threads from
   * starting.
   */
  async restart(): Promise<void> {
    // Nothing else may hold the loop meanwhile.
    thisLoop.hold();
    try {
      await this.#replaceAll();
    } finally {
      thisLoop.release();
    }
  }

  async #replaceAll(): Promise<void> {
    const old: WorkerHandle[] = bareList();
    for (let i = 0; i < this.#crew.all.length; i++) append(old, this.#crew.all[i]!);
    for (let i = 0; i < old.length; i++) {
      const worker = old[i]!;
      // What boots may have read the old files.
      if (worker.state === 'booting') {
        worker.terminate();
        this.#host.ensure();
      } else if (worker.state === 'ready') {
        this.#replace(worker);
      }
      while (this.#crew.isStarting)
        await new SafePromise<void>((resolve) => append(this.#waiters, resolve));
    }
    if (this.#crew.size.minThreads > 0 || !this.#host.isOpen()) await this.#host.ready();
  }

  /** A thread is ready, could not serve, or has ended. */
  onChange(): void {
    const waiters = this.#waiters;
    this.#waiters = bareList();
    for (let i = 0; i < waiters.length; i++) waiters[i]!();
  }

  /** From now on there are so many threads. */
  resize(minThreads: number, maxThreads: number): void {
    const { size } = this.#crew;
    size.minThreads = minThreads;
    size.maxThreads = maxThreads;
    this.#host.resize(maxThreads);
    this.#shrink();
    this.#host.ensure();
  }

  /** Ends threads that are too many, those that do the least first. */
  #shrink(): void {
    const { all, size } = this.#crew;
    for (;;) {
      let count = 0;
      let least: WorkerHandle | null = null;
      for (let i = 0; i < all.length; i++) {
        const worker = all[i]!;
        if (worker.state !== 'booting' && worker.state !== 'ready') continue;
        count++;
        if (least === null || isLesser(worker, least)) least = worker;
      }
      if (least === null || count <= size.maxThreads) return;
      if (least.state === 'booting') least.terminate();
      else this.#replace(least);
    }
  }
}

function isLesser(worker: WorkerHandle, than: WorkerHandle): boolean {
  if (worker.state !== than.state) return worker.state === 'booting';
  if (worker.inFlight !== than.inFlight) return worker.inFlight < than.inFlight;
  return worker.idleSince < than.idleSince;
}

/** What its heap used lately, in MiB. */
function heapOf({ body }: WorkerHandle): number {
  return AtomicsLoad(body.channel.cells, kHeapMb);
}
