// A look at the workers a moment later, for guesses that turn out to be wrong.
//
// A worker that holds several tasks may be in a long one: what it has ended before is to be
// settled, and what it has not begun to be taken back, though nothing else wakes the owner. One
// timer at a time, which holds no loop open.

import { setTimeout } from '../base/intrinsics.js';

/** Long beside what is taken to be short, and seldom enough to cost nothing. */
const kLookMs = 2;

export class SecondLook {
  readonly #look: () => void;
  #armed = false;

  constructor(look: () => void) {
    this.#look = look;
  }

  /** Looks once, soon. */
  arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setTimeout(() => {
      this.#armed = false;
      this.#look();
    }, kLookMs).unref();
  }
}
