// One worker thread, as the pool's thread sees it: the thread, its channel, and what it says.
//
// What it was given, and what it has begun, is in `slots.ts`. Here are the thread's start and end,
// posting with one wake for many tasks, and the dispatch of its results and control messages.
//
// Guarantee: nothing that the thread sends, readable or not, throws on the owner's thread.

import { join } from 'node:path';
import { MessageChannel, Worker, type MessagePort, type WorkerOptions } from 'node:worker_threads';
import { AtomicsLoad, bareList, now, SafeSet } from '../base/intrinsics.js';
import { unreadable } from '../errors.js';
import { readStages, thisLoop, wake, type LoopAddress, type StageCounts } from '../wait/loop.js';
import { Carrier } from '../wire/carrier.js';
import {
  Channel,
  createChannelMemory,
  kBackgroundActive,
  kBackgroundRejected,
  kBackgroundSettled,
  kControlsToOwner,
  kControlsToWorker,
  kOwnerKicked,
  kPrefetchMax,
  kWorkerKicked,
} from '../wire/channel.js';
import { ControlPort } from '../wire/control-port.js';
import { fromWire } from '../wire/errors/decoder.js';
import {
  clockOrigin,
  kReturned,
  kThrew,
  type HandlerMessage,
  type Init,
  type ToOwner,
  type ToWorker,
  type WireFailure,
} from '../wire/messages.js';
import { UnreadableValue, ValuePort } from '../wire/value-port.js';
import type { Handler } from './handlers.js';
import { Recorder } from './recorder.js';
import { Slots, type Held } from './slots.js';
import type { Task } from './task.js';

/** What every worker thread runs. */
const kWorkerFile = join(__dirname, '..', 'worker', 'main.js');

export interface WorkerSpec {
  readonly workerOptions: WorkerOptions;
  /**
   * Tasks that the worker begins before it has ended others. A balancer may count on more than the
   * dispatcher does.
   */
  readonly concurrency: number;
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly portable: boolean;
  readonly preload: Handler | null;
  /** Handlers are called with the task alone; `setup` and `teardown` are exports like any other. */
  readonly bare: boolean;
  readonly niceIncrement: number;
  /** Its handle keeps the times of its tasks, for statistics. */
  readonly recordsLatencies: boolean;
  /** Called with the times of each task that ended in its worker, in ms. Must not throw. */
  readonly onTiming: ((worker: WorkerHandle, waitMs: number, runMs: number) => void) | null;
}

/** What a worker reports to the pool. None of these may throw but `onMessage`. */
export interface WorkerEvents {
  onReady(worker: WorkerHandle): void;
  /** The worker's own code posted a message on its `parentPort`. */
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

/** The words that the owner's side of a control port goes by. */
const kControlWords = {
  sent: kControlsToWorker,
  received: kControlsToOwner,
  kicked: kOwnerKicked,
  kicks: kWorkerKicked,
};

export class WorkerHandle {
  readonly worker: Worker;
  /** Outlives the thread; Node's own turns -1. */
  readonly threadId: number;
  readonly slots: Slots;
  /** The times of its tasks; null where nobody reads them. */
  readonly latencies: Recorder | null;
  readonly #channel: Channel;
  readonly #control: ControlPort<ToWorker, ToOwner>;
  readonly #onTiming: WorkerSpec['onTiming'];
  readonly #portable: boolean;
  readonly #events: WorkerEvents;
  readonly #knownHandlers = new SafeSet<number>();
  #address: LoopAddress | null = null;
  /** Was added and not posted. */
  #pending: (Task | null)[] = bareList();
  #pendingCount = 0;
  #pendingBytes = 0;
  #posting = false;
  #collecting = false;
  #givenUp = false;
  /** It said that a failure follows. */
  #awaitsFailure = false;
  #ended = false;

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
  idleSince = now();
  readonly bornAt = now();
  /** Why it ended, where an uncaught exception said so. */
  error: unknown = undefined;
  /** Why it could not load the pool's handler, once it is ready, as it crossed. */
  loadFailure: WireFailure | null = null;
  /** Its tasks that have a signal. */
  abortables = 0;
  /** Tasks settled with a value, and with an error that the handler threw. */
  completed = 0;
  failed = 0;
  /** Fires when it takes too long to be ready. */
  bootTimer: NodeJS.Timeout | undefined = undefined;
  /** The task that was next when {@link isStuck} last looked, and since when. */
  #next: Task | null = null;
  #nextSince = 0;

