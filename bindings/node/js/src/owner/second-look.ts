// A look at the workers a moment later, for guesses that turn out to be wrong.
//
// A worker that holds several tasks may be in a long one: what it has ended before is to be
// settled, and what it has not begun to be taken back, though nothing else wakes the owner. One
// timer at a time, which holds no loop open. A look that finds nothing makes the next one wait
// twice as long, so that tasks which run for hours are looked at seldom.

import { clearTimeout, MathMin, setTimeout } from '../base/intrinsics.js';

/** Long beside what is taken to be short, and seldom enough to cost nothing in a busy pool. */
const kLookMs = 1;
const kLookMaxMs = 64;

export class SecondLook {
  readonly #look: () => boolean;
  #timer: NodeJS.Timeout | null = null;
  /** How long the next look waits, and how long that of the timer does. */
  #delayMs = kLookMs;
  #armedMs = 0;

  /** `look` says whether anything had changed. */
  constructor(look: () => boolean) {
    this.#look = look;
  }

  /** Something changed: the next look comes soon, once it is armed. */
  hasten(): void {
    this.#delayMs = kLookMs;
  }

  /** Looks once. */
  arm(): void {
    const delayMs = this.#delayMs;
    if (this.#timer !== null) {
      if (this.#armedMs <= delayMs) return;
      clearTimeout(this.#timer);
    }
    this.#armedMs = delayMs;
    this.#timer = setTimeout(this.#onTimer, delayMs);
    this.#timer.unref();
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    const next = MathMin(2 * this.#armedMs, kLookMaxMs);
    if (!this.#look()) this.#delayMs = next;
  };
}
