// What a worker was given: its tasks by slot, which of them it has begun, and taking them back.
//
// Guarantees: a task is in one slot at most; a slot is used again only once the worker has read
// past its entry, so nothing that was taken back can be mistaken for what was posted later; what
// lies unread for the worker is bounded in entries (the slots) and in bytes (kUnreadBytesMax, or
// one entry), taken back or not. The states are in `wire/channel.ts`.
//
// The worker claims in the order of the posts. So the unclaimed tasks are the end of the posted
// ones, and where it begins is found by looking at states from the last known place on.

import {
  bareList,
  AtomicsAdd,
  AtomicsCompareExchange,
  AtomicsLoad,
  AtomicsStore,
} from '../base/intrinsics.js';
import type { ValueCarrier } from '../wire/carrier.js';
import {
  kAskNothing,
  kAsks,
  kClaimed,
  kFree,
  kPosted,
  kRevoked,
  kStillRunning,
  RingReader,
  RingWriter,
  type Channel,
} from '../wire/channel.js';
import { reverse } from './lists.js';
import { sizeOf } from './size-of.js';
import type { Task } from './task.js';
import { Withheld, type Result } from './withheld.js';

/** What a worker held when it ended. */
export interface Held {
  /** It had called their handlers. */
  readonly started: Task[];
  readonly unclaimed: Task[];
}

/** How much may lie unread for a worker, beyond one task, in bytes that are estimated. */
const kUnreadBytesMax = 4 * 1024 * 1024;

/** Posted tasks that were claimed are dropped from the list when they are so many. */
const kPassedMax = 1024;

/** What is done with a result. `value` may be an `UnreadableValue`; times are in ms. */
export type Settle = (
  task: Task,
  code: number,
  value: unknown,
  runMs: number,
  startedAt: number,
  wakeMs: number,
) => void;

export class Slots {
  readonly #channel: Channel;
  readonly #carrier: ValueCarrier;
  readonly #ring: RingWriter;
  readonly #results: RingReader;
  readonly #withheld: Withheld;
  readonly #tasks: (Task | undefined)[] = bareList();
  /** Slots that can be used, so many; the last is used next. A list's length costs to set. */
  readonly #free: number[] = bareList();
  #freeCount = 0;
  /** Slots whose tasks were taken back, and that the worker has yet to read past. */
  readonly #revoked: number[] = bareList();
  /**
   * Posted tasks, in order; what is null was taken back, or was claimed: all before
   * #firstUnclaimed.
   */
  #posted: (Task | null)[] = bareList();
  #firstUnclaimed = 0;
  #postedCount = 0;
  /** By slot: what its entry is estimated to hold in the port, until the worker has read it. */
  readonly #bytes: Float64Array;
  #unreadBytes = 0;
  /** What the last task that was posted holds in the port. */
  lastBytes = 0;
  /** Being sent: code of the user's may run meanwhile. */
  #sending: Task | null = null;

  constructor(channel: Channel, carrier: ValueCarrier) {
    this.#channel = channel;
    this.#carrier = carrier;
    this.#ring = new RingWriter(channel.tasks);
    this.#results = new RingReader(channel.results);
    this.#withheld = new Withheld(channel);
    this.#bytes = new Float64Array(channel.slots);
    for (let slot = 0; slot < channel.slots; slot++) {
      this.#tasks[slot] = undefined;
      this.#free[this.#freeCount++] = channel.slots - 1 - slot;
    }
  }

