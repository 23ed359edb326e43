// How much a Piscina has to do: its events `needsDrain` and `drain`, what it has completed, and who
// waits until nothing is left.

import {
  bareList,
  clearTimeout,
  PromiseResolve,
  SafePromise,
  setTimeout,
} from '../base/intrinsics.js';
import { kMaxTimerMs } from '../number-options.js';

export class Load {
  /** As many tasks as can run at once. */
  capacity: number;
  /** Tasks that settled, unless they were aborted. */
  completed = 0;
  /** As many tasks are outstanding as can run at once, or more. */
  needsDrain = false;
  readonly #unsettled: () => number;
  readonly #emitSoon: (event: 'needsDrain' | 'drain') => void;
  #whenFlushed: (() => void)[] = bareList();

  constructor(
    capacity: number,
    unsettled: () => number,
    emitSoon: (event: 'needsDrain' | 'drain') => void,
  ) {
    this.capacity = capacity;
    this.#unsettled = unsettled;
    this.#emitSoon = emitSoon;
  }

  /** A task was submitted. */
  onSubmitted(): void {
    if (this.#unsettled() < this.capacity || this.needsDrain) return;
    this.needsDrain = true;
    this.#emitSoon('needsDrain');
  }

  /** A task has settled, or was refused. */
  onSettled(completed: boolean): void {
    const unsettled = this.#unsettled();
    if (completed) this.completed++;
    if (this.needsDrain && unsettled < this.capacity) {
      this.needsDrain = false;
      this.#emitSoon('drain');
    }
    if (unsettled > 0) return;
    const waiting = this.#whenFlushed;
    this.#whenFlushed = bareList();
    for (let i = 0; i < waiting.length; i++) waiting[i]!();
  }

  /** Whether all tasks have settled, which it waits for, at most so many ms. */
  flushed(limitMs: number): Promise<boolean> {
    if (this.#unsettled() === 0) return PromiseResolve(true);
    return new SafePromise((resolve) => {
      const timer = limitMs > kMaxTimerMs ? undefined : setTimeout(resolve, limitMs, false).unref();
      this.#whenFlushed[this.#whenFlushed.length] = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
