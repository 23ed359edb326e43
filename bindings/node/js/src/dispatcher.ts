// Which task goes to which worker, and when.
//
// `submit` queues; one microtask later everything that was queued in the meantime is dealt out,
// with one wake per worker and as few messages as may be:
//
// 1. idle workers first, one task each, the warmest first;
// 2. then workers that may run several at once, the emptiest first;
// 3. then *prefetch*: a worker is given more than it can start, if its tasks are measured to be
//    short (`prefetchWindow` of expected work, kDeep times that behind a deep queue; kPrefetchMax
//    tasks). Tasks with a signal or a transfer list are put behind no other.
//
// A prefetch that was a wrong guess is taken back: when a worker idles while another holds tasks
// it has not begun, or when a worker has begun nothing for a while, its unclaimed tasks are revoked
// and dealt out again, in front of the queue.
//
// Guarantees: every accepted task settles exactly once, whatever happens to its worker; at most
// `maxThreads * concurrency + maxQueue` tasks are accepted and unsettled; tasks start in the order of their acceptance, but
// for those that a worker held when it died or was revoked from.

import { Crew, type CrewLimits } from './crew.js';
import { AbortError, CenoteError } from './errors.js';
import { thisLoop, type LoopSource } from './loop.js';
import { fromWire, kRefused, kReturned, type WireError } from './messages.js';
import { Tally } from './tally.js';
import { TaskQueue, type Outcome, type Task } from './task.js';
import type { WorkerEvents, WorkerHandle, WorkerSpec } from './worker-handle.js';
import { kPrefetchMax } from './words.js';

export interface DispatcherOptions extends CrewLimits {
  readonly maxQueue: number;
  readonly prefetchWindowMs: number;
  readonly spec: WorkerSpec;
}

/** What a pool hears from its dispatcher. Called in a turn of its own, so it may throw. */
export interface DispatcherListener {
  onBackgroundError(error: unknown, threadId: number): void;
  onWorkerLost(error: unknown, exitCode: number, threadId: number): void;
}

/** A worker that has claimed none of its tasks for so long, in ms, is taken to be in a long one. */
const kStuckMs = 1;
/** A queue that holds so many windows of work for each worker is deep, and the window grows to as many. */
const kDeep = 5;
/** At most so many tasks go to one worker before the others are looked at. */
const kShareMax = 32;
/** After so many workers died holding it, an unbegun task is taken to be what kills them. */
const kDeathsMax = 3;
/** Under a tenth of a microsecond a measured run time is the clock's grain. */
const kLeastAverageMs = 1e-4;