  /** Whether so many more tasks, with that many bytes, may be posted. */
  hasRoom(tasks: number, bytes: number): boolean {
    this.#reclaim();
    if (this.#freeCount < tasks) return false;
    if (bytes === 0 && this.#unreadBytes === 0) return true;
    this.#lookAtClaims();
    return this.#unreadBytes + bytes < kUnreadBytesMax;
  }

  /** Whether as many bytes lie unread as may. */
  get isFull(): boolean {
    if (this.#unreadBytes < kUnreadBytesMax) return false;
    this.#lookAtClaims();
    return this.#unreadBytes >= kUnreadBytesMax;
  }

  /** Whether the worker has yet to read past tasks that were taken back. */
  get hasRevoked(): boolean {
    this.#reclaim();
    return this.#revoked.length > 0;
  }

  /** Tasks that are posted and that the worker has not begun. */
  get unclaimed(): number {
    this.#lookAtClaims();
    let count = 0;
    for (let i = this.#firstUnclaimed; i < this.#postedCount; i++) {
      if (this.#posted[i] !== null) count++;
    }
    return count;
  }

  /** The task that the worker is to begin next, if there is one. */
  get next(): Task | null {
    this.#lookAtClaims();
    return this.#firstUnclaimed < this.#postedCount ? this.#posted[this.#firstUnclaimed]! : null;
  }

  // Posting

  /**
   * Posts a task; the worker is to be woken. `postedAt` is 0 unless the worker is idle. Throws what
   * the clone of its payload throws; it was not posted then.
   */
  post(task: Task, postedAt: number): void {
    const channel = this.#channel;
    // The worker was given no more than it has slots.
    const slot = this.#free[--this.#freeCount]!;
    task.slot = slot;
    this.#tasks[slot] = task;
    this.#sending = task;
    const { payload, transferList, handler } = task;
    let bytes;
    try {
      bytes = this.#carrier.send(slot, payload, transferList, handler.prospects);
    } catch (error) {
      this.#free[this.#freeCount++] = slot;
      this.#forget(task);
      throw error;
    } finally {
      this.#sending = null;
    }
    if (bytes < 0) bytes = sizeOf(payload);
    handler.measureBytes(bytes);
    this.#bytes[slot] = this.lastBytes = bytes;
    this.#unreadBytes += bytes;
    channel.setHandler(slot, handler.index);
    channel.setCode(slot, task.mayEndWorker ? 1 : 0);
    channel.setPostedAt(slot, postedAt);
    channel.setRunMs(slot, kStillRunning);
    channel.setEntered(slot, false);
    if (task.slot < 0) {
      // Taken back by a getter of its payload. The message may be out, so the entry goes as well.
      AtomicsStore(channel.cells, channel.stateAt(slot), kRevoked);
      this.#carrier.free(slot);
      this.#revoked[this.#revoked.length] = slot;
    } else {
      AtomicsStore(channel.cells, channel.stateAt(slot), kPosted);
      this.#posted[this.#postedCount++] = task;
    }
    this.#ring.push(slot);
  }

  #forget(task: Task): void {
    if (task.slot < 0) return;
    this.#tasks[task.slot] = undefined;
    task.slot = -1;
  }

  // Taking back

  /** Takes a task back that the worker has not begun. `false`: it has. */
  revoke(task: Task): boolean {
    if (task === this.#sending) {
      this.#forget(task);
      return true;
    }
    if (!this.#revokeSlot(task.slot)) return false;
    for (let i = this.#postedCount - 1; i >= this.#firstUnclaimed; i--) {
      if (this.#posted[i] === task) this.#posted[i] = null;
    }
    this.#forget(task);
    return true;
  }

  /**
   * Takes back what the worker has not begun, in order: all but the first `kept`, and but for what
   * no other can be given, or not yet.
   */
  revokeAll(kept: number): Task[] {
    this.#lookAtClaims();
    const tasks: Task[] = bareList();
    let first = this.#firstUnclaimed;
    for (let left = kept; left > 0 && first < this.#postedCount; first++) {
      if (this.#posted[first] !== null) left--;
    }
    // From the last on: what the worker claims meanwhile comes before what is taken back.
    for (let i = this.#postedCount - 1; i >= first; i--) {
      const task = this.#posted[i]!;
      if (task === null || task.fixed || task.sticks) continue;
      if (!this.#revokeSlot(task.slot)) break;
      this.#posted[i] = null;
      this.#forget(task);
      tasks[tasks.length] = task;
    }
    reverse(tasks);
    return tasks;
  }

  #revokeSlot(slot: number): boolean {
    if (!this.#exchange(slot, kPosted, kRevoked)) return false;
    this.#carrier.free(slot);
    this.#revoked[this.#revoked.length] = slot;
    return true;
  }

  #exchange(slot: number, from: number, to: number): boolean {
    const { cells } = this.#channel;
    return AtomicsCompareExchange(cells, this.#channel.stateAt(slot), from, to) === from;
  }

  #stateOf(slot: number): number {
    return AtomicsLoad(this.#channel.cells, this.#channel.stateAt(slot));
  }

  /** Takes the slots into use again that the worker has read past. */
  #reclaim(): void {
    const revoked = this.#revoked;
    if (revoked.length === 0) return;
    let left = 0;
    for (let i = 0; i < revoked.length; i++) {
      const slot = revoked[i]!;
      if (this.#stateOf(slot) === kFree) {
        this.#readPast(slot);
        this.#free[this.#freeCount++] = slot;
      } else {
        revoked[left++] = slot;
      }
    }
    revoked.length = left;
  }

  /** Lets go of posted tasks that the worker has claimed. */
  passClaimed(): void {
    this.#lookAtClaims();
  }

  /** Finds out how many of the posted tasks the worker has claimed. */
  #lookAtClaims(): void {
    const posted = this.#posted;
    let at = this.#firstUnclaimed;
    for (; at < this.#postedCount; at++) {
      const task = posted[at]!;
      if (task === null) continue;
      // One that has ended meanwhile has given its slot back.
      if (task.slot >= 0 && this.#tasks[task.slot] === task) {
        if (this.#stateOf(task.slot) === kPosted) break;
        this.#readPast(task.slot);
      }
      posted[at] = null;
    }
    this.#firstUnclaimed = at;
    if (at === this.#postedCount) {
      this.#postedCount = 0;
      this.#firstUnclaimed = 0;
    } else if (at > kPassedMax) {
      const rest: (Task | null)[] = bareList();
      for (let i = at; i < this.#postedCount; i++) rest[i - at] = posted[i]!;
      this.#posted = rest;
      this.#postedCount -= at;
      this.#firstUnclaimed = 0;
    }
  }

  #readPast(slot: number): void {
    this.#unreadBytes -= this.#bytes[slot]!;
    this.#bytes[slot] = 0;
  }

  // While it runs

  /** When the worker claimed a task, in ms on this thread's clock; -1 if it has not. */
  startedAt(task: Task): number {
    if (task.slot < 0 || this.#stateOf(task.slot) !== kClaimed) return -1;
    // The worker writes the start before it claims, so what is read here belongs to this task.
    return this.#channel.startedAt(task.slot);
  }

  /** Whether a task was claimed, and has not ended. */
  isRunning(task: Task): boolean {
    return this.startedAt(task) >= 0 && this.#channel.runMs(task.slot) === kStillRunning;
  }

  /** Asks a task that runs to end. The worker is to be woken. */
  ask(task: Task, what: number): void {
    if (task.slot < 0) return;
    AtomicsStore(this.#channel.cells, this.#channel.askAt(task.slot), what);
    AtomicsAdd(this.#channel.cells, kAsks, 1);
  }

  // Results

  /**
   * Takes the next published result. The task is out of its slot when `settle` is called.
   * `false`: there is no result, or its value is not here yet.
   */
  collect(settle: Settle): boolean {
    const slot = this.#results.peek();
    if (slot < 0 || !this.#carrier.isHere(slot)) return false;
    this.#results.advance();
    const task = this.#tasks[slot];
    this.#carrier.free(slot);
    const value = this.#carrier.receive(slot);
    if (task === undefined) return true;
    this.#readPast(slot);
    const result = { slot, task, code: this.#channel.codeOf(slot), value };
    if (!this.#withheld.take(result)) this.#end(result, settle);
    return true;
  }

  /** Takes the results that wait for output no longer; all, if they have for `patienceMs`. */
  collectWithheld(patienceMs: number, settle: Settle): void {
    this.#withheld.release(patienceMs, (result) => {
      // Unless it was abandoned meanwhile.
      if (this.#tasks[result.slot] === result.task) this.#end(result, settle);
    });
  }

  #end({ slot, task, code, value }: Result, settle: Settle): void {
    const channel = this.#channel;
    if (task.asked !== null) AtomicsStore(channel.cells, channel.askAt(slot), kAskNothing);
    // Whatever the worker's code did to its clock, these are times.
    const runMs = timeOr0(channel.runMs(slot));
    const startedAt = timeOr0(channel.startedAt(slot));
    const wakeMs = timeOr0(channel.wakeMs(slot));
    AtomicsStore(channel.cells, channel.stateAt(slot), kFree);
    this.#free[this.#freeCount++] = slot;
    this.#forget(task);
    settle(task, code, value, runMs, startedAt, wakeMs);
  }

  /** Whether results wait for output. */
  get withholds(): boolean {
    return !this.#withheld.isEmpty;
  }

  /** Whether there is anything to collect. */
  get hasResults(): boolean {
    return this.#results.peek() >= 0 || this.#withheld.hasReleased;
  }

  /** Empties the table of a worker that has ended, or is being terminated. */
  abandon(): Held {
    const started: Task[] = bareList();
    const unclaimed: Task[] = bareList();
    this.#lookAtClaims();
    for (let i = this.#postedCount - 1; i >= this.#firstUnclaimed; i--) {
      const task = this.#posted[i]!;
      if (task === null || !this.#revokeSlot(task.slot)) continue;
      this.#forget(task);
      unclaimed[unclaimed.length] = task;
    }
    for (let slot = 0; slot < this.#tasks.length; slot++) {
      const task = this.#tasks[slot];
      if (task === undefined) continue;
      // Nobody else is to begin one that was asked to end.
      const had = this.#channel.wasEntered(slot) || task.asked !== null;
      const held = had && task !== this.#sending ? started : unclaimed;
      held[held.length] = task;
      this.#forget(task);
    }
    reverse(unclaimed);
    this.#posted = bareList();
    this.#postedCount = 0;
    this.#firstUnclaimed = 0;
    return { started, unclaimed };
  }
}

function timeOr0(ms: number): number {
  return ms >= 0 && ms < Infinity ? ms : 0;
}
