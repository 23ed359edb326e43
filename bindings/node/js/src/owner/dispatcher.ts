// Which tasks a pool accepts, when they are dealt to workers, and how each of them settles.
//
// `submit` queues; one microtask later everything that was queued in the meantime is dealt out
// (dealer.ts), with one wake per worker and as few messages as may be. An *eager* dispatcher also
// deals in `submit` itself, to threads that still boot as well: what can start somewhere is posted
// when `submit` returns, even if the caller then blocks its thread.
//
// Guarantees: every accepted task settles exactly once, whatever happens to its worker; at most
// `maxThreads * concurrency + maxQueue` tasks are accepted and unsettled (where the dispatcher is
// eager: at most `maxQueue` wait for a worker with room); tasks start in the order of the queue, but
// for those that a worker held when it died or was revoked from.

import { Crew, type CrewLimits } from './crew.js';
import { Dealer, type DealerOptions } from './dealer.js';
import { Deadlines } from './deadlines.js';
import { messageOf, type PoolErrors, type WorkerEnd } from '../errors.js';
import type { Handler } from './handlers.js';
import { thisLoop, type LoopSource } from '../wait/loop.js';
import { kRefused, kReturned, type WireError } from '../wire/messages.js';
import { SecondLook } from './second-look.js';
import { Tally } from './tally.js';
import type { Outcome, Task, WaitQueue } from './task.js';
import { fromWire, rejectWithCallerStack } from '../wire/errors/decoder.js';
import type { WorkerEvents, WorkerHandle, WorkerSpec } from './worker-handle.js';

export interface DispatcherOptions extends CrewLimits, DealerOptions {
  readonly maxQueue: number;
  /** How long a task that was asked to end has for it, in ms, before its worker is terminated. */
  readonly abortGraceMs: number;
  readonly queue: WaitQueue;
  readonly errors: PoolErrors;
  readonly spec: WorkerSpec;
}

/** What a pool hears from its dispatcher. What is called in the middle of things must not throw. */
export interface DispatcherListener {
  /** In a turn of its own. */
  onBackgroundError(error: unknown, threadId: number): void;
  /**
   * A worker ended without being told to. It had begun so many tasks, which were rejected, and held so
   * many others. In a turn of its own.
   */
  onWorkerLost(end: WorkerEnd, begun: number, waiting: number): void;
  /** The worker's code posted a message on its `parentPort`. In a turn of its own. */
  onMessage(message: unknown, worker: WorkerHandle): void;
  onWorkerReady?(worker: WorkerHandle): void;
  /** It takes no more tasks: it was told to end, or ended. */
  onWorkerLeft?(worker: WorkerHandle): void;
}

/** After so many workers died holding it, an unbegun task is taken to be what kills them. */
const kDeathsMax = 3;