  constructor(spec: WorkerSpec, events: WorkerEvents) {
    const memory = createChannelMemory(spec.concurrency + kPrefetchMax);
    this.#channel = new Channel(memory);
    this.latencies = spec.recordsLatencies ? new Recorder() : null;
    this.#onTiming = spec.onTiming;
    this.#portable = spec.portable;
    this.#events = events;
    this.worker = new Worker(kWorkerFile, spec.workerOptions);
    this.threadId = this.worker.threadId;
    const values = new MessageChannel();
    const control = new MessageChannel();
    const onArrival = spec.portable ? (): void => this.#receive() : null;
    this.slots = new Slots(
      this.#channel,
      new Carrier(this.#channel, new ValuePort(values.port1, onArrival)),
    );
    this.#control = new ControlPort<ToWorker, ToOwner>(
      control.port1,
      this.#channel,
      kControlWords,
      spec.portable,
      (message) => {
        this.#onControl(message);
        if (spec.portable) events.onPortDrained();
      },
    );
    const init: Init = {
      type: 'cenote:init',
      channel: memory,
      values: values.port2,
      control: control.port2,
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
    this.worker.postMessage(init, [values.port2, control.port2]);
    this.worker.on('message', (message: unknown) => events.onMessage(this, message));
    this.worker.on('error', (error: unknown) => {
      this.error = error;
    });
    // An idle pool does not hold the process; the loop is held while tasks are outstanding. A
    // listener for messages holds it as well, so this comes after it.
    this.worker.unref();
    if (spec.portable) {
      values.port1.unref();
      control.port1.unref();
    }
    this.worker.on('exit', (exitCode: number) =>
      this.#onExit(exitCode, [values.port1, control.port1]),
    );
  }

  #onExit(exitCode: number, ports: readonly [MessagePort, MessagePort]): void {
    this.#control.drain();
    this.#collect();
    const expected = this.state === 'leaving';
    this.state = 'exited';
    ports[0].close();
    ports[1].close();
    this.#events.onExit(this, exitCode, expected);
  }

