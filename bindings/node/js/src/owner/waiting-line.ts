// Those who wait for room in a full pool: tasks of `run(task, { whenFull: 'wait' })`, and callers
// of `capacity()`.
//
// They wait outside of the pool: none of them counts as accepted. First come, first served: each
// settled task makes room for one of them, which nobody else can take, and a microtask later it is
// let in. A caller of `capacity()` is told of its place and has it until the end of this turn of
// the loop; then it is the next one's.
//
// The pool is asked only while somebody waits. Joining and leaving take constant time: the line is
// a list through those who stand in it.

import {
  clearTimeout,
  MathMax,
  MathMin,
  now,
  queueMicrotask,
  setImmediate,
  setTimeout,
} from '../base/intrinsics.js';
import type { PoolErrors } from '../errors.js';
import { onAbort } from './abort-watch.js';
import type { Acceptance } from './acceptance.js';
import type { Outcome, Task } from './task.js';
import type { TaskPort } from './task-port.js';

/** A task, and what ends its wait in front of the pool. */
export interface Call {
  readonly task: Task;
  readonly signal: AbortSignal | undefined;
  /** In a full pool it waits for room. */
  waits: boolean;
  /** Its place in front of the pool, while it has one. */
  waiting: Waiting | null;
  /** Where its stream, its reports and its input go. */
  port: TaskPort | null;
}

/** One who waits. */
export class Waiting {
  previous: Waiting | null = null;
  next: Waiting | null = null;
  list: WaitingList | null = null;

  constructor(
    /** It is a task, and not somebody who only wants to know. */
    readonly isTask: boolean,
    /** Called when it is its turn. */
    readonly enter: () => void,
    /** Called when its turn will not come. */
    readonly refuse: (error: unknown, outcome: Outcome) => void,
  ) {}

  /** Its turn will not come. */
  leave(error: unknown, outcome: Outcome): void {
    this.list?.remove(this);
    this.refuse(error, outcome);
  }
}

/** Those who wait, the first in front. */
export class WaitingList {
  first: Waiting | null = null;
  #last: Waiting | null = null;
  count = 0;
  /** Called when somebody has left. */
  readonly #onLeft: (() => void) | null;

  constructor(onLeft: (() => void) | null = null) {
    this.#onLeft = onLeft;
  }

  get isEmpty(): boolean {
    return this.first === null;
  }

  push(one: Waiting): void {
    one.list = this;
    one.previous = this.#last;
    if (this.#last === null) this.first = one;
    else this.#last.next = one;
    this.#last = one;
    this.count++;
  }

  /** The first, who is out of the list then. */
  shift(): Waiting | null {
    const { first } = this;
    if (first !== null) this.remove(first);
    return first;
  }

  remove(one: Waiting): void {
    if (one.list !== this) return;
    one.list = null;
    if (one.previous === null) this.first = one.next;
    else one.previous.next = one.next;
    if (one.next === null) this.#last = one.previous;
    else one.next.previous = one.previous;
    one.previous = null;
    one.next = null;
    this.count--;
    this.#onLeft?.();
  }

  /** Sends those away who are tasks, or all, and says how many tasks those were. */
  cancel(error: () => unknown, all: boolean): number {
    let cancelled = 0;
    for (let one = this.first; one !== null;) {
      const { next } = one;
      if (one.isTask) cancelled++;
      if (one.isTask || all) one.leave(error(), 'cancelled');
      // Whoever was told may have sent others away.
      one = next === null || next.list === this ? next : this.first;
    }
    return cancelled;
  }
}

/**
 * A call that waits in front of the pool, in a lane or in the line. Its signal ends the wait, and
 * so does its `queueTimeout`, which began with the call.
 */
export function waitingCall(call: Call, errors: PoolErrors, enter: () => void): Waiting {
  const { task, signal } = call;
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearTimeout(timer);
    forget?.();
    call.waiting = null;
  };
  const waiting = new Waiting(
    true,
    () => {
      stop();
      enter();
    },
    (error, outcome) => {
      stop();
      task.end(outcome);
      task.reject(error);
    },
  );
  const queueMs = task.limits?.queueMs ?? Infinity;
  const lookAtClock = (): void => {
    const leftMs = task.acceptedAt + queueMs - now();
    if (leftMs <= 0) {
      waiting.leave(errors.waitedTooLong(queueMs), 'queueTimedOut');
      return;
    }
    // What holds the loop are the tasks that are in the pool.
    timer = setTimeout(lookAtClock, MathMax(1, leftMs)).unref();
  };
  if (queueMs < Infinity) timer = setTimeout(lookAtClock, queueMs).unref();
  const forget =
    signal && onAbort(signal, () => waiting.leave(errors.aborted(signal.reason), 'aborted'));
  call.waiting = waiting;
  return waiting;
}

export class WaitingLine {
  readonly #door: Acceptance;
  readonly #waiting = new WaitingList(() => this.#onLeft());
  #isAsked = false;
  /** Places that callers of `capacity()` were told of in this turn of the loop. */
  #told = 0;

  constructor(door: Acceptance) {
    this.#door = door;
  }

  /** Whether who comes now has to wait. */
  get isClosed(): boolean {
    return !this.#waiting.isEmpty || this.#door.hasNoRoom;
  }

  push(one: Waiting): void {
    this.#waiting.push(one);
    this.#door.ledger.onRoom = this.onRoom;
  }

  /** Sends the tasks away, or all, and says how many tasks those were. */
  cancel(error: () => unknown, all: boolean): number {
    return this.#waiting.cancel(error, all);
  }

  #onLeft(): void {
    this.#door.reserved = MathMin(this.#door.reserved, this.#waiting.count);
    if (this.#waiting.isEmpty) this.#door.ledger.onRoom = null;
  }

  /** There may be room. It is kept for those who wait. */
  readonly onRoom = (): void => {
    const free = this.#door.freePlaces - this.#told;
    this.#door.reserved = MathMax(0, MathMin(this.#waiting.count, free));
    if (this.#isAsked || this.#door.reserved === 0) return;
    this.#isAsked = true;
    queueMicrotask(this.#letIn);
  };

  readonly #letIn = (): void => {
    this.#isAsked = false;
    while (this.#door.reserved > 0) {
      const places = this.#door.reserved - 1;
      const one = this.#waiting.shift()!;
      this.#door.reserved = MathMin(places, this.#waiting.count);
      if (!one.isTask && this.#told++ === 0) setImmediate(this.#forgetTold);
      one.enter();
    }
  };

  /** Places that were told of, and not taken, are for the next. */
  readonly #forgetTold = (): void => {
    this.#told = 0;
    if (!this.#waiting.isEmpty) this.onRoom();
  };
}
