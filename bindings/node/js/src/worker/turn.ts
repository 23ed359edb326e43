// The turns of a worker's event loop: how long tasks may run in a row before it gets one (P1).
//
// Where the loop's own wait drains the worker, that says when the turn is over, and takes the next
// by itself. A port event says nothing of turns: the first after a while begins one, and an
// immediate, which runs behind timers and I/O, begins the next.

import { setImmediate } from '../base/intrinsics.js';
import { thisLoop } from '../wait/loop.js';

export class Turn {
  readonly #portable: boolean;
  readonly #budgetMs: number;
  readonly #onNext: () => void;
  #endsAt = 0;
  #scheduled = false;

  /** `onNext` is called where a turn begins that nobody else knows of. */
  constructor(portable: boolean, budgetMs: number, onNext: () => void) {
    this.#portable = portable;
    this.#budgetMs = budgetMs;
    this.#onNext = onNext;
  }

  /** The loop has called: tasks may run for so long. */
  begin(at: number, leftMs: number): void {
    this.#endsAt = at + leftMs;
  }

  /** Whether a task may begin. If not, the loop comes back for it. */
  mayBegin(at: number): boolean {
    return at < this.#endsAt || this.#isFirst(at);
  }

  #isFirst(at: number): boolean {
    if (this.#scheduled) return false;
    if (!this.#portable) {
      thisLoop.again();
      return false;
    }
    this.#scheduled = true;
    const isFirst = this.#endsAt === 0;
    this.#endsAt = at + this.#budgetMs;
    setImmediate(() => {
      this.#scheduled = false;
      this.#endsAt = 0;
      this.#onNext();
    });
    return isFirst;
  }
}
