// Which tasks a pool accepts, when they are dealt to workers, and how each of them settles.
//
// `submit` queues; one microtask later everything that was queued in the meantime is dealt out
// (dealer.ts), with one wake per worker and as few messages as may be. `flushNow` deals at once: as
// many as the workers have places are posted when it returns, even if the caller then blocks its
// thread.
//
// Guarantees: every accepted task settles exactly once, whatever happens to its worker; no more
// are accepted than acceptance.ts says; tasks start in the order of the queue, except those that a
// worker held when it died, could not serve, or was revoked from. While tasks wait, a thread
// serves, or starts, or they are rejected with what keeps threads from starting.

import { Acceptance } from './acceptance.js';
import { Crew, type CrewEvents, type TaskEvents } from './crew.js';
import { Dealer } from './dealer.js';
import { Deadlines } from './deadlines.js';
import { Demand } from './demand.js';
import type { PoolErrors, WorkerEnd } from '../errors.js';
import { Failures } from './failures.js';
import {
  MathMax,
  MathMin,
  MathRound,
  PromiseReject,
  queueMicrotask,
  setTimeout,
} from '../base/intrinsics.js';
import { thisLoop, type LoopSource } from '../wait/loop.js';
import { kReturned } from '../wire/messages.js';
import { Flow } from './flow.js';
import type { DispatcherListener, DispatcherOptions } from './dispatcher-options.js';
import { Ledger } from './ledger.js';
import { Losses } from './losses.js';
import { Renewal } from './renewal.js';
import { Tally } from './recorder.js';
import { Retries } from './retries.js';
import type { Outcome, Task, WaitQueue } from './task.js';
import type { Held } from './slots.js';
import type { WorkerHandle } from './worker-handle.js';

/** How long a finished worker may take to end by itself, in ms: it gives itself half of that. */
const kLeaveMs = 2_000;