export class Dispatcher implements LoopSource, WorkerEvents {
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly crew: Crew;
  /** What the workers that ended leave to the statistics. */
  readonly ended = new Tally();
  readonly outcomes: Record<Outcome, number> = { completed: 0, failed: 0, aborted: 0, lost: 0, cancelled: 0 };
  accepted = 0;
  /** Refused for a full queue. */
  refused = 0;
  /** Accepted and not settled. */
  unsettled = 0;
  state: 'open' | 'closing' | 'closed' = 'open';
  readonly #options: DispatcherOptions;
  readonly #listener: DispatcherListener;
  readonly #queue = new TaskQueue();
  #flushScheduled = false;
  #useCount = 0;
  #whenSettled: (() => void)[] = [];
  #closing: Promise<void> | null = null;
  readonly #flushSoon = (): void => {
    this.#flushScheduled = false;
    this.#flush();
  };

  constructor(options: DispatcherOptions, listener: DispatcherListener) {
    this.#options = options;
    this.#listener = listener;
    this.maxSpinUs = options.spec.maxSpinUs;
    this.turnBudgetUs = options.spec.turnBudgetUs;
    thisLoop.attach(this);
    this.crew = new Crew(options, options.spec, this);
    try {
      this.crew.ensure(0);
    } catch (error) {
      // `new Worker` refused the options: there is no pool then.
      thisLoop.detach(this);
      throw error;
    }
  }

  /** Accepted tasks that no worker has been given. */
  get queueSize(): number {
    return this.#queue.length;
  }

  // Accepting

  /** Accepts a task, or rejects it at once (`false`); a rejected task never runs. */
  submit(task: Task): boolean {
    const { maxThreads, concurrency, maxQueue } = this.#options;
    if (this.state !== 'open') {
      task.reject(new CenoteError('ERR_CENOTE_POOL_CLOSED', 'The pool is closed and takes no more tasks'));
      return false;
    }
    if (this.unsettled >= maxThreads * concurrency + maxQueue) {
      this.refused++;
      task.reject(
        new CenoteError(
          'ERR_CENOTE_QUEUE_FULL',
          `The pool already has ${maxThreads * concurrency} tasks to run and ${maxQueue} waiting (maxQueue): ` +
            'run fewer at a time, or raise maxQueue',
        ),
      );
      return false;
    }
    this.accepted++;
    if (this.unsettled++ === 0) thisLoop.hold();
    this.#queue.push(task);
    this.#scheduleFlush();
    return true;
  }

  /** Rejects an accepted task. If it has begun, its worker is terminated. */
  abort(task: Task, reason: unknown): void {
    if (task.settled) return;
    const { holder } = task;
    if (holder === null) {
      this.#queue.remove(task);
    } else {
      // Unless it has been claimed, it comes back with the others and is left out.
      const back = holder.revoke(task.transferList !== null);
      // Of the claimed ones only the last still runs: those before it have ended, and their results
      // are on their way. (Several run at once only without a signal.)
      if (holder.claimedLast(task)) holder.terminate();
      this.#requeue(back.filter((other) => other !== task));
    }
    if (this.#settle(task, 'aborted')) task.reject(new AbortError(reason));
  }

  // Dealing

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#flushSoon);
  }

  #flush(): void {
    if (this.#queue.length > 0) this.#deal();
    if (this.#queue.length > 0) this.#ensureThreads();
    this.#rebalance();
    thisLoop.expect();
  }

  #deal(): void {
    const { ready } = this.crew;
    if (ready.length === 0) return;
    this.#dealToIdle();
    if (this.#options.concurrency > 1) this.#dealToOpen();
    if (this.#queue.length > 0 && this.#options.prefetchWindowMs > 0) {
      // What is posted ahead waits for no thread, yet may end up behind a long task, with no worker
      // idle that would take it over. So that there is one soon, the crew grows, by one at a time.
      if (this.crew.all.size < this.#options.maxThreads) this.#ensureThreads(1);
      this.#prefetch();
    }
    for (const worker of ready) if (worker.hasPending) worker.post();
  }

  #give(worker: WorkerHandle): void {
    const task = this.#queue.shift();
    if (task === null) return;
    if (this.#isExclusive(task)) worker.exclusive = true;
    task.holder = worker;
    worker.lastUsed = ++this.#useCount;
    worker.add(task);
  }

  /** An abort may cost the worker, so such a task shares it with no other. */
  #isExclusive(task: Task): boolean {
    return task.abortable && this.#options.concurrency > 1;
  }

  #dealToIdle(): void {
    while (this.#queue.length > 0) {
      let warmest: WorkerHandle | null = null;
      for (const worker of this.crew.ready) {
        if (worker.inFlight === 0 && (warmest === null || worker.lastUsed > warmest.lastUsed)) warmest = worker;
      }
      if (warmest === null) return;
      this.#give(warmest);
    }
  }

  #dealToOpen(): void {
    for (let task = this.#queue.peek(); task !== null && !this.#isExclusive(task); task = this.#queue.peek()) {
      let emptiest: WorkerHandle | null = null;
      for (const worker of this.crew.ready) {
        if (worker.exclusive || worker.inFlight >= this.#options.concurrency) continue;
        if (emptiest === null || isBetter(worker, emptiest)) emptiest = worker;
      }
      if (emptiest === null) return;
      this.#give(emptiest);
    }
  }

  #prefetch(): void {
    const { concurrency } = this.#options;
    const { ready } = this.crew;
    for (;;) {
      const first = this.#queue.peek();
      if (first === null || !this.#mayPrefetch(first)) return;
      const averageMs = Math.max(first.handler.averageMs, kLeastAverageMs);
      const prefetchWindowMs = this.#windowMs(averageMs);
      let least: WorkerHandle | null = null;
      for (const worker of ready) {
        if (!worker.mayPrefetch || worker.exclusive || worker.holdsTransferred) continue;
        if (worker.inFlight >= kPrefetchMax || worker.expectedMs + averageMs > prefetchWindowMs) continue;
        if (least === null || worker.inFlight < least.inFlight) least = worker;
      }
      if (least === null) return;
      const room = Math.min(
        Math.max(kPrefetchMax, concurrency) - least.inFlight,
        Math.floor((prefetchWindowMs - least.expectedMs) / averageMs),
        Math.ceil(this.#queue.length / ready.length),
        kShareMax,
      );
      for (let i = 0; i < room; i++) {
        const task = this.#queue.peek();
        if (task === null || task.handler !== first.handler || !this.#mayPrefetch(task)) break;
        this.#give(least);
      }
    }
  }

  /** Behind a deep queue a larger window delays nothing, and saves wakes. */
  #windowMs(averageMs: number): number {
    const { prefetchWindowMs } = this.#options;
    const queuedMs = (this.#queue.length * averageMs) / this.crew.ready.length;
    return queuedMs > kDeep * prefetchWindowMs ? kDeep * prefetchWindowMs : prefetchWindowMs;
  }

  #mayPrefetch(task: Task): boolean {
    // An abort ends the worker, and with it results of tasks before that it has not posted yet: a
    // task that may be aborted is never put behind others.
    return task.handler.measured && task.transferList === null && !task.abortable;
  }

  /** Takes tasks back from a worker that will not get to them as soon as another would. */
  #rebalance(): void {
    const { ready } = this.crew;
    if (ready.length < 2) return;
    let idle = false;
    let loaded: WorkerHandle | null = null;
    let most = 0;
    for (const worker of ready) {
      if (worker.inFlight === 0) {
        idle = true;
      } else if (worker.inFlight > 1) {
        const { unclaimed } = worker;
        if (unclaimed > most) {
          most = unclaimed;
          loaded = worker;
        }
      }
    }
    if (loaded === null) return;
    if (idle) {
      this.#requeue(loaded.revoke());
    } else {
      const now = performance.now();
      for (const worker of ready) {
        if (worker.inFlight > 1 && worker.isStuck(now, kStuckMs)) this.#requeue(worker.revoke());
      }
    }
    if (this.#queue.length > 0) this.#deal();
  }

  /** Puts tasks that were posted, and not begun, back in front. */
  #requeue(tasks: Task[]): void {
    if (tasks.length === 0) return;
    for (const task of tasks) task.holder = null;
    this.#queue.unshift(tasks);
    this.#scheduleFlush();
  }

  #ensureThreads(waiting = this.#queue.length): void {
    try {
      this.crew.ensure(waiting);
    } catch (error) {
      // The system refused a thread. Those that run go on; with none, nobody would come.
      if (this.crew.all.size === 0) this.#rejectQueue(error);
    }
  }

  #rejectQueue(cause: unknown): void {
    for (let task = this.#queue.shift(); task !== null; task = this.#queue.shift()) {
      if (!this.#settle(task, 'lost')) continue;
      task.reject(
        new CenoteError('ERR_CENOTE_WORKER_BOOT', `No worker thread could be started: ${messageOf(cause)}`, { cause }),
      );
    }
  }

  // Settling

  /** Counts a task's end, once. */
  #settle(task: Task, outcome: Outcome): boolean {
    if (task.settled) return false;
    task.settled = true;
    task.holder = null;
    task.forget?.();
    this.outcomes[outcome]++;
    if (--this.unsettled === 0) {
      thisLoop.release();
      for (const done of this.#whenSettled.splice(0)) done();
    }
    return true;
  }

  // LoopSource

  drain(): void {
    for (const worker of this.crew.all) worker.poll();
    this.onPortDrained();
  }

  expectedUs(): number {
    if (this.unsettled === 0) return -1;
    let soonestMs = Infinity;
    for (const worker of this.crew.ready) {
      if (worker.inFlight > 0) soonestMs = Math.min(soonestMs, worker.expectedMs / worker.inFlight);
    }
    return soonestMs === Infinity ? -1 : Math.max(0, Math.round(soonestMs * 1000));
  }

  // WorkerEvents

  onPortDrained(): void {
    // Tasks that wait already go out before the callers of those that settled go on. What these
    // then submit, and what to take back, is looked at in the microtask after them.
    if (this.#queue.length > 0) this.#deal();
    this.#scheduleFlush();
  }

  onReady(worker: WorkerHandle): void {
    this.crew.enlist(worker);
    if (this.state === 'closing' && this.unsettled === 0) worker.askToClose();
  }

  onLeaving(worker: WorkerHandle): void {
    this.crew.dismiss(worker);
  }

  onResult(task: Task, code: number, value: unknown): void {
    if (code === kReturned) {
      if (this.#settle(task, 'completed')) task.resolve(value);
    } else if (this.#settle(task, 'failed')) {
      task.reject(code === kRefused ? refusal(value as WireError) : fromWire(code, value));
    }
  }

  onUnpostable(task: Task, error: unknown): void {
    if (this.#settle(task, 'failed')) task.reject(error);
    // No result will come of it that would deal the next one to its place.
    this.#scheduleFlush();
  }

  onBackgroundError(worker: WorkerHandle, error: unknown): void {
    const { threadId } = worker;
    queueMicrotask(() => this.#listener.onBackgroundError(error, threadId));
  }

  onClosed(worker: WorkerHandle): void {
    worker.terminate();
  }

  onExit(worker: WorkerHandle, exitCode: number, expected: boolean): void {
    const { error, threadId } = worker;
    const held = worker.abandon();
    this.ended.add(worker);
    const reason = error === undefined ? `it exited with code ${exitCode}` : messageOf(error);
    const lost = (what: string): CenoteError =>
      new CenoteError('ERR_CENOTE_WORKER_LOST', `Worker thread ${threadId} ended ${what}: ${reason}`, {
        cause: error,
      });
    for (const task of held.started) {
      if (this.#settle(task, 'lost')) task.reject(lost('while the task ran'));
    }
    const again: Task[] = [];
    for (const task of held.unclaimed) {
      if (task.settled) continue;
      // With a task begun, that one is what the worker died of.
      if (held.started.length === 0) task.deaths++;
      if (task.transferList === null && task.deaths < kDeathsMax) again.push(task);
      else if (this.#settle(task, 'lost'))
        task.reject(lost('before the task began, and it cannot be given to another'));
    }
    this.#requeue(again);
    const gaveUp = this.crew.remove(worker, { expected, begun: held.started.length, waiting: held.unclaimed.length });
    if (!expected) {
      queueMicrotask(() => this.#listener.onWorkerLost(error, exitCode, threadId));
      if (gaveUp) this.#rejectQueue(error ?? new Error(`The worker thread ended: ${reason}`));
    }
    if (this.state === 'open' && !gaveUp) this.#ensureThreads();
    this.#scheduleFlush();
  }

  // Ending

  /** Takes no more tasks; resolves when those accepted, and their registered background work, are done. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.state === 'open') this.state = 'closing';
    thisLoop.hold();
    this.crew.stopWatching();
    if (this.unsettled > 0) await new Promise<void>((resolve) => this.#whenSettled.push(resolve));
    for (const worker of this.crew.all) {
      if (worker.state === 'booting') worker.terminate();
      else worker.askToClose();
    }
    await this.crew.empty();
    this.#end();
    thisLoop.release();
  }

  /** Rejects what is accepted, terminates the threads, and resolves when they are gone. */
  async destroy(): Promise<void> {
    if (this.state === 'closed') return this.crew.empty();
    this.state = 'closed';
    this.crew.stopWatching();
    thisLoop.hold();
    const error = (): CenoteError =>
      new CenoteError('ERR_CENOTE_POOL_DESTROYED', 'The pool was destroyed before the task was done');
    for (let task = this.#queue.shift(); task !== null; task = this.#queue.shift()) {
      if (this.#settle(task, 'cancelled')) task.reject(error());
    }
    for (const worker of this.crew.all) {
      const held = worker.abandon();
      for (const task of [...held.started, ...held.unclaimed]) {
        if (this.#settle(task, 'cancelled')) task.reject(error());
      }
      worker.terminate();
    }
    await this.crew.empty();
    this.#end();
    thisLoop.release();
  }

  #end(): void {
    this.state = 'closed';
    thisLoop.detach(this);
  }
}

/** Which of two workers gets to a task sooner: one that was revoked from was stuck a moment ago. */
function isBetter(worker: WorkerHandle, than: WorkerHandle): boolean {
  if (worker.mayPrefetch !== than.mayPrefetch) return worker.mayPrefetch;
  return worker.inFlight < than.inFlight;
}

function refusal(error: WireError): CenoteError {
  return new CenoteError(error.code, error.message);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
