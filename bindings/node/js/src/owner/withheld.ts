// Results that the owner has read, of tasks whose output may still be on its way.
//
// What a task wrote to stdout and stderr should be with the owner before its caller goes on. The
// worker publishes the result at once, with a mark in its slot, and takes the mark away when the
// output is here. So the result is safe whatever the worker does meanwhile; where it does nothing
// more, because it is blocked or gone, the owner stops waiting by itself.

import { bareList, AtomicsLoad, now } from '../base/intrinsics.js';
import type { Channel } from '../wire/channel.js';
import type { Task } from './task.js';

export interface Result {
  readonly slot: number;
  readonly task: Task;
  readonly code: number;
  readonly value: unknown;
}

export class Withheld {
  readonly #channel: Channel;
  #results: Result[] = bareList();
  /** When the last of them was added, in ms. */
  #addedAt = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  get isEmpty(): boolean {
    return this.#results.length === 0;
  }

  /** Takes a result, if its slot is marked. */
  take(result: Result): boolean {
    if (!this.#isMarked(result)) return false;
    this.#results[this.#results.length] = result;
    this.#addedAt = now();
    return true;
  }

  /** Whether {@link release} would give one. */
  get hasReleased(): boolean {
    for (let i = 0; i < this.#results.length; i++) {
      if (!this.#isMarked(this.#results[i]!)) return true;
    }
    return false;
  }

  /** Gives those that wait no longer: all, if they have waited for `patienceMs`. */
  release(patienceMs: number, give: (result: Result) => void): void {
    const results = this.#results;
    if (results.length === 0) return;
    const all = now() - this.#addedAt >= patienceMs;
    const given: Result[] = bareList();
    this.#results = bareList();
    for (let i = 0; i < results.length; i++) {
      const result = results[i]!;
      const list = all || !this.#isMarked(result) ? given : this.#results;
      list[list.length] = result;
    }
    for (let i = 0; i < given.length; i++) give(given[i]!);
  }

  #isMarked({ slot }: Result): boolean {
    return AtomicsLoad(this.#channel.cells, this.#channel.markAt(slot)) !== 0;
  }
}