  get backgroundActive(): number {
    return AtomicsLoad(this.#channel.cells, kBackgroundActive);
  }

  get backgroundSettled(): number {
    return AtomicsLoad(this.#channel.cells, kBackgroundSettled);
  }

  get backgroundRejected(): number {
    return AtomicsLoad(this.#channel.cells, kBackgroundRejected);
  }

  /** Whether it has ever been ready for tasks. */
  get wasReady(): boolean {
    return this.#address !== null;
  }

  get stages(): StageCounts | null {
    return this.#address === null ? null : readStages(this.#address.words);
  }

  // Giving

  /** Whether it can be given one more task at all. */
  get hasRoom(): boolean {
    return (
      (this.state === 'booting' || this.state === 'ready') &&
      this.slots.hasRoom(this.#pendingCount + 1, this.#pendingBytes)
    );
  }

  get hasPending(): boolean {
    return this.#pendingCount > 0;
  }

  /** Takes a task to be posted by the next {@link post}. */
  add(task: Task): void {
    this.inFlight++;
    task.expectedMs = task.handler.averageMs;
    this.expectedMs += task.expectedMs;
    if (task.abortable) this.abortables++;
    this.#pending[this.#pending.length] = task;
    this.#pendingCount++;
    this.#pendingBytes += task.handler.averageBytes;
  }

  /** Posts what was added, in order. */
  post(): void {
    // What runs getters of payloads may come back here; the loop that runs already goes on with it.
    if (this.#posting) return;
    this.#posting = true;
    // Of an idle worker: from it the worker tells how long its wake took.
    let postedAt = this.#pendingCount === this.inFlight ? now() : 0;
    for (let i = 0; i < this.#pending.length; i++) {
      const task = this.#pending[i];
      if (task === null || task === undefined) continue;
      this.#pending[i] = null;
      this.#pendingCount--;
      this.#pendingBytes -= task.handler.averageBytes;
      this.#post(task, postedAt);
      postedAt = 0;
    }
    this.#pending = bareList();
    this.#pendingCount = 0;
    this.#pendingBytes = 0;
    this.#posting = false;
    this.#wake();
  }

  #post(task: Task, postedAt: number): void {
    const { handler } = task;
    if (!this.#knownHandlers.has(handler.index)) this.#control.post(this.#define(handler));
    try {
      this.slots.post(task, postedAt);
    } catch (error) {
      // Unless a getter of its payload had it taken back first.
      if (task.holder === this) {
        this.#release(task);
        this.#events.onUnpostable(task, error);
      }
    }
  }

  #define(handler: Handler): HandlerMessage {
    this.#knownHandlers.add(handler.index);
    const { index, url, exportName } = handler;
    return { type: 'handler', index, url, exportName };
  }

  /** Makes the worker look at what was published for it. */
  #wake(): void {
    if (this.#portable) this.#control.kick();
    else if (this.#address !== null) wake(this.#address);
  }

  /** The task is no longer this worker's. */
  #release(task: Task): void {
    this.expectedMs -= task.expectedMs;
    if (task.abortable) this.abortables--;
    if (--this.inFlight > 0) return;
    this.exclusive = false;
    // Sums of floating-point numbers drift; an empty worker is where they start anew.
    this.expectedMs = 0;
    this.idleSince = now();
  }

  // Taking back

  /** Takes back a task that it has not begun. `false`: it has. */
  revoke(task: Task): boolean {
    if (!this.#unqueue(task) && (task.slot < 0 || !this.slots.revoke(task))) return false;
    task.holder = null;
    this.#release(task);
    return true;
  }

  /** A task that is to be posted, and is not yet. */
  #unqueue(task: Task): boolean {
    if (this.#pendingCount === 0) return false;
    for (let i = 0; i < this.#pending.length; i++) {
      if (this.#pending[i] !== task) continue;
      this.#pending[i] = null;
      this.#pendingCount--;
      this.#pendingBytes -= task.handler.averageBytes;
      return true;
    }
    return false;
  }

  /**
   * Takes back posted tasks that the worker has not begun, in order: all but the first `kept`, and
   * but for those that no other can be given. It gets no prefetch then until it shows a result.
   */
  revokeAll(kept = 0): Task[] {
    const tasks = this.slots.revokeAll(kept);
    if (tasks.length > 0) this.mayPrefetch = false;
    for (let i = 0; i < tasks.length; i++) {
      tasks[i]!.holder = null;
      this.#release(tasks[i]!);
    }
    return tasks;
  }

  /** Whether it holds unclaimed tasks and has begun none for `ms`; says so once in every `ms`. */
  isStuck(at: number, ms: number): boolean {
    const { next } = this.slots;
    if (next === null || next !== this.#next) {
      this.#next = next;
      this.#nextSince = at;
      return false;
    }
    if (at - this.#nextSince <= ms) return false;
    this.#nextSince = at;
    return true;
  }

  /** Tells a task that runs to end. */
  ask(task: Task, what: number): void {
    this.slots.ask(task, what);
    this.#wake();
  }

  /** Empties the table: what it had begun, and what it had not. */
  abandon(): Held {
    const held = this.slots.abandon();
    for (let i = 0; i < this.#pending.length; i++) {
      const task = this.#pending[i];
      if (task !== null && task !== undefined) held.unclaimed[held.unclaimed.length] = task;
    }
    this.#pending = bareList();
    this.#pendingCount = 0;
    this.#pendingBytes = 0;
    for (let i = 0; i < held.started.length; i++) this.#release(held.started[i]!);
    for (let i = 0; i < held.unclaimed.length; i++) {
      held.unclaimed[i]!.holder = null;
      this.#release(held.unclaimed[i]!);
    }
    return held;
  }

  // Receiving

  /** Settles what has ended by now. Cheap if nothing has. */
  poll(): void {
    this.#control.poll();
    if (this.slots.hasResults) this.#collect();
  }

  /** As {@link poll}; a port may also have what no event has told yet. */
  catchUp(): void {
    if (this.#portable) this.#control.drain();
    this.poll();
  }

  /** A port event: something has come. */
  #receive(): void {
    this.poll();
    this.#events.onPortDrained();
  }

  #collect(): void {
    // A caller's code may come back here; the loop that runs already goes on with it.
    if (this.#collecting) return;
    this.#collecting = true;
    try {
      while (this.slots.collect(this.#settle)) this.mayPrefetch = true;
    } finally {
      this.#collecting = false;
    }
  }

  readonly #settle = (
    task: Task,
    code: number,
    value: unknown,
    runMs: number,
    startedAt: number,
    wakeMs: number,
  ): void => {
    const waitMs = startedAt - task.acceptedAt;
    task.handler.measure(runMs);
    this.latencies?.record(waitMs, runMs, wakeMs);
    if (this.#onTiming !== null) this.#onTiming(this, waitMs, runMs);
    this.#release(task);
    if (value instanceof UnreadableValue) {
      this.failed++;
      this.#events.onResult(task, kThrew, unreadable('result', value.cause), this.threadId);
      return;
    }
    if (code === kReturned) this.completed++;
    else this.failed++;
    this.#events.onResult(task, code, value, this.threadId);
  };

  #onControl(message: ToOwner | UnreadableValue): void {
    if (message instanceof UnreadableValue) {
      // Only what user code threw can be unreadable.
      if (this.#awaitsFailure) this.#onReady([kThrew, message.cause]);
      else this.#events.onBackgroundError(this, message.cause);
      return;
    }
    switch (message.type) {
      case 'ready':
        // Too late: it is being terminated, and what it begins would be lost.
        if (this.#givenUp) return;
        this.#address = message.address;
        if (message.failed) this.#awaitsFailure = true;
        else this.#onReady(null);
        return;
      case 'failure':
        if (!this.#givenUp) this.#onReady(message.failure);
        return;
      case 'backgroundError':
        this.#events.onBackgroundError(this, fromWire(message.failure[0], message.failure[1]));
        return;
      case 'closed':
        this.#events.onClosed(this);
        return;
      case 'kick':
        this.poll();
        return;
    }
  }

  #onReady(failure: WireFailure | null): void {
    this.#awaitsFailure = false;
    this.loadFailure = failure;
    // What was posted since it began to take tasks has rung nobody.
    if (this.inFlight > 0) this.#wake();
    if (this.state === 'booting') {
      this.state = 'ready';
      this.idleSince = now();
    }
    this.#events.onReady(this);
  }

  // Ending

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
    this.#control.post(message);
    if (!this.#portable) this.#wake();
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

  /** Ends a thread that is not ready in time. It counts as one that ended by itself, of `error`. */
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
}