export class Dispatcher implements LoopSource, WorkerEvents {
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly crew: Crew;
  /** What the workers that ended leave to the statistics. */
  readonly ended = new Tally();
  readonly outcomes: Record<Outcome, number> = {
    completed: 0,
    failed: 0,
    aborted: 0,
    expired: 0,
    lost: 0,
    cancelled: 0,
  };
  accepted = 0;
  /** Refused for a full queue. */
  refused = 0;
  /** Accepted and not settled. */
  unsettled = 0;
  state: 'open' | 'closing' | 'closed' = 'open';
  readonly #options: DispatcherOptions;
  readonly #errors: PoolErrors;
  readonly #listener: DispatcherListener;
  readonly #queue: WaitQueue;
  readonly #dealer: Dealer;
  readonly #deadlines: Deadlines;
  /** A worker tells of what it has ended before a task that it takes to be short only after that. */
  readonly #secondLook = new SecondLook(() => {
    for (const worker of this.crew.all) worker.catchUp();
    this.onPortDrained();
  });
  #dealing = false;
  #flushScheduled = false;
  #whenSettled: (() => void)[] = [];
  #whenReady: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  #closing: Promise<void> | null = null;
  readonly #flushSoon = (): void => {
    this.#flushScheduled = false;
    this.#flush();
  };
  readonly #failed = (task: Task, error: unknown): void => {
    if (this.#settle(task, 'failed')) task.reject(error);
  };

  constructor(options: DispatcherOptions, listener: DispatcherListener) {
    this.#options = options;
    this.#errors = options.errors;
    this.#listener = listener;
    this.#queue = options.queue;
    this.maxSpinUs = options.spec.maxSpinUs;
    this.turnBudgetUs = options.spec.turnBudgetUs;
    thisLoop.attach(this);
    this.crew = new Crew(options, options.spec, this);
    this.#dealer = new Dealer(options, options.queue, this.crew.ready, {
      onGiven: (task) => this.#deadlines.onGiven(task),
      onFailed: this.#failed,
    });
    this.#deadlines = new Deadlines(options.abortGraceMs, options.queue, options.errors, {
      settle: (task, outcome) => this.#settle(task, outcome),
      requeue: (tasks) => this.#requeue(tasks),
      onCaughtUp: () => this.#scheduleFlush(),
      // Its successor starts while it ends.
      onWorkerEnded: () => {
        if (this.state === 'open') this.#ensureThreads();
      },
    });
    try {
      this.crew.ensure(0);
    } catch (error) {
      // `new Worker` refused the options, or the system a thread: there is no pool then.
      for (const worker of this.crew.all) worker.terminate();
      this.#end();
      throw error;
    }
  }

  /** Accepted tasks that no worker has been given. */
  get queueSize(): number {
    return this.#queue.length;
  }

  /** Accepted tasks that cannot have begun: queued, or given to a worker ahead. */
  get waiting(): number {
    let waiting = this.#queue.length;
    const { concurrency } = this.#options.spec;
    for (const worker of this.crew.ready) waiting += Math.max(0, worker.inFlight - concurrency);
    return waiting;
  }

  // Accepting

  /** Accepts a task, or rejects it at once (`false`); a rejected task never runs. */
  submit(task: Task): boolean {
    const { maxThreads, concurrency, maxQueue, eager } = this.#options;
    if (this.state !== 'open') {
      task.reject(this.#errors.closed());
      return false;
    }
    if (!eager && this.unsettled >= maxThreads * concurrency + maxQueue) {
      this.#refuse(task);
      return false;
    }
    this.#accept();
    try {
      this.#queue.push(task);
    } catch (error) {
      // A queue of the user's.
      this.#failed(task, error);
      return false;
    }
    if (eager) {
      this.#dealNow();
      if (task.holder === null && !task.settled && this.waiting > maxQueue) {
        // Looked at only now: how many places a task takes is known when it has got one.
        this.#queue.remove(task);
        this.accepted--;
        this.#leave();
        this.#refuse(task);
        return false;
      }
    }
    if (task.limits !== null && task.holder === null && !task.settled) this.#deadlines.watch(task);
    this.#scheduleFlush();
    return true;
  }

  /** Accepts a task for one worker alone. */
  submitTo(worker: WorkerHandle, task: Task): void {
    if (this.state !== 'open') {
      task.reject(this.#errors.closed());
    } else if (!worker.hasRoom) {
      this.#refuse(task);
    } else {
      task.pinned = true;
      this.#accept();
      this.#dealer.give(task, worker);
      worker.post();
      this.#scheduleFlush();
    }
  }

  #accept(): void {
    this.accepted++;
    if (this.unsettled++ === 0) thisLoop.hold();
  }

  #refuse(task: Task): void {
    const { maxThreads, concurrency, maxQueue } = this.#options;
    this.refused++;
    task.reject(this.#errors.queueFull(maxThreads * concurrency, maxQueue));
  }

  /** Rejects an accepted task. If it has begun, it is asked to end, and at last its worker is terminated. */
  abort(task: Task, reason: unknown): void {
    this.#deadlines.abort(task, reason);
  }

  // Dealing

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#flushSoon);
  }

  #flush(): void {
    this.#dealNow();
    const back = this.#dealer.takeBack();
    if (back.length > 0) {
      this.#requeue(back);
      this.#deal();
    }
    if (this.#dealer.isAhead) this.#secondLook.arm();
    this.crew.watchIdle();
    thisLoop.expect();
  }

  #dealNow(): void {
    if (this.#queue.length > 0) this.#deal();
    if (this.#queue.length === 0 || this.state === 'closed') return;
    this.#ensureThreads();
    if (this.#options.eager && this.#queue.length > 0) this.#deal();
  }

  #deal(): void {
    // A balancer or a queue of the user's may submit.
    if (this.#dealing) return;
    this.#dealing = true;
    this.#dealer.deal();
    // Many a task in one message: an eager submit prefetches in the microtask, with the others.
    if (
      this.#queue.length > 0 &&
      this.#dealer.prefetches &&
      !(this.#options.eager && this.#flushScheduled)
    ) {
      // What is posted ahead waits for no thread, yet may end up behind a long task, with no worker
      // idle that would take it over. So that there is one soon, the crew grows, by one at a time.
      if (this.crew.all.size < this.#options.maxThreads) this.#ensureThreads(1);
      this.#dealer.prefetch();
    }
    this.#dealer.post();
    this.#dealing = false;
  }

  /** Puts tasks that were posted, and not begun, back in front. */
  #requeue(back: Task[]): void {
    // One that settled stayed with its worker only because it could not be taken back alone.
    const tasks = back.filter((task) => !task.settled);
    if (tasks.length === 0) return;
    for (const task of tasks) task.holder = null;
    this.#queue.unshift(tasks);
    this.#scheduleFlush();
  }

  #ensureThreads(least = 0): void {
    // Who waits for `ready()` waits for a thread as a task does.
    const waiting = Math.max(this.#queue.length, least, this.#whenReady.length > 0 ? 1 : 0);
    try {
      this.crew.ensure(waiting);
    } catch (error) {
      // The system refused a thread. Those that run go on; with none, nobody would come.
      if (this.crew.all.size === 0) this.#rejectQueue(error, null);
    }
  }

  #rejectQueue(cause: unknown, end: WorkerEnd | null): void {
    const error = (): unknown => this.#errors.noThread(cause, end);
    this.#drainQueue('lost', error);
    for (const { reject } of this.#whenReady.splice(0)) reject(error());
  }

  #drainQueue(outcome: Outcome, error: () => unknown): void {
    for (let task = this.#queue.shift(); task !== null; task = this.#queue.shift()) {
      if (this.#settle(task, outcome)) task.reject(error());
    }
  }

  /** Rejects what waits, and leaves what has a place in a worker. */
  rejectWaiting(error: () => unknown): void {
    for (const worker of this.crew.ready) {
      // What it could begin at once keeps its place, though it may not have come to it yet.
      const begun = worker.inFlight - worker.slots.unclaimed;
      const back = worker.revokeAll(Math.max(0, this.#options.spec.concurrency - begun));
      this.#requeue(back);
    }
    this.#drainQueue('cancelled', error);
  }

  // Settling

  /** Counts a task's end, once. `true`: its caller is still to be told. */
  #settle(task: Task, outcome: Outcome): boolean {
    if (task.settled) return false;
    task.settled = true;
    task.holder = null;
    task.forget?.();
    clearTimeout(task.timer);
    const { asked } = task;
    this.outcomes[asked ?? outcome]++;
    this.#leave();
    return asked === null || asked === outcome;
  }

  #leave(): void {
    if (--this.unsettled > 0) return;
    thisLoop.release();
    for (const done of this.#whenSettled.splice(0)) done();
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
    this.#listener.onWorkerReady?.(worker);
    this.#answerReady();
  }

  onMessage(worker: WorkerHandle, message: unknown): void {
    this.#listener.onMessage(message, worker);
  }

  onLeaving(worker: WorkerHandle): void {
    this.crew.dismiss(worker);
    this.#listener.onWorkerLeft?.(worker);
  }

  onResult(task: Task, code: number, value: unknown, threadId: number): void {
    if (code === kReturned) {
      if (this.#settle(task, 'completed')) task.resolve(value);
    } else if (this.#settle(task, 'failed')) {
      rejectWithCallerStack(task.resolve, this.#failureOf(code, value, task.handler), threadId);
    }
  }

  #failureOf(code: number, value: unknown, handler: Handler | null): unknown {
    if (code !== kRefused) return fromWire(code, value);
    const refusal = value as WireError;
    return this.#errors.refused(refusal.code, refusal.message, handler);
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
    const end: WorkerEnd = { threadId, exitCode, error };
    const held = worker.abandon();
    this.ended.add(worker);
    this.crew.dismiss(worker);
    if (!expected) this.#listener.onWorkerLeft?.(worker);
    for (const task of held.started) {
      if (this.#settle(task, 'lost')) task.reject(this.#errors.lost(end, true));
    }
    const again: Task[] = [];
    for (const task of held.unclaimed) {
      if (task.settled) continue;
      // With a task begun, that one is what the worker died of.
      if (held.started.length === 0) task.deaths++;
      if (!task.fixed && task.deaths < kDeathsMax) again.push(task);
      else if (this.#settle(task, 'lost')) task.reject(this.#errors.lost(end, false));
    }
    this.#requeue(again);
    // Given to it while the pool was destroyed.
    if (this.state === 'closed') this.#drainQueue('cancelled', () => this.#errors.destroyed());
    const begun = held.started.length;
    const gaveUp = this.crew.remove(worker, { expected, begun, waiting: held.unclaimed.length });
    if (!expected) {
      queueMicrotask(() => this.#listener.onWorkerLost(end, begun, held.unclaimed.length));
      if (gaveUp)
        this.#rejectQueue(error ?? new Error(`The worker thread ended: ${reasonOf(end)}`), end);
    }
    if (this.state === 'open' && !gaveUp) this.#ensureThreads();
    this.#scheduleFlush();
  }

  // Ready

  /** Resolves once `minThreads` threads, at least one, have loaded what they need. */
  ready(): Promise<void> {
    if (this.state !== 'open') return rejected(this.#errors.closed());
    thisLoop.hold();
    const ready = new Promise<void>((resolve, reject) => this.#whenReady.push({ resolve, reject }));
    this.#answerReady();
    if (this.#whenReady.length > 0) this.#ensureThreads();
    return ready.finally(() => thisLoop.release());
  }

  #answerReady(): void {
    if (this.#whenReady.length === 0) return;
    let count = 0;
    for (const worker of this.crew.ready) {
      if (worker.loadFailure !== null) {
        const [code, value] = worker.loadFailure;
        for (const { reject } of this.#whenReady.splice(0)) {
          reject(this.#failureOf(code, value, this.#options.spec.preload));
        }
        return;
      }
      if (worker.wasReady) count++;
    }
    if (count < Math.max(1, this.#options.minThreads)) return;
    for (const { resolve } of this.#whenReady.splice(0)) resolve();
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
    for (const { reject } of this.#whenReady.splice(0)) reject(this.#errors.closed());
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
    const error = (): unknown => this.#errors.destroyed();
    for (const { reject } of this.#whenReady.splice(0)) reject(error());
    this.#drainQueue('cancelled', error);
    for (const worker of this.crew.all) {
      // What has ended has its result.
      worker.catchUp();
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

function reasonOf({ error, exitCode }: WorkerEnd): string {
  return error === undefined ? `it exited with code ${exitCode}` : messageOf(error);
}

async function rejected(error: unknown): Promise<never> {
  throw error;
}
