// The tasks that were given to a worker and are about to be posted, in order.
//
// Posting runs getters of payloads, which may give the worker more, take tasks back, or end it: the
// list may change at any time between two calls of `next`.

import { bareList } from '../base/intrinsics.js';
import type { Task } from './task.js';

export class Outgoing {
  /** What was taken back or posted is null. Those from #at to #end may be there. */
  readonly #tasks: (Task | null)[] = bareList();
  #at = 0;
  #end = 0;
  count = 0;
  /** What they are expected to take in a port. */
  bytes = 0;

  add(task: Task): void {
    this.#tasks[this.#end++] = task;
    this.count++;
    this.bytes += task.handler.averageBytes;
  }

  /** Takes the next task; null if there is none. */
  next(): Task | null {
    while (this.#at < this.#end) {
      const task = this.#tasks[this.#at]!;
      this.#tasks[this.#at++] = null;
      if (task !== null) {
        this.#leave(task);
        return task;
      }
    }
    this.#at = this.#end = 0;
    this.count = 0;
    // Averages move: sums of them are exact only where they begin.
    this.bytes = 0;
    return null;
  }

  /** Takes a task out; `false` if it is not there. */
  remove(task: Task): boolean {
    for (let i = this.#at; i < this.#end; i++) {
      if (this.#tasks[i] !== task) continue;
      this.#tasks[i] = null;
      this.#leave(task);
      return true;
    }
    return false;
  }

  #leave(task: Task): void {
    this.count--;
    this.bytes -= task.handler.averageBytes;
  }
}
