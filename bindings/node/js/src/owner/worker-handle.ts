// One worker thread, as the pool's thread sees it: the thread, its port, the tasks posted to it.
//
// A posted task has a slot (where its result and timings arrive) and an order (where it stands in
// the sequence in which the worker claims). The claim word says how many tasks the worker has
// claimed, in which generation: that divides the posted tasks into *started* and *unclaimed*, also
// after the worker died. `revoke` takes the unclaimed ones back by raising the generation in one
// compare-and-swap; the worker skips entries of an older generation.

import { join } from 'node:path';
import {
  MessageChannel,
  receiveMessageOnPort,
  Worker,
  type MessagePort,
  type WorkerOptions,
} from 'node:worker_threads';
import { BatchGuard } from '../wire/batch-guard.js';
import type { Handler } from './handlers.js';
import { readStages, thisLoop, wake, type LoopAddress, type StageCounts } from '../wait/loop.js';
import {
  clockOrigin,
  kReturned,
  type HandlerMessage,
  type Init,
  type ResultBatch,
  type TaskBatch,
  type ToOwner,
  type ToWorker,
} from '../wire/messages.js';
import { Recorder } from './recorder.js';
import type { Task, TaskHolder } from './task.js';
import { fromWire } from '../wire/errors/decoder.js';
import {
  createChannelMemory,
  kAskAborted,
  kAskNothing,
  kAsks,
  kAskTimeout,
  kBackgroundActive,
  kBackgroundRejected,
  kBackgroundSettled,
  kClaim,
  kPrefetchMax,
  kResults,
  kStillRunning,
  kTimingRun,
  kTimings,
  kTimingStart,
  kTimingWake,
} from '../wire/channel.js';

export interface WorkerSpec {
  readonly workerOptions: WorkerOptions;
  /** Tasks that the worker begins before it has ended others. A balancer may count on more than the dispatcher does. */
  readonly concurrency: number;
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly portable: boolean;
  readonly preload: Handler | null;
  /** Handlers are called with the task alone, and `setup` and `teardown` are exports like any other. */
  readonly bare: boolean;
  readonly niceIncrement: number;
  /** Its handle keeps the times of its tasks, for statistics. */
  readonly recordsLatencies: boolean;
  /** Called with the times of each task that ended in its worker, in ms. Must not throw. */
  readonly onTiming: ((worker: WorkerHandle, waitMs: number, runMs: number) => void) | null;
}

/** What a worker reports to the pool. None of these may throw. */
export interface WorkerEvents {
  onReady(worker: WorkerHandle): void;
  /** The worker's own code posted a message on its `parentPort`. This one may throw. */
  onMessage(worker: WorkerHandle, message: unknown): void;
  /** A posted task's result; the task is out of the worker's table. */
  onResult(task: Task, code: number, value: unknown, threadId: number): void;
  /** It takes no more tasks: it was told to end. */
  onLeaving(worker: WorkerHandle): void;
  /** Called once after each run of results that came by a port event. */
  onPortDrained(): void;
  onBackgroundError(worker: WorkerHandle, error: unknown): void;
  /** The worker's registered background work is done; it was asked to close. */
  onClosed(worker: WorkerHandle): void;
  /** `expected`: it was told to end. */
  onExit(worker: WorkerHandle, exitCode: number, expected: boolean): void;
  /** A task whose payload cannot be cloned or transferred; it is out of the worker's table. */
  onUnpostable(task: Task, error: unknown): void;
}

/** What a worker held when it ended. */
export interface Held {
  readonly started: Task[];
  readonly unclaimed: Task[];
}

const kOrderMask = 0xffff;
const guard = new BatchGuard();

export class WorkerHandle implements TaskHolder {
  readonly worker: Worker;
  /** The times of its tasks; null where nobody reads them. */
  readonly latencies: Recorder | null;
  readonly #port: MessagePort;
  readonly #words: Int32Array;
  readonly #timings: Float64Array;
  readonly #asks: Int32Array;
  readonly #onTiming: WorkerSpec['onTiming'];
  readonly #portable: boolean;
  readonly #events: WorkerEvents;
  readonly #slots: (Task | undefined)[];
  readonly #freeSlots: number[] = [];
  readonly #knownHandlers = new Set<number>();
  #address: LoopAddress | null = null;
  #pending: Task[] = [];
  #posting = false;
  #givenUp = false;
  #seenResults = 0;
  #generation = 0;
  /** The order that the next posted task gets. */
  #nextOrder = 0;
  /** Its tasks that cannot be dealt again once they are posted. */
  #fixed = 0;

