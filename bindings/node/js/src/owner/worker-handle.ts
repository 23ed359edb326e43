// One worker, as the pool's thread sees it: its state, what it holds, and what it says.
//
// What it was given, and what it has begun, is in `slots.ts`; its thread or process, and its
// channel, are its body (`body.ts`). Here tasks are posted with one wake for many, and results and
// control messages are dealt with.
//
// Guarantee: nothing that the thread sends, readable or not, throws on the owner's thread.

import { bareList, now } from '../base/intrinsics.js';
import { unreadable } from '../errors.js';
import { fromWire } from '../wire/errors/decoder.js';
import { kReturned, kThrew, type ToOwner, type WireFailure } from '../wire/messages.js';
import { UnreadableValue } from '../wire/value-port.js';
import { startBody, type Body } from './body.js';
import { Outgoing } from './outgoing.js';
import { Progress } from './progress.js';
import { retire } from './retire.js';
import { Recorder, type BackgroundCounts } from './recorder.js';
import { Slots, type Held, type Settle } from './slots.js';
import type { Task } from './task.js';
import type { ThreadEvents } from './thread.js';
import type { WorkerEvents, WorkerSpec } from './worker-events.js';

/**
 * How long a result waits for output of a worker that tells nothing of it, in ms. A blocked worker
 * keeps its caller for so long; a busy machine takes a while to run a worker that is not.
 */
const kPatienceMs = 200;

/** While many tasks are posted the worker begins: it is woken after so many, again and again, */
const kWakeCount = 8;
/** and after a large one, if the last wake was so many ms ago. */
const kWakeMs = 0.05;

export class WorkerHandle implements ThreadEvents {
  readonly slots: Slots;
  readonly progress: Progress;
  /** The times of its tasks; null where nobody reads them. */
  readonly latencies: Recorder | null;
  readonly body: Body;
  readonly #onTiming: WorkerSpec['onTiming'];
  readonly #portable: boolean;
  readonly #events: WorkerEvents;
  readonly #outgoing = new Outgoing();
  #posting = false;
  #collecting = false;
  #givenUp = false;
  /** Its thread ends, or has ended. */
  #isGone = false;
  /** It said that a failure follows. */
  #awaitsFailure = false;
  /** It ends when what it runs has. */
  #isDraining = false;
  readonly #quota: number;

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
  /** Registered background work that rejected, as far as the pool has been told. */
  #backgroundFailed = 0;

  constructor(spec: WorkerSpec, events: WorkerEvents) {
    this.#onTiming = spec.onTiming;
    this.#portable = spec.portable;
    this.#events = events;
    this.#quota = spec.quota;
    this.latencies = spec.recordsLatencies ? new Recorder() : null;
    this.body = startBody(spec, this);
    this.slots = new Slots(this.body.channel, this.body.carrier);
    this.progress = new Progress(() => this.body.cpuMs);
  }

  get threadId(): number {
    return this.body.id;
  }

  /** Whether it has ever been ready for tasks. */
  get wasReady(): boolean {
    return this.body.address !== null;
  }