export class Dispatcher implements LoopSource, TaskEvents, CrewEvents {
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly spinUnderPressure: boolean;
  readonly crew: Crew;
  /** What the workers that ended leave to the statistics. */
  readonly ended = new Tally();
  /** What it counts of tasks. */
  readonly ledger = new Ledger();
  readonly acceptance: Acceptance;
  readonly renewal: Renewal;
  state: 'open' | 'closing' | 'closed' = 'open';
  readonly #options: DispatcherOptions;
  readonly #errors: PoolErrors;
  readonly #listener: DispatcherListener;
  readonly #queue: WaitQueue;
  readonly #dealer: Dealer;
  readonly flow: Flow;
  readonly deadlines: Deadlines;
  readonly #failures: Failures;
  readonly #demand: Demand;
  readonly #losses: Losses;
  readonly #retries: Retries;
  #closing: Promise<void> | null = null;
  readonly #failed = (task: Task, error: unknown): void => {
    if (this.ledger.settle(task, 'failed')) task.reject(error);
  };

  constructor(options: DispatcherOptions, listener: DispatcherListener) {
    this.#options = options;
    this.#errors = options.errors;
    this.#listener = listener;
    this.#queue = options.queue;
    this.maxSpinUs = options.spec.maxSpinUs;
    this.turnBudgetUs = options.spec.turnBudgetUs;
    this.spinUnderPressure = options.spec.spinUnderPressure;
    this.acceptance = new Acceptance(options, this.ledger, options.errors, listener);
    thisLoop.attach(this);
    this.crew = new Crew(options, options.spec, this, this);
    const { preload } = options.spec;
    this.#failures = new Failures(options.errors, preload);
    this.#retries = new Retries(
      this.ledger,
      (tasks) => this.flow.requeue(tasks),
      () => this.deadlines,
    );
    this.#losses = new Losses(this.ledger, options.errors, this.#failures, preload, this.#retries);
    this.#demand = new Demand(this.crew, options.queue, this.ledger, this.#failures);
    this.#dealer = new Dealer(options, options.queue, this.crew.takers, {
      onGiven: (task) => this.deadlines.onGiven(task),
      onFailed: this.#failed,
    });
    const flow = { concurrency: options.spec.concurrency, eager: options.eager };
    this.flow = new Flow(flow, options.queue, this.crew, this.#dealer, this.#demand);
    this.deadlines = new Deadlines(options.abortGraceMs, options.queue, options.errors, {
      settle: (task, outcome) => this.ledger.settle(task, outcome),
      requeue: (tasks) => this.flow.requeue(tasks),
      onCaughtUp: () => this.flow.schedule(),
      // Its successor starts while it ends.
      onWorkerEnded: () => {
        if (this.state === 'open') this.#demand.ensure();
      },
    });
    this.renewal = new Renewal(options.recycle, this.crew, {
      isOpen: () => this.state === 'open',
      resize: (maxThreads) => this.acceptance.resize(maxThreads),
      requeue: (tasks) => this.flow.requeue(tasks),
      ensure: () => this.onStartDue(),
      ready: () => this.ready(),
    });
    try {
      this.crew.ensure(0);
    } catch (error) {
      // `new Worker` refused the options, or the system a thread: there is no pool then.
      const { all } = this.crew;
      for (let i = 0; i < all.length; i++) all[i]!.terminate();
      this.#end();
      throw error;
    }
  }

  get outcomes(): Readonly<Record<Outcome, number>> {
    return this.ledger.outcomes;
  }

  /** Accepted tasks that no worker has been given. */
  get queueSize(): number {
    return this.#queue.length;
  }

  /** Accepted tasks that cannot have begun: queued, or given to workers beyond their places. */
  get waiting(): number {
    return this.flow.waiting;
  }

  // Accepting

  /** Accepts a task, or rejects it at once (`false`); a rejected task never runs. */
  submit(task: Task): boolean {
    if (this.state !== 'open') {
      task.reject(this.#errors.closed());
      return false;
    }
    if (this.acceptance.isFull) {
      this.acceptance.refuse(task);
      return false;
    }
    this.acceptance.accept();
    try {
      this.#queue.push(task);
    } catch (error) {
      // A queue of the user's.
      this.#failed(task, error);
      return false;
    }
    // That code may have destroyed the pool.
    if (isClosed(this)) this.#demand.reject('cancelled', () => this.#errors.destroyed());
    if (task.settled) return false;
    if (task.limits !== null) this.deadlines.watch(task);
    this.flow.schedule();
    return true;
  }

  /**
   * Deals at once what can start. How many places a task takes is known when it has got one, so the
   * one that was submitted last is refused here, if it waits and more than `maxQueue` do.
   */
  flushNow(last: Task): void {
    this.flow.dealNow(false);
    const most = this.#options.maxQueue - this.acceptance.reserved;
    if (last.holder !== null || last.settled || this.waiting <= most) return;
    this.#queue.remove(last);
    this.ledger.withdraw(last);
    this.acceptance.refuse(last);
  }

  /** Accepts a task for one worker alone, or rejects it at once (`false`). */
  submitTo(worker: WorkerHandle, task: Task): boolean {
    if (this.state !== 'open') {
      task.reject(this.#errors.closed());
    } else if (!worker.hasRoom) {
      this.acceptance.refuse(task);
    } else {
      task.pinned = true;
      this.ledger.accept();
      if (task.limits !== null) this.deadlines.watch(task);
      this.#dealer.give(task, worker);
      worker.post();
      this.flow.schedule();
      return true;
    }
    return false;
  }

  /**
   * Rejects an accepted task. If it has begun, it is asked to end, and at last its worker is
   * terminated.
   */
  abort(task: Task, reason: unknown): void {
    this.deadlines.abort(task, reason);
  }

  /** Rejects an accepted task if it has not begun. `false`: it has, or has ended. */
  withdraw(task: Task, error: () => unknown): boolean {
    return this.deadlines.withdraw(task, error);
  }

  /** Rejects what waits, and leaves what has a place in a worker. */
  rejectWaiting(error: () => unknown): void {
    this.flow.recall(this.#options.spec.concurrency);
    this.#demand.reject('cancelled', error);
    this.#retries.cancel('cancelled', error);
  }

  // LoopSource

  drain(): void {
    const { all } = this.crew;
    for (let i = 0; i < all.length; i++) all[i]!.poll();
    this.onPortDrained();
  }

  expectedUs(): number {
    if (this.ledger.unsettled === 0) return -1;
    let soonestMs = Infinity;
    const { takers } = this.crew;
    for (let i = 0; i < takers.length; i++) {
      const { inFlight, expectedMs } = takers[i]!;
      if (inFlight > 0) soonestMs = MathMin(soonestMs, expectedMs / inFlight);
    }
    return soonestMs === Infinity ? -1 : MathMax(0, MathRound(soonestMs * 1000));
  }

  // TaskEvents

  onPortDrained(): void {
    this.flow.goOn();
  }

  onMessage(worker: WorkerHandle, message: unknown): void {
    this.#listener.onMessage(message, worker);
  }

  onResult(task: Task, code: number, value: unknown, threadId: number): void {
    const worker = task.holder;
    if (code === kReturned) {
      if (this.ledger.settle(task, 'completed')) task.resolve(value);
    } else if (this.#losses.mayBeginElsewhere(task, worker)) {
      this.flow.takeBack(task);
    } else {
      const error = this.#failures.of(code, value, task.handler);
      if (!this.#retries.again(task, error, true, false) && this.ledger.settle(task, 'failed'))
        this.#failures.reject(task, error, threadId);
    }
    if (worker !== null) this.renewal.look(worker);
  }

  onUnpostable(task: Task, error: unknown): void {
    if (this.ledger.settle(task, 'failed')) task.reject(error);
    // No result will come of it that would deal the next one to its place.
    this.flow.schedule();
  }

  onNoRoom(tasks: readonly Task[]): void {
    this.flow.requeue(tasks);
  }

  onBackgroundError(worker: WorkerHandle, error: unknown): void {
    const { threadId } = worker;
    queueMicrotask(() => this.#listener.onBackgroundError(error, threadId));
  }

  onClosed(worker: WorkerHandle): void {
    // It ends by itself, unless it is blocked.
    setTimeout(() => worker.terminate(), kLeaveMs).unref();
  }

  // CrewEvents

  onReady(worker: WorkerHandle): void {
    if (this.state === 'closing' && this.ledger.unsettled === 0) worker.close();
    this.#listener.onWorkerReady?.(worker);
    this.#demand.onReady(this.state === 'open');
    this.renewal.onChange();
  }

  onUnfit(worker: WorkerHandle): void {
    // What it holds is sorted at once: those that were first in the queue are first again.
    const held = worker.abandon();
    const { threadId, error } = worker;
    this.flow.requeue(this.#losses.settle(worker, { threadId, exitCode: 1, error }, held));
    this.#demand.tellHopeless();
    if (this.state !== 'closed') this.#demand.ensure();
    this.flow.schedule();
  }

  onLeft(worker: WorkerHandle): void {
    this.#listener.onWorkerLeft?.(worker);
  }

  onLost(worker: WorkerHandle, end: WorkerEnd, held: Held, expected: boolean): void {
    this.ended.add(worker.latencies, worker.body.stages, { ...worker.background, active: 0 });
    this.ended.addTraffic(worker.body.traffic.tasks, worker.body.traffic.results);
    this.flow.takeIn();
    this.flow.requeue(this.#losses.settle(worker, end, held));
    // Given to it while the pool was destroyed.
    if (this.state === 'closed') this.#demand.reject('cancelled', () => this.#errors.destroyed());
    if (!expected) this.#losses.tell(worker, end, held, this.#listener);
    // Before more are started: those that wait have had their tries.
    this.#demand.tellHopeless();
    if (this.state === 'open') this.#demand.ensure();
    this.flow.schedule();
    this.renewal.onChange();
  }

  onStartDue(): void {
    if (this.state === 'open') this.#demand.ensure();
  }

  /** Resolves once `minThreads` threads, at least one, have loaded what they need. */
  ready(): Promise<void> {
    if (this.state !== 'open') return PromiseReject(this.#errors.closed()) as Promise<void>;
    return this.#demand.ready();
  }

  // Ending

  /**
   * Takes no more tasks; resolves when those accepted, and their registered background work,
   * are done.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.state === 'open') this.state = 'closing';
    thisLoop.hold();
    this.#demand.rejectCalls(() => this.#errors.closed());
    this.crew.stopWatching();
    await this.ledger.allSettled();
    const { all } = this.crew;
    for (let i = 0; i < all.length; i++) {
      if (all[i]!.state === 'booting') all[i]!.terminate();
      else all[i]!.close();
    }
    await this.crew.empty();
    this.#end();
    thisLoop.release();
  }

  /** Rejects what is accepted, terminates the threads, and resolves when they are gone. */
  async destroy(): Promise<void> {
    if (this.state === 'closed') {
      await this.crew.empty();
      return;
    }
    this.state = 'closed';
    this.flow.end();
    this.crew.stopWatching();
    thisLoop.hold();
    const error = (): unknown => this.#errors.destroyed();
    this.#demand.rejectCalls(error);
    this.flow.takeIn();
    this.#demand.reject('cancelled', error);
    this.#retries.cancel('cancelled', error);
    const { all } = this.crew;
    for (let i = 0; i < all.length; i++) {
      // What has ended has its result.
      all[i]!.catchUp(0);
      const { started, unclaimed } = all[i]!.abandon();
      this.ledger.rejectAll(started, 'cancelled', error);
      this.ledger.rejectAll(unclaimed, 'cancelled', error);
      all[i]!.terminate();
    }
    await this.crew.empty();
    // One that was being made when code of the user's came here is there only now.
    while (all.length > 0) {
      for (let i = 0; i < all.length; i++) all[i]!.terminate();
      await this.crew.empty();
    }
    this.#end();
    thisLoop.release();
  }

  #end(): void {
    this.state = 'closed';
    this.flow.end();
    thisLoop.detach(this);
    this.renewal.onChange();
  }
}

function isClosed({ state }: Dispatcher): boolean {
  return state === 'closed';
}
