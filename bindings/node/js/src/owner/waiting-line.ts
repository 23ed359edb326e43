// Those who wait for room in a full pool: tasks of `run(task, { whenFull: 'wait' })`, and callers
// of `capacity()`.
//
// They wait outside of the pool: none of them counts as accepted. First come, first served. Each
// settled task makes room for one, and a microtask later as many are let in as there is room for.
// The pool is asked only while somebody waits. Joining and leaving take constant time: the line is
// a list through those who stand in it.

import { queueMicrotask } from '../base/intrinsics.js';
import type { Ledger } from './ledger.js';

/** One who waits. */
export class Waiting {
  previous: Waiting | null = null;
  next: Waiting | null = null;
  isIn = false;

  constructor(
    /** Called when there is room. */
    readonly enter: () => void,
    /** Called when there will be none: the pool was closed or destroyed. */
    readonly refuse: (error: unknown) => void,
    /** It is a task, and not somebody who only wants to know. */
    readonly isTask = true,
  ) {}
}

/** Those who wait, the first in front. */
export class WaitingList {
  first: Waiting | null = null;
  #last: Waiting | null = null;

  get isEmpty(): boolean {
    return this.first === null;
  }

  push(one: Waiting): void {
    one.isIn = true;
    one.previous = this.#last;
    if (this.#last === null) this.first = one;
    else this.#last.next = one;
    this.#last = one;
  }

  /** Takes one out. False: it is not in. */
  remove(one: Waiting): boolean {
    if (!one.isIn) return false;
    one.isIn = false;
    if (one.previous === null) this.first = one.next;
    else one.previous.next = one.next;
    if (one.next === null) this.#last = one.previous;
    else one.next.previous = one.previous;
    one.previous = null;
    one.next = null;
    return true;
  }
}

/** What the line asks of the pool. */
interface Doorway {
  readonly isFull: boolean;
  readonly ledger: Ledger;
}

export class WaitingLine {
  readonly #door: Doorway;
  readonly #waiting = new WaitingList();
  #isAsked = false;

  constructor(door: Doorway) {
    this.#door = door;
  }

  /** Whether who comes now has to wait. */
  get isClosed(): boolean {
    return !this.#waiting.isEmpty || this.#door.isFull;
  }

  push(one: Waiting): void {
    this.#waiting.push(one);
    this.#door.ledger.onRoom = this.#onRoom;
  }

  /** Leaves the line. False: it is not in it. */
  remove(one: Waiting): boolean {
    const wasIn = this.#waiting.remove(one);
    if (this.#waiting.isEmpty) this.#door.ledger.onRoom = null;
    return wasIn;
  }

  /** Sends the tasks away, and says how many those were. */
  refuseTasks(error: () => unknown): number {
    let refused = 0;
    for (let one = this.#waiting.first; one !== null;) {
      const { next } = one;
      if (one.isTask && this.remove(one)) {
        refused++;
        one.refuse(error());
      }
      one = next;
    }
    return refused;
  }

  /** Sends all away. */
  refuseAll(error: () => unknown): void {
    for (let { first } = this.#waiting; first !== null; first = this.#waiting.first) {
      this.remove(first);
      first.refuse(error());
    }
  }

  readonly #onRoom = (): void => {
    if (this.#isAsked) return;
    this.#isAsked = true;
    queueMicrotask(this.#letIn);
  };

  readonly #letIn = (): void => {
    this.#isAsked = false;
    for (
      let { first } = this.#waiting;
      first !== null && !this.#door.isFull;
      first = this.#waiting.first
    ) {
      this.remove(first);
      first.enter();
    }
  };
}