  /** `threadId` outlives the thread here; Node's own turns -1. */
  readonly threadId: number;
  state: 'booting' | 'ready' | 'leaving' | 'exited' = 'booting';
  /** Tasks that are posted, or about to be, and not settled. */
  inFlight = 0;
  /** What they are expected to take together, in ms. */
  expectedMs = 0;
  /** Runs a task that may share the worker with no other. */
  exclusive = false;
  /** May hold more than it can start at once: false from a revoke until its next result. */
  mayPrefetch = true;
  /** Counts up over the pool: who was used last is warmest. */
  lastUsed = 0;
  idleSince = performance.now();
  readonly bornAt = performance.now();
  /** Why it ended, where an uncaught exception said so. */
  error: unknown = undefined;
  /** Why it could not load the pool's handler, once it is ready, as it crossed. */
  loadFailure: readonly [code: number, value: unknown] | null = null;
  /** Its tasks that have a signal. */
  abortables = 0;
  /** Tasks settled with a value, and with an error that the handler threw. */
  completed = 0;
  failed = 0;
  /** Fires when it takes too long to be ready. */
  bootTimer: NodeJS.Timeout | undefined = undefined;
  #ended = false;
  #progressClaimed = -1;
  #progressAt = 0;

  constructor(spec: WorkerSpec, events: WorkerEvents) {
    const slots = spec.concurrency + kPrefetchMax;
    const memory = createChannelMemory(slots);
    this.#words = memory.words;
    this.#timings = memory.timings;
    this.#asks = memory.asks;
    this.latencies = spec.recordsLatencies ? new Recorder() : null;
    this.#onTiming = spec.onTiming;
    this.#portable = spec.portable;
    this.#events = events;
    this.#slots = new Array<Task | undefined>(slots).fill(undefined);
    for (let slot = slots - 1; slot >= 0; slot--) this.#freeSlots.push(slot);

    this.worker = new Worker(join(__dirname, '..', 'worker', 'main.js'), spec.workerOptions);
    this.threadId = this.worker.threadId;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const init: Init = {
      type: 'cenote:init',
      port: port2,
      ...memory,
      owner: thisLoop.address,
      ownerOrigin: clockOrigin(),
      concurrency: spec.concurrency,
      maxSpinUs: spec.maxSpinUs,
      turnBudgetUs: spec.turnBudgetUs,
      portable: spec.portable,
      preload: spec.preload === null ? null : this.#define(spec.preload),
      bare: spec.bare,
      niceIncrement: spec.niceIncrement,
    };
    this.worker.postMessage(init, [port2]);
    if (spec.portable) {
      this.#port.on('message', (message: ToOwner) => {
        this.#onMessage(message);
        events.onPortDrained();
      });
      this.#port.unref();
    }
    this.worker.on('message', (message: unknown) => events.onMessage(this, message));
    this.worker.on('error', (error: unknown) => {
      this.error = error;
    });
    // An idle pool does not hold the process; the loop is held while tasks are outstanding. A listener
    // for messages holds it as well, so this comes after it.
    this.worker.unref();
    this.worker.on('exit', (exitCode: number) => {
      this.receive();
      const expected = this.state === 'leaving';
      this.state = 'exited';
      this.#port.close();
      events.onExit(this, exitCode, expected);
    });
  }

  /** Unclaimed tasks: posted, and not begun. */
  get unclaimed(): number {
    return this.#nextOrder - this.#claimed();
  }

  /**
   * The order of the next task that the worker claims. The word counts modulo 2^16, and fewer tasks
   * than that are ever unclaimed, so the order of the next post completes it. A task that has begun
   * may lie any number of orders behind.
   */
  #claimed(word = Atomics.load(this.#words, kClaim)): number {
    return this.#nextOrder - ((this.#nextOrder - word) & kOrderMask);
  }

  get backgroundActive(): number {
    return Atomics.load(this.#words, kBackgroundActive);
  }

  get backgroundSettled(): number {
    return Atomics.load(this.#words, kBackgroundSettled);
  }

  get backgroundRejected(): number {
    return Atomics.load(this.#words, kBackgroundRejected);
  }

  /** Whether it has ever been ready for tasks. */
  get wasReady(): boolean {
    return this.#address !== null;
  }

  get stages(): StageCounts | null {
    return this.#address === null ? null : readStages(this.#address.words);
  }

  /** Takes a task to be posted by the next {@link post}. */
  add(task: Task): void {
    this.inFlight++;
    task.expectedMs = task.handler.averageMs;
    this.expectedMs += task.expectedMs;
    if (task.fixed) this.#fixed++;
    if (task.abortable) this.abortables++;
    this.#pending.push(task);
  }

  /** Whether it can be given one more task at all. */
  get hasRoom(): boolean {
    return (
      this.#freeSlots.length > this.#pending.length &&
      (this.state === 'booting' || this.state === 'ready')
    );
  }

  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Posts what was added, in order, in as few messages as may be. */
  post(): void {
    const tasks = this.#pending;
    this.#pending = [];
    // What runs getters of payloads may come back here.
    const wasPosting = this.#posting;
    this.#posting = true;
    // Of an idle worker: from it the worker tells how long its wake took.
    let postedAt = tasks.length === this.inFlight ? performance.now() : 0;
    guard.reset();
    let together: Task[] = [];
    for (const task of tasks) {
      if (task.transferList === null && (tasks.length === 1 || guard.admits(task.payload))) {
        together.push(task);
        continue;
      }
      if (together.length > 0) {
        this.#postTogether(together, postedAt);
        together = [];
        postedAt = 0;
      }
      this.#postAlone(task, postedAt);
      postedAt = 0;
      guard.reset();
    }
    if (together.length > 0) this.#postTogether(together, postedAt);
    this.#posting = wasPosting;
    if (this.#address !== null) wake(this.#address);
  }

  #postTogether(tasks: Task[], postedAt: number): void {
    if (tasks.length === 1) {
      this.#postAlone(tasks[0]!, postedAt);
      return;
    }
    const batch: TaskBatch = [this.#generation, postedAt];
    for (const task of tasks) this.#write(batch, task);
    try {
      this.#port.postMessage(batch);
    } catch {
      // One of them cannot be cloned, and nothing was sent: each alone finds out which.
      for (const task of tasks) this.#vacate(task);
      for (const task of tasks) this.#postAlone(task, postedAt);
      return;
    }
    for (const task of tasks) this.#posted(task);
  }

  #postAlone(task: Task, postedAt: number): void {
    const batch: TaskBatch = [this.#generation, postedAt];
    this.#write(batch, task);
    try {
      if (task.transferList === null) this.#port.postMessage(batch);
      else this.#port.postMessage(batch, task.transferList);
    } catch (error) {
      this.#remove(task);
      this.#events.onUnpostable(task, error);
      return;
    }
    this.#posted(task);
  }

  #write(batch: TaskBatch, task: Task): void {
    const { handler } = task;
    if (!this.#knownHandlers.has(handler.index)) this.#send(this.#define(handler));
    // A worker is never given more tasks than it has slots, so there is always one left.
    const slot = this.#freeSlots.pop()!;
    task.slot = slot;
    // Until it is posted: not claimed.
    task.order = this.#nextOrder;
    this.#slots[slot] = task;
    this.#timings[slot * kTimings + kTimingRun] = kStillRunning;
    // Aborted by a getter of a payload.
    if (task.asked !== null) Atomics.store(this.#asks, slot, kAskAborted);
    const index = task.mayExpire ? ~handler.index : handler.index;
    batch.push(task.mayEndWorker ? ~slot : slot, index, task.payload);
  }

  #posted(task: Task): void {
    task.order = this.#nextOrder++;
  }

  #define(handler: Handler): HandlerMessage {
    this.#knownHandlers.add(handler.index);
    return {
      type: 'handler',
      index: handler.index,
      url: handler.url,
      exportName: handler.exportName,
    };
  }

  #send(message: ToWorker): void {
    this.#port.postMessage(message);
  }

  /** Asks for the end of registered background work, answered by `onClosed`. */
  askToClose(): void {
    this.#tell({ type: 'close' });
  }

  /** Lets the worker end by itself, as soon as nothing of its own runs any more. */
  askToRetire(): void {
    this.#tell({ type: 'retire' });
  }

  #tell(message: ToWorker): void {
    this.#leave();
    this.#send(message);
    if (this.#address !== null) wake(this.#address);
  }

  /** Ends the thread at once, whatever it runs. `exit` follows. */
  terminate(): void {
    this.#leave();
    this.#endThread();
  }

  /** Once: Node would add a listener for each call. */
  #endThread(): void {
    if (this.#ended) return;
    this.#ended = true;
    void this.worker.terminate();
  }

  /** Ends a thread that does not come to be ready. It counts as one that ended by itself, of `error`. */
  giveUp(error: unknown): void {
    // A timer comes before what the worker has posted.
    this.catchUp();
    this.#events.onPortDrained();
    if (this.state !== 'booting') return;
    this.#givenUp = true;
    this.error = error;
    this.#endThread();
  }

  #leave(): void {
    if (this.state === 'leaving' || this.state === 'exited') return;
    this.state = 'leaving';
    this.#events.onLeaving(this);
  }

  /** Drains the results that the worker says it posted. Cheap when there are none. */
  poll(): void {
    const results = Atomics.load(this.#words, kResults);
    if (results === this.#seenResults) return;
    this.#seenResults = results;
    this.receive();
  }

  /** Drains everything in the port. */
  receive(): void {
    let received: { message: ToOwner } | undefined;
    for (;;) {
      try {
        received = receiveMessageOnPort(this.#port) as typeof received;
      } catch (error) {
        // A message that cannot be read held results of unknown tasks. They settle as lost, with
        // the worker: it is the only end that is known to be true of all of them.
        this.error ??= error;
        this.#endThread();
        return;
      }
      if (received === undefined) return;
      this.#onMessage(received.message);
    }
  }

  #onMessage(message: ToOwner): void {
    if (Array.isArray(message)) {
      this.#onResults(message);
      return;
    }
    switch (message.type) {
      case 'ready':
        // Too late: it is being terminated, and what it begins would be lost.
        if (this.#givenUp) return;
        this.#address = message.address;
        this.loadFailure = message.failure;
        // What was posted since it began to take tasks has rung nobody.
        if (this.inFlight > 0) wake(message.address);
        if (this.state === 'booting') {
          this.state = 'ready';
          this.idleSince = performance.now();
        }
        this.#events.onReady(this);
        return;
      case 'backgroundError':
        this.#events.onBackgroundError(this, fromWire(message.code, message.value));
        return;
      case 'closed':
        this.#events.onClosed(this);
        return;
    }
  }

  #onResults(results: ResultBatch): void {
    for (let i = 0; i < results.length; i += 3) {
      const slot = results[i] as number;
      const task = this.#slots[slot];
      if (task === undefined) continue;
      const code = results[i + 1] as number;
      this.#measure(task, slot);
      this.#remove(task);
      if (code === kReturned) this.completed++;
      else this.failed++;
      this.#events.onResult(task, code, results[i + 2], this.threadId);
    }
    this.mayPrefetch = true;
  }

  #measure(task: Task, slot: number): void {
    const timings = this.#timings;
    const at = slot * kTimings;
    const runMs = timings[at + kTimingRun]!;
    const waitMs = timings[at + kTimingStart]! - task.acceptedAt;
    task.handler.measure(runMs);
    this.latencies?.record(waitMs, runMs, timings[at + kTimingWake]!);
    if (this.#onTiming !== null) this.#onTiming(this, waitMs, runMs);
  }

  /** Frees the slot only: the task stays counted. */
  #vacate(task: Task): void {
    if (task.slot < 0) return;
    if (task.asked !== null || task.limits !== null)
      Atomics.store(this.#asks, task.slot, kAskNothing);
    this.#slots[task.slot] = undefined;
    this.#freeSlots.push(task.slot);
    task.slot = -1;
  }

  #remove(task: Task): void {
    this.#vacate(task);
    this.expectedMs -= task.expectedMs;
    if (task.fixed) this.#fixed--;
    if (task.abortable) this.abortables--;
    if (--this.inFlight > 0) return;
    this.exclusive = false;
    // Sums of floating-point numbers drift; an empty worker is where they start anew.
    this.expectedMs = 0;
    this.idleSince = performance.now();
  }

  /**
   * Takes back every task that the worker has not claimed, in order. A worker that was revoked
   * from gets no prefetch until it shows a result, so that entries of old generations stay few.
   * If one of them is fixed none is taken, because it cannot be dealt again; `unwanted` need not be.
   */
  revoke(unwanted: Task | null = null): Task[] {
    const words = this.#words;
    // The message that is being written has its generation already.
    if (this.#posting) return [];
    for (;;) {
      const word = Atomics.load(words, kClaim);
      const claimed = this.#claimed(word);
      if (this.#nextOrder === claimed) return [];
      const tasks = this.#held(claimed).unclaimed;
      if (this.#fixed > 0 && tasks.some((task) => task.fixed && task !== unwanted && !task.settled))
        return [];
      const generation = ((word >>> 16) + 1) & 0xffff;
      if (
        Atomics.compareExchange(words, kClaim, word, (generation << 16) | (word & kOrderMask)) !==
        word
      )
        continue;
      this.#generation = generation;
      this.#nextOrder = claimed;
      this.mayPrefetch = false;
      for (const task of tasks) this.#remove(task);
      return tasks;
    }
  }

  catchUp(): void {
    if (this.#portable) this.receive();
    else this.poll();
  }

  startedAt(task: Task): number {
    if (task.slot < 0 || task.order >= this.#claimed()) return -1;
    // The worker writes the start before it claims, so what is read here belongs to this task.
    return this.#timings[task.slot * kTimings + kTimingStart]!;
  }

  isRunning(task: Task): boolean {
    return (
      this.startedAt(task) >= 0 &&
      this.#timings[task.slot * kTimings + kTimingRun] === kStillRunning
    );
  }

  ask(task: Task, what: number): void {
    if (task.slot < 0) return;
    Atomics.store(this.#asks, task.slot, what);
    // Published like work: the worker looks at the slots when its loop finds that the epoch moved.
    Atomics.add(this.#words, kAsks, 1);
    if (this.#portable) this.#send({ type: 'asked' });
    else if (this.#address !== null) wake(this.#address);
  }

  askToSkip(task: Task): boolean {
    // The other side of the worker's own exchange when it begins the task: one of them comes first.
    return Atomics.compareExchange(this.#asks, task.slot, kAskNothing, kAskTimeout) === kAskNothing;
  }

  /** Whether it holds a task that cannot be taken back: nothing is put behind it. */
  get holdsFixed(): boolean {
    return this.#fixed > 0;
  }

  /** Empties the table of a worker that ended. */
  abandon(): Held {
    const held = this.#held(this.#claimed());
    for (const task of held.started) this.#remove(task);
    for (const task of held.unclaimed) this.#remove(task);
    for (const task of this.#pending) this.#remove(task);
    held.unclaimed.push(...this.#pending);
    this.#pending = [];
    return held;
  }

  #held(claimed: number): Held {
    const started: Task[] = [];
    const unclaimed: Task[] = [];
    for (const task of this.#slots) {
      if (task !== undefined) (task.order >= claimed ? unclaimed : started).push(task);
    }
    unclaimed.sort((a, b) => a.order - b.order);
    return { started, unclaimed };
  }

  /** Whether it holds unclaimed tasks and has claimed none for `ms`; says so once in every `ms`. */
  isStuck(now: number, ms: number): boolean {
    const claimed = this.#claimed();
    if (claimed !== this.#progressClaimed) {
      this.#progressClaimed = claimed;
      this.#progressAt = now;
      return false;
    }
    if (claimed === this.#nextOrder || now - this.#progressAt <= ms) return false;
    // From now on it has as long again: what is taken back may be all but dealt to it anew, and
    // then this is what keeps the two from following each other for ever.
    this.#progressAt = now;
    return true;
  }
}