  get background(): BackgroundCounts {
    return { ...this.body.background, failed: this.#backgroundFailed };
  }

  /** Whether it can be given one more task at all. */
  get hasRoom(): boolean {
    return (
      (this.state === 'booting' || this.state === 'ready') &&
      !this.#isGone &&
      this.inFlight + this.completed + this.failed < this.#quota &&
      this.slots.hasRoom(this.#outgoing.count + 1, this.#outgoing.bytes)
    );
  }

  get hasPending(): boolean {
    return this.#outgoing.count > 0;
  }

  /** Takes a task to be posted by the next {@link post}. */
  add(task: Task): void {
    this.inFlight++;
    task.expectedMs = task.handler.averageMs;
    this.expectedMs += task.expectedMs;
    if (task.abortable) this.abortables++;
    this.#outgoing.add(task);
  }

  /** Posts what was added, in order. */
  post(): void {
    // What runs getters of payloads may come back here; the loop that runs already goes on with it.
    if (this.#posting) return;
    this.#posting = true;
    // Of an idle worker: from it the worker tells how long its wake took.
    let postedAt = this.#outgoing.count === this.inFlight ? now() : 0;
    let wokenAt = 0;
    let posted = 0;
    const back: Task[] = bareList();
    try {
      for (let task = this.#outgoing.next(); task !== null; task = this.#outgoing.next()) {
        if ((back.length > 0 || this.slots.isFull) && !task.pinned) {
          task.holder = null;
          this.#release(task);
          back[back.length] = task;
          continue;
        }
        this.#post(task, postedAt);
        postedAt = 0;
        if (this.slots.lastBytes > 0) {
          // To send it took its time: the worker reads it while the next is sent.
          const at = now();
          if (at - wokenAt < kWakeMs) continue;
          wokenAt = at;
        } else if (++posted % kWakeCount > 0) {
          continue;
        }
        this.body.wake();
      }
    } finally {
      this.#posting = false;
    }
    this.body.wake();
    if (back.length > 0) this.#events.onNoRoom(back);
  }

  #post(task: Task, postedAt: number): void {
    this.body.define(task.handler);
    try {
      this.slots.post(task, postedAt);
    } catch (error) {
      // Unless a getter of its payload had it taken back first.
      if (task.holder !== this) return;
      this.#release(task);
      this.#events.onUnpostable(task, error);
    }
  }

  /** The task is no longer this worker's. */
  #release(task: Task): void {
    this.expectedMs -= task.expectedMs;
    if (task.abortable) this.abortables--;
    if (--this.inFlight > 0) return;
    this.exclusive = false;
    this.progress.reset();
    // Sums of floating-point numbers drift; an empty worker is where they start anew.
    this.expectedMs = 0;
    this.idleSince = now();
    if (this.#isDraining) retire(this);
  }

  /** Takes back a task that it has not begun. `false`: it has. */
  revoke(task: Task): boolean {
    if (!this.#outgoing.remove(task) && (task.slot < 0 || !this.slots.revoke(task))) return false;
    task.holder = null;
    this.#release(task);
    return true;
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

  /** Whether it holds unclaimed tasks and has begun none for too long; says so once in a while. */
  isStuck(): boolean {
    return this.progress.isStuck(this.slots.next);
  }

  /** Tells a task that runs to end. */
  ask(task: Task, what: number): void {
    this.slots.ask(task, what);
    this.body.wake();
  }

  /** Empties the table: what it had begun, and what it had not. */
  abandon(): Held {
    const held = this.slots.abandon();
    for (let task = this.#outgoing.next(); task !== null; task = this.#outgoing.next()) {
      held.unclaimed[held.unclaimed.length] = task;
    }
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
    this.body.control.poll();
    if (this.slots.hasResults) this.#collect(Infinity);
  }

  /** As {@link poll}, where no event has told: waits for output for so long at most. */
  catchUp(patienceMs = kPatienceMs): void {
    this.body.catchUp();
    this.#collect(patienceMs);
  }

  onValue(): void {
    this.poll();
    this.#events.onPortDrained();
  }

  #collect(patienceMs: number): void {
    // A caller's code may come back here; the loop that runs already goes on with it.
    if (this.#collecting) return;
    this.#collecting = true;
    try {
      while (this.slots.collect(this.#settle)) this.mayPrefetch = true;
      this.slots.collectWithheld(patienceMs, this.#settle);
      this.slots.passClaimed();
    } finally {
      this.#collecting = false;
    }
  }

  readonly #settle: Settle = (task, code, value, runMs, startedAt, wakeMs) => {
    const waitMs = startedAt - task.acceptedAt;
    task.handler.measure(runMs);
    if (wakeMs > 0) task.handler.lookAtHop(task.acceptedAt + runMs);
    this.latencies?.record(waitMs, runMs, wakeMs);
    if (this.#onTiming !== null) this.#onTiming(this, waitMs, runMs);
    this.#release(task);
    const { threadId } = this;
    if (task.trace !== null || task.terms !== null) task.noteRun(waitMs, runMs, threadId);
    if (value instanceof UnreadableValue) {
      this.failed++;
      this.#events.onResult(task, kThrew, unreadable('result', value.cause), threadId);
      return;
    }
    if (code === kReturned) this.completed++;
    else this.failed++;
    this.#events.onResult(task, code, value, threadId);
  };

  onControl(message: ToOwner | UnreadableValue): void {
    this.#onControl(message);
    if (this.#portable) this.#events.onPortDrained();
  }

  #onControl(message: ToOwner | UnreadableValue): void {
    if (message instanceof UnreadableValue) {
      // Only what user code threw can be unreadable.
      if (this.#awaitsFailure) this.#onReady([kThrew, message.cause]);
      else this.#onBackgroundError(message.cause, true);
      return;
    }
    switch (message.type) {
      case 'ready':
        // Too late: it is being terminated, and what it begins would be lost.
        if (this.#givenUp) return;
        this.body.address = message.address;
        if (message.failed) this.#awaitsFailure = true;
        else this.#onReady(null);
        return;
      case 'failure':
        if (!this.#givenUp) this.#onReady(message.failure);
        return;
      case 'backgroundError': {
        const { failure, registered } = message;
        this.#onBackgroundError(fromWire(failure[0], failure[1]), registered);
        return;
      }
      case 'closed':
        this.#events.onClosed(this);
        return;
      case 'kick':
        this.poll();
        return;
    }
  }

  #onBackgroundError(error: unknown, registered: boolean): void {
    if (registered) this.#backgroundFailed++;
    this.#events.onBackgroundError(this, error);
  }

  #onReady(failure: WireFailure | null): void {
    this.#awaitsFailure = false;
    this.loadFailure = failure;
    // What was posted since it began to take tasks has rung nobody.
    if (this.inFlight > 0) this.body.wake();
    if (this.state === 'booting') {
      this.state = 'ready';
      this.idleSince = now();
    }
    this.#events.onReady(this);
  }

  onMessage(message: unknown): void {
    this.#events.onMessage(this, message);
  }

  onError(error: unknown): void {
    this.error = error;
  }

  onExit(exitCode: number): void {
    // What comes now may have tasks dealt: none to this one.
    this.#isGone = true;
    this.body.control.drain();
    this.#collect(0);
    const expected = this.state === 'leaving' && (!this.#isDraining || this.inFlight === 0);
    this.state = 'exited';
    this.body.closePorts();
    this.#events.onExit(this, exitCode, expected);
  }

  /** Asks it to end once its registered background work is done, which `onClosed` says. */
  close(): void {
    this.#leave();
    this.body.tell({ type: 'close' });
  }

  /** Gives it no more tasks, and has it end when nothing that it was left with runs any more. */
  drain(): void {
    this.#leave();
    this.#isDraining = true;
    if (this.inFlight === 0) retire(this);
  }

  /** Ends the thread at once, whatever it runs. `exit` follows. */
  terminate(): void {
    this.#isDraining = false;
    this.#leave();
    this.body.terminate();
  }

  /** Ends a thread that is not ready in time. It counts as one that ended by itself, of `error`. */
  giveUp(error: unknown): void {
    // A timer comes before what the worker has posted.
    this.catchUp();
    this.#events.onPortDrained();
    if (this.state !== 'booting') return;
    this.#givenUp = true;
    this.#isGone = true;
    this.error = error;
    this.body.terminate();
  }

  #leave(): void {
    if (this.state === 'leaving' || this.state === 'exited') return;
    this.state = 'leaving';
    this.#events.onLeaving(this);
  }
}
