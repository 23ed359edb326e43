// Tasks that are tried again: those whose worker was lost, or whose handler threw an error that
// their caller names.
//
// Guarantees: a task that has begun is tried again only if its caller says that it may be
// (`idempotent`); it stays accepted between its tries, so that aborts, `cancelPending()` and the
// end of the pool reach it; retries are no more than a share of all tasks (the *budget*), so that
// a dependency that fails is not called all the more; a task that was running on kQuarantine
// workers that ended is not tried again, whatever its options say.

import { clearTimeout, MathMin, MathRandom, now, SafeSet, setTimeout } from '../base/intrinsics.js';
import { CenoteError } from '../errors.js';
import type { Deadlines } from './deadlines.js';
import type { Ledger } from './ledger.js';
import type { Outcome, Task } from './task.js';

/** When and how often a task is tried again. */
export interface RetryRules {
  /** Tries in all. */
  readonly attempts: number;
  /** The pause before the second try, in ms; it doubles with each one. */
  readonly backoff: number;
  /** Which share of a pause is random, from 0 to 1. */
  readonly jitter: number;
  /** How many retries there may be for each task of the pool. */
  readonly budget: number;
  /** Whether an error is worth another try. */
  readonly when: (error: unknown) => boolean;
}

/** As `when`: the loss of a worker is worth another try, whatever the pool calls it. */
export function whenLost(): boolean {
  return false;
}

/** What a task knows of its tries. */
export interface RetryState {
  readonly rules: RetryRules;
  readonly idempotent: boolean;
  tries: number;
  /** Workers that ended while it ran on them. */
  losses: number;
}

/** So many retries are always within the budget. */
const kFree = 10;
const kMaxPauseMs = 30_000;
/** A task that was running on so many workers that ended is taken to be what ends them. */
const kQuarantine = 3;

export class Retries {
  readonly #ledger: Ledger;
  readonly #requeue: (tasks: readonly Task[]) => void;
  readonly #deadlines: () => Deadlines;
  /** Between two tries. */
  readonly #pausing = new SafeSet<Task>();
  /** How often tasks were tried again. */
  count = 0;

  constructor(
    ledger: Ledger,
    requeue: (tasks: readonly Task[]) => void,
    deadlines: () => Deadlines,
  ) {
    this.#ledger = ledger;
    this.#requeue = requeue;
    this.#deadlines = deadlines;
  }

  /** Tries a task again, after a pause. `false`: it is not to be. `lost`: its worker ended. */
  again(task: Task, error: unknown, begun: boolean, lost: boolean): boolean {
    const state = task.terms === null ? null : task.terms.retry;
    if (state === null || task.settled || task.asked !== null || task.fixed) return false;
    const { rules, idempotent } = state;
    if ((begun && !idempotent) || ++state.tries >= rules.attempts) return false;
    if (this.count >= kFree + rules.budget * this.#ledger.accepted) return false;
    if (!(lost && rules.when === whenLost) && !isWorth(rules, error)) return false;
    this.count++;
    task.holder = null;
    clearTimeout(task.timer);
    this.#pausing.add(task);
    // What holds the loop is the task, which stays accepted.
    setTimeout(() => this.#resume(task), pauseOf(rules, state.tries)).unref();
    return true;
  }

  #resume(task: Task): void {
    if (!this.#pausing.delete(task) || task.settled) return;
    // Its wait begins anew.
    task.acceptedAt = now();
    if (task.limits !== null) this.#deadlines().watch(task);
    this.#requeue([task]);
  }

  /**
   * A worker ended while the task ran on it, of `error`. What it is rejected with instead, if it is
   * taken to be what ends them.
   */
  quarantine(task: Task, error: unknown): unknown {
    const state = task.terms === null ? null : task.terms.retry;
    if (state === null || ++state.losses < kQuarantine) return null;
    const { url, exportName } = task.handler;
    return new CenoteError(
      'ERR_CENOTE_QUARANTINED',
      `A task of "${exportName}" of ${url} ran on ${state.losses} workers that ended, and is not ` +
        'tried again: it is taken to be what ends them.',
      { cause: error },
    );
  }

  /** Rejects those that wait for their next try. */
  cancel(outcome: Outcome, error: () => unknown): void {
    this.#pausing.forEach((task) => {
      this.#pausing.delete(task);
      if (this.#ledger.settle(task, outcome)) task.reject(error());
    });
  }
}

function isWorth({ when }: RetryRules, error: unknown): boolean {
  try {
    return when(error);
  } catch {
    // It is the user's code; the task rejects with its own error.
    return false;
  }
}

function pauseOf({ backoff, jitter }: RetryRules, tries: number): number {
  const pauseMs = MathMin(kMaxPauseMs, backoff * 2 ** (tries - 1));
  return pauseMs * (1 - jitter * MathRandom());
}
