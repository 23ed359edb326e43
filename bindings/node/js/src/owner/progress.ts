// Whether a worker gets on with what it holds, or is stuck in a task.
//
// A worker that begins none of its tasks is in a long one, or has no CPU: it is runnable, and the
// system gives its CPU to other threads. To take tasks back from the second kind and to wake
// another worker for them only makes one more thread that competes. So once nothing has begun for
// a while, the thread's CPU time is looked at: a task that takes it is long. A task that sleeps
// takes none, so in the end the wall clock decides; it alone does where CPU time is not known.

import { now } from '../base/intrinsics.js';

/** After so many ms without a beginning the CPU time is looked at. */
const kSuspectMs = 0.8;
/** So many ms of CPU more, without a beginning: a long task. */
const kLongCpuMs = 0.5;
/** Without a beginning for so many ms, whatever the CPU time. */
const kLongWallMs = 10;
/** The same where CPU time is not known: most threads that lost their CPU have it back by then. */
const kUnknownWallMs = 2;

export class Progress {
  /** What was to begin next when {@link isStuck} last looked, since when, and the CPU time then. */
  #next: unknown = null;
  #since = 0;
  #cpuMs = -1;
  readonly #readCpuMs: () => number;
  #isSuspect = false;
  /** It was said that the worker does not come to `#next`. */
  #isTold = false;

  /** `readCpuMs` gives the thread's CPU time, or -1. */
  constructor(readCpuMs: () => number) {
    this.#readCpuMs = readCpuMs;
  }

  /** The CPU time was looked at, and another look will tell. */
  get isSuspect(): boolean {
    return this.#isSuspect && !this.#isTold;
  }

  /** The worker holds nothing. */
  reset(): void {
    this.#begin(null, 0);
  }

  /**
   * Whether the worker has not come to `next` for too long. Says so once, then waits as long again.
   */
  isStuck(next: unknown, at = now()): boolean {
    if (next === null || next !== this.#next) {
      this.#begin(next, at);
      this.#isTold = false;
      return false;
    }
    const wallMs = at - this.#since;
    if (wallMs < kSuspectMs) return false;
    const taken = this.#readCpuMs();
    if (!this.#isSuspect) {
      this.#isSuspect = true;
      this.#cpuMs = taken;
    }
    const isLong =
      taken < 0
        ? wallMs > kUnknownWallMs
        : taken - this.#cpuMs > kLongCpuMs || wallMs > kLongWallMs;
    if (!isLong) return false;
    this.#begin(next, at);
    this.#isTold = true;
    return true;
  }

  #begin(next: unknown, at: number): void {
    this.#next = next;
    this.#since = at;
    this.#isSuspect = false;
  }
}
