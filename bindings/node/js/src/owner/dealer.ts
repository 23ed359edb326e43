// Which waiting task goes to which worker.
//
// 1. Idle workers first, one task each, the warmest first;
// 2. then workers that may run several at once, the emptiest first;
// 3. then *prefetch*: a worker is given more than it can start, if its tasks are measured to be
//    short (`prefetchWindow` of expected work, kDeep times that behind a deep queue; kPrefetchMax
//    tasks). Tasks with a signal, a limit on their run or a transfer list are put behind no other.
//
// Where as many threads of the pool run as there are CPUs, what takes less than to wake a thread
// goes behind the tasks of workers that run: another would only take turns on a CPU with them.
//
// With a balancer of the user's, that one decides alone, and nothing is prefetched.
//
// A prefetch that was a wrong guess is taken back: when a worker idles while another holds tasks
// it has not begun, or when a worker has begun nothing for a while, its unclaimed tasks are
// revoked, and the dispatcher deals them out again.

import { Affinity } from './affinity.js';
import type { Balancer, DealerOptions } from './dealer-options.js';
import type { Task, WaitQueue } from './task.js';
import type { WorkerHandle } from './worker-handle.js';
import { addAll, includes } from './lists.js';
import { bareList, MathCeil, MathFloor, MathMax, MathMin } from '../base/intrinsics.js';
import { kPrefetchMax } from '../wire/channel.js';

interface DealerEvents {
  /** A task that has limits was given to a worker. */
  onGiven(task: Task): void;
  /** No worker may have the task; it is out of the queue. */
  onFailed(task: Task, error: unknown): void;
}

/**
 * A queue that holds so many windows of work for each worker is deep, and the window grows to as
 * many.
 */
const kDeep = 5;
/** Work of so many ms is not worth a wake: that costs both threads, together, about as much. */
const kWorthMs = 0.1;
/** At most so many tasks go to one worker before the others are looked at. */
const kShareMax = 32;
/** Under a tenth of a microsecond a measured run time is the clock's grain. */
const kLeastAverageMs = 1e-4;

export class Dealer {
  readonly #options: DealerOptions;
  readonly #queue: WaitQueue;
  readonly #ready: readonly WorkerHandle[];
  readonly #events: DealerEvents;
  readonly #affinity = new Affinity();
  #useCount = 0;
  /** As {@link takeBack} last saw it: a worker may be in a long task, and a look soon will tell. */
  hasSuspect = false;
  /** A worker was passed over since the last {@link deal}, for what it has yet to read. */
  #lackedRoom = false;

  /** `ready` is looked at whenever tasks are dealt. */
  constructor(
    options: DealerOptions,
    queue: WaitQueue,
    ready: readonly WorkerHandle[],
    events: DealerEvents,
  ) {
    this.#options = options;
    this.#queue = queue;
    this.#ready = ready;
    this.#events = events;
  }

  /** Whether tasks may be given to workers that cannot start them yet. */
  get prefetches(): boolean {
    return this.#options.prefetchWindowMs > 0;
  }

  /** Gives tasks to workers that can start them; {@link post} sends them. */
  deal(): void {
    this.#lackedRoom = false;
    if (this.#ready.length === 0) return;
    if (this.#options.balancer !== null) {
      this.#dealBy(this.#options.balancer);
      return;
    }
    this.#dealToFree();
  }

  #dealToFree(): void {
    this.#dealToIdle();
    if (this.#options.concurrency > 1) this.#dealToOpen();
  }

  /** Posts what workers were given, with one wake for each. */
  post(): void {
    const ready = this.#ready;
    for (let i = 0; i < ready.length; i++) {
      const worker = ready[i]!;
      if (!worker.hasPending) continue;
      worker.post();
      // A getter of a payload may have ended another.
      if (ready[i] !== worker) i = -1;
    }
  }

  /** Gives a task to a worker, which is not asked whether it has room. */
  give(task: Task, worker: WorkerHandle): void {
    if (this.#isExclusive(task)) worker.exclusive = true;
    task.holder = worker;
    worker.lastUsed = ++this.#useCount;
    worker.add(task);
    if (task.limits !== null) this.#events.onGiven(task);
  }

  /** `false`: the queue gives none, whatever its length. */
  #giveFirst(worker: WorkerHandle): boolean {
    const task = this.#queue.shift();
    if (task === null) return false;
    this.give(task, worker);
    return true;
  }

  /** An abort may cost the worker, so such a task shares it with no other. */
  #isExclusive(task: Task): boolean {
    return task.abortable && this.#options.concurrency > 1;
  }

