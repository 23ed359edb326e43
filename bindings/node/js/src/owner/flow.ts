// How tasks get from the queue to workers, and back into it.
//
// Everything that was queued in a tick is dealt out in one microtask (dealer.ts), with one wake a
// worker. A flush also takes back what a worker will not get to as soon as others would, and makes
// sure that threads start for what still waits.
//
// Guarantee: whatever comes back is in the queue again, in its order, before anything else is
// dealt.

import { bareList, MathMax, soon } from '../base/intrinsics.js';
import { thisLoop } from '../wait/loop.js';
import type { Crew } from './crew.js';
import type { Dealer } from './dealer.js';
import type { Demand } from './demand.js';
import { SecondLook } from './second-look.js';
import type { Task, WaitQueue } from './task.js';

interface FlowOptions {
  readonly concurrency: number;
  /** Tasks are dealt when they are submitted, and what is posted ahead waits for the microtask. */
  readonly eager: boolean;
}

export class Flow {
  readonly #options: FlowOptions;
  readonly #queue: WaitQueue;
  readonly #crew: Crew;
  readonly #dealer: Dealer;
  readonly #demand: Demand;
  /** Tasks that a worker could not begin, on their way back into the queue. */
  #refused: Task[] = bareList();
  #dealing = false;
  #scheduled = false;
  #ended = false;
  readonly #flushSoon = (): void => {
    this.#scheduled = false;
    this.flushNow();
  };
  /**
   * A worker tells of what it has ended before a task that it takes to be short only after that.
   */
  readonly #secondLook = new SecondLook(() => {
    const { all } = this.#crew;
    const inFlight = this.#inFlight;
    for (let i = 0; i < all.length; i++) all[i]!.catchUp();
    const waiting = this.#queue.length;
    const hasSettled = this.#inFlight !== inFlight;
    this.goOn();
    return hasSettled || this.#queue.length !== waiting;
  });

  constructor(options: FlowOptions, queue: WaitQueue, crew: Crew, dealer: Dealer, demand: Demand) {
    this.#options = options;
    this.#queue = queue;
    this.#crew = crew;
    this.#dealer = dealer;
    this.#demand = demand;
  }

  /** Accepted tasks that cannot have begun: queued, or given to workers beyond their places. */
  get waiting(): number {
    return this.#queue.length + MathMax(0, -this.#dealer.openPlaces);
  }

  /** Tasks that the threads hold. */
  get #inFlight(): number {
    const { all } = this.#crew;
    let count = 0;
    for (let i = 0; i < all.length; i++) count += all[i]!.inFlight;
    return count;
  }

  /** Deals in a microtask, once for all that happens until then. */
  schedule(): void {
    this.#secondLook.hasten();
    if (this.#scheduled) return;
    // First: at the end of the stack it throws.
    soon(this.#flushSoon);
    this.#scheduled = true;
  }

  /** Deals what is queued, and takes back what is to be dealt again. */
  flushNow(): void {
    this.takeIn();
    this.dealNow(true);
    const back = this.#dealer.takeBack();
    if (back.length > 0) {
      this.requeue(back);
      this.#deal(true);
    }
    if (this.#dealer.isAhead) {
      if (this.#dealer.hasSuspect) this.#secondLook.hasten();
      this.#secondLook.arm();
    }
    this.#crew.idle.watch();
    thisLoop.expect();
  }

  /**
   * Results came. Tasks that wait already go out before the callers of those that settled go on.
   */
  goOn(): void {
    // What these then submit, and what to take back, is looked at in the microtask after them.
    if (this.#queue.length > 0) this.#deal(!this.#options.eager || !this.#scheduled);
    this.schedule();
  }

  /** `ahead`: also to workers that cannot start them yet. */
  dealNow(ahead: boolean): void {
    if (this.#queue.length > 0) this.#deal(ahead);
    if (this.#queue.length === 0 || this.#ended) return;
    const takers = this.#crew.takers.length;
    this.#demand.ensure();
    if (this.#crew.takers.length > takers && this.#queue.length > 0) this.#deal(ahead);
  }

  #deal(ahead: boolean): void {
    // A balancer or a queue of the user's may submit.
    if (this.#dealing) return;
    this.#dealing = true;
    try {
      this.#dealer.deal();
      if (this.#queue.length > 0 && this.#dealer.prefetches) {
        // What is posted ahead waits for no thread, yet may end up behind a long task, with no
        // worker idle that would take it over. So that there is one soon, the crew grows, by one at
        // a time.
        if (ahead && this.#crew.all.length < this.#crew.size.maxThreads) this.#demand.ensure(1);
        // As many as can start are posted, though some go behind others.
        this.#dealer.prefetch(ahead ? Infinity : this.#dealer.openPlaces);
      }
      this.#dealer.post();
    } finally {
      this.#dealing = false;
    }
  }

  /** Puts tasks that were posted, and not begun, back in front. */
  requeue(back: readonly Task[]): void {
    const tasks: Task[] = bareList();
    for (let i = 0; i < back.length; i++) {
      const task = back[i]!;
      if (task.settled) continue;
      task.holder = null;
      tasks[tasks.length] = task;
    }
    if (tasks.length === 0) return;
    this.#queue.unshift(tasks);
    this.schedule();
  }

  /** A worker refused a task that another can begin. It goes back with the others, in order. */
  takeBack(task: Task): void {
    this.#refused[this.#refused.length] = task;
  }

  /** Puts back what workers refused. */
  takeIn(): void {
    if (this.#refused.length === 0) return;
    const back = this.#refused;
    this.#refused = bareList();
    this.requeue(back);
  }

  /** Takes back what has no place in a worker. */
  recall(concurrency: number): void {
    this.takeIn();
    const { takers } = this.#crew;
    for (let i = 0; i < takers.length; i++) {
      const worker = takers[i]!;
      // What it could begin at once keeps its place, though it may not have come to it yet.
      const begun = worker.inFlight - worker.slots.unclaimed;
      this.requeue(worker.revokeAll(MathMax(0, concurrency - begun)));
    }
  }

  /** No threads start from now on. */
  end(): void {
    this.#ended = true;
  }
}
