// When a thread may be started, after others have failed to start.
//
// A start has failed if the thread could not be made, ended before it served, was not ready in
// time, or is ready and could not load the pool's file (its `setup` counts as a part of it). How
// often in a row that has happened decides about the next start:
//
// | a thread serves | failed in a row   | tasks wait | the next start                             |
// |-----------------|-------------------|------------|--------------------------------------------|
// | either          | 0                 | either     | at once                                    |
// | yes             | 1 or more         | yes        | after a pause, one at a time               |
// | yes             | 1 to kUnasked − 1 | no         | the same                                   |
// | yes             | kUnasked or more  | no         | none                                       |
// | no              | 1 to kTries − 1   | yes        | at once                                    |
// | no              | 1 to kTries − 1   | no         | after a pause                              |
// | no              | kTries or more    | yes        | one, if the pause is over; else none, and  |
// |                 |                   |            | the tasks are told why                     |
// | no              | kTries or more    | no         | none                                       |
//
// The pause counts from the start that failed and doubles with each, from kPauseMs to
// kPauseMaxMs. So tasks never wait for ever, a pool that is left alone stops trying, and one
// that is called again and again tries at the rate of the pauses. The row ends with a thread
// that was made after the last failure and has proven itself, by a task or by its age; and when
// any such thread has ended.

import type { WorkerEnd } from '../errors.js';
import { MathMin, MathRandom, now } from '../base/intrinsics.js';
import type { WorkerHandle } from './worker-handle.js';

/** Failures in a row after which the waiting tasks are told, if no thread serves. */
const kTries = 3;
/** Failures in a row after which a pool that serves is no longer filled up unasked. */
const kUnasked = 10;
const kPauseMs = 50;
const kPauseMaxMs = 5_000;
/** A thread that has been ready and lived for so long has started, whatever ends it. */
export const kProvenMs = 1_000;

/** Why a thread did not start. */
export interface FailedStart {
  readonly end: WorkerEnd;
  /** What its file or `setup` threw, as it crossed; null where it ended. */
  readonly loadFailure: WorkerHandle['loadFailure'];
}

/** `later`: not before {@link Starts.pauseMs} are over. */
type Verdict = 'now' | 'later' | 'never';

export class Starts {
  /** The last failure of this row. */
  last: FailedStart | null = null;
  #inARow = 0;
  #notBefore = 0;
  #lastBornAt = 0;

  get hasFailed(): boolean {
    return this.#inARow > 0;
  }

  /** As many failed in a row as tasks wait for. */
  get areHopeless(): boolean {
    return this.#inARow >= kTries;
  }

  /** What is left of the pause, in ms. */
  get pauseMs(): number {
    return this.#notBefore - now();
  }

  failed(why: FailedStart, bornAt: number): void {
    this.last = why;
    this.#lastBornAt = bornAt;
    const pauseMs = MathMin(kPauseMaxMs, kPauseMs * 2 ** this.#inARow++);
    // Up to a quarter less: pools that fail for the same reason do not all come back at once.
    this.#notBefore = bornAt + pauseMs * (1 - MathRandom() / 4);
  }

  /**
   * A thread is ready to serve: the next need not wait, but the row goes on until it has proven
   * itself.
   */
  succeeded(): void {
    this.#notBefore = 0;
  }

  /** A thread that was made then has proven itself. */
  proven(bornAt: number): void {
    if (bornAt > this.#lastBornAt) this.beginAnew();
  }

  /**
   * Ends the row of failures: a thread that did serve has ended, and its successors have all
   * their tries.
   */
  beginAnew(): void {
    this.#inARow = 0;
    this.#notBefore = 0;
    this.last = null;
  }

  judge(waiting: number, serving: number, booting: number): Verdict {
    if (this.#inARow === 0) return 'now';
    if (serving > 0) {
      // Its end says what is next.
      if (booting > 0) return 'never';
      if (waiting === 0 && this.#inARow >= kUnasked) return 'never';
    } else if (this.#inARow < kTries) {
      if (waiting > 0) return 'now';
    } else if (waiting === 0 || booting > 0) {
      return 'never';
    }
    if (this.pauseMs <= 0) return 'now';
    return this.areHopeless && serving === 0 ? 'never' : 'later';
  }
}