  #dealToIdle(): void {
    while (this.#queue.length > 0) {
      if (this.#queue.isOwn && this.#dealToHome()) continue;
      // It is posted ahead, to a worker that runs.
      if (this.#fitsBehind()) return;
      const worker = this.#options.eager ? this.#firstIdle() : this.#warmestIdle();
      if (worker === null || !this.#giveFirst(worker)) return;
    }
  }

  /** Gives the first task to the worker of its key, if it has one that has room. */
  #dealToHome(): boolean {
    const first = this.#queue.peek();
    if (first === null || first.terms === null || first.terms.key === null) return false;
    const home = this.#affinity.homeOf(first, first.terms.key, this.#ready);
    if (home === null || home.exclusive || !this.#hasRoom(home)) return false;
    if (home.inFlight > 0 && this.#isExclusive(first)) return false;
    return this.#giveFirst(home);
  }

  #warmestIdle(): WorkerHandle | null {
    let warmest: WorkerHandle | null = null;
    for (let i = 0; i < this.#ready.length; i++) {
      const worker = this.#ready[i]!;
      if (worker.inFlight > 0 || !this.#hasRoom(worker)) continue;
      if (warmest === null || worker.lastUsed > warmest.lastUsed) warmest = worker;
    }
    return warmest;
  }

  /** One that boots only if no other is idle. */
  #firstIdle(): WorkerHandle | null {
    let booting: WorkerHandle | null = null;
    for (let i = 0; i < this.#ready.length; i++) {
      const worker = this.#ready[i]!;
      if (worker.inFlight > 0 || !this.#hasRoom(worker)) continue;
      if (worker.wasReady) return worker;
      booting ??= worker;
    }
    return booting;
  }

  #dealToOpen(): void {
    for (
      let task = this.#queue.peek();
      task !== null && !this.#isExclusive(task);
      task = this.#queue.peek()
    ) {
      let emptiest: WorkerHandle | null = null;
      for (let i = 0; i < this.#ready.length; i++) {
        const worker = this.#ready[i]!;
        if (worker.exclusive || worker.inFlight >= this.#options.concurrency) continue;
        // What was taken back from it lies there unread: it does not come to what it is given.
        if (worker.slots.hasRevoked || !this.#hasRoom(worker)) continue;
        if (emptiest === null || isBetter(worker, emptiest)) emptiest = worker;
      }
      if (emptiest === null || !this.#giveFirst(emptiest)) return;
    }
  }

  #dealBy(balancer: Balancer): void {
    const refused: Task[] = bareList();
    let inVain = 0;
    while (this.#queue.length > 0 && inVain < balancer.lookahead) {
      const task = this.#queue.shift();
      if (task === null) break;
      let worker: WorkerHandle | null;
      try {
        worker = balancer.pick(task, this.#ready);
      } catch (error) {
        this.#events.onFailed(task, error);
        continue;
      }
      // Aborted by the balancer itself.
      if (task.settled) continue;
      if (worker !== null && includes(this.#ready, worker) && this.#hasRoom(worker)) {
        inVain = 0;
        this.give(task, worker);
        // The balancer sees what it decided before, also what could not be posted.
        worker.post();
      } else {
        inVain++;
        refused[refused.length] = task;
      }
    }
    this.#queue.unshift(refused);
  }

  /** How many workers can run beside the pool's own thread, each on a CPU of its own. */
  get #besideOwner(): number {
    return MathMax(1, this.#options.cpus - 1);
  }

  /** Whether another worker that runs would only take turns on a CPU with threads that do. */
  get #isCrowded(): boolean {
    let running = 0;
    for (let i = 0; i < this.#ready.length; i++) if (this.#ready[i]!.inFlight > 0) running++;
    return running >= this.#besideOwner;
  }

  /**
   * Whether what waits is to go behind what some workers hold, though others may be idle: all CPUs
   * are taken, and it is done there before another worker would be awake. Those are the first
   * {@link #besideOwner} that run; others that do are given nothing, so that they go to sleep.
   */
  #fitsBehind(): boolean {
    if (!this.prefetches || !this.#isCrowded) return false;
    const first = this.#queue.peek();
    if (first === null || !mayPrefetch(first)) return false;
    const beside = this.#besideOwner;
    const waitingMs = (this.#queue.length * averageOf(first)) / beside;
    let running = 0;
    for (let i = 0; i < this.#ready.length && running < beside; i++) {
      const worker = this.#ready[i]!;
      if (worker.inFlight === 0) continue;
      running++;
      if (mayHoldMore(worker) && worker.expectedMs + waitingMs <= kWorthMs) return true;
    }
    return false;
  }

  /** Gives tasks to workers that will soon get to them, so many at most. */
  prefetch(most = Infinity): void {
    const { concurrency } = this.#options;
    for (let wentBehind = false; ;) {
      const fitsBehind = this.#fitsBehind();
      // What comes after may be worth a wake.
      if (wentBehind && !fitsBehind) this.#dealToFree();
      wentBehind = fitsBehind;
      const first = this.#queue.peek();
      if (most <= 0 || first === null || !mayPrefetch(first)) return;
      const averageMs = averageOf(first);
      const windowMs = this.#windowMs(averageMs);
      const among = fitsBehind ? this.#besideOwner : this.#ready.length;
      let least: WorkerHandle | null = null;
      for (let i = 0, looked = 0; i < this.#ready.length && looked < among; i++) {
        const worker = this.#ready[i]!;
        if (fitsBehind && worker.inFlight === 0) continue;
        looked++;
        if (!mayHoldMore(worker) || worker.inFlight >= kPrefetchMax) continue;
        if (worker.expectedMs + averageMs > windowMs || !this.#hasRoom(worker)) continue;
        if (least === null || worker.inFlight < least.inFlight) least = worker;
      }
      if (least === null) return;
      const room = MathMin(
        most,
        MathMax(kPrefetchMax, concurrency) - least.inFlight,
        // One at least, however the quotient is rounded: else this would repeat for ever.
        MathMax(1, MathFloor((windowMs - least.expectedMs) / averageMs)),
        MathCeil(this.#queue.length / among),
        kShareMax,
      );
      for (let i = 0; i < room; i++) {
        const task = this.#queue.peek();
        if (task === null || task.handler !== first.handler || !mayPrefetch(task)) break;
        if (!this.#hasRoom(least)) break;
        if (!this.#giveFirst(least)) return;
        most--;
      }
    }
  }

  /** Places of the workers, less the tasks that they hold. */
  get openPlaces(): number {
    const { concurrency } = this.#options;
    let held = 0;
    for (let i = 0; i < this.#ready.length; i++) held += this.#ready[i]!.inFlight;
    return this.#ready.length * concurrency - held;
  }

  /** Behind a deep queue a larger window delays nothing, and saves wakes. */
  #windowMs(averageMs: number): number {
    const { prefetchWindowMs } = this.#options;
    const queuedMs = (this.#queue.length * averageMs) / this.#ready.length;
    return queuedMs > kDeep * prefetchWindowMs ? kDeep * prefetchWindowMs : prefetchWindowMs;
  }

  /**
   * Whether the workers are to be looked at again: one holds more than one task, a guess that may
   * turn out to be wrong; a result waits for output, and its worker may be blocked; or tasks wait
   * since one had no room, and it does not say when it has read on.
   */
  get isAhead(): boolean {
    if (this.#lackedRoom && this.#queue.length > 0) return true;
    for (let i = 0; i < this.#ready.length; i++) {
      const { inFlight, slots } = this.#ready[i]!;
      if (inFlight > 1 || slots.withholds) return true;
    }
    return false;
  }

  #hasRoom(worker: WorkerHandle): boolean {
    if (worker.hasRoom) return true;
    this.#lackedRoom = true;
    return false;
  }

  /**
   * Whether what a worker holds is to stay there, though another is idle. While it begins tasks it
   * soon gets to them all; `isStuck` says when it does not.
   */
  #isPatient(worker: WorkerHandle): boolean {
    if (!this.#isCrowded || !mayHoldMore(worker)) return false;
    return this.prefetches && worker.expectedMs <= this.#options.prefetchWindowMs;
  }

  /** Takes tasks back from workers that will not get to them as soon as others would. */
  takeBack(): Task[] {
    this.hasSuspect = false;
    const ready = this.#ready;
    if (ready.length < 2 || this.#options.balancer !== null) return [];
    let idle = false;
    let loaded: WorkerHandle | null = null;
    let most = 0;
    for (let i = 0; i < ready.length; i++) {
      const worker = ready[i]!;
      if (worker.inFlight === 0) {
        if (worker.wasReady) idle = true;
      } else if (worker.inFlight > 1 || !worker.wasReady) {
        const { unclaimed } = worker.slots;
        if (unclaimed > most) {
          most = unclaimed;
          loaded = worker;
        }
      }
    }
    if (loaded === null) return [];
    if (idle && !this.#isPatient(loaded)) return loaded.revokeAll();
    const back: Task[] = bareList();
    for (let i = 0; i < ready.length; i++) {
      const worker = ready[i]!;
      if (worker.inFlight <= 1 || !worker.wasReady) continue;
      if (worker.isStuck()) addAll(back, worker.revokeAll());
      else if (worker.progress.isSuspect) this.hasSuspect = true;
    }
    return back;
  }
}

function averageOf(task: Task): number {
  return MathMax(task.handler.averageMs, kLeastAverageMs);
}

/** Whether a worker may be given what it cannot start yet. */
function mayHoldMore(worker: WorkerHandle): boolean {
  return worker.mayPrefetch && !worker.exclusive && worker.wasReady;
}

function mayPrefetch(task: Task): boolean {
  // Nobody waits for the others behind a task that is expected to be aborted.
  return task.handler.measured && !task.fixed && !task.mayEndWorker;
}

/** Which of two workers gets to a task sooner: one that was revoked from was stuck a moment ago. */
function isBetter(worker: WorkerHandle, than: WorkerHandle): boolean {
  if (worker.mayPrefetch !== than.mayPrefetch) return worker.mayPrefetch;
  return worker.inFlight < than.inFlight;
}
