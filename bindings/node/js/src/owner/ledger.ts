// What a pool counts of its tasks, and the one place where a task's end is entered.
//
// Guarantees: a task is settled once; its timer and its signal are let go of with that; this
// thread's loop is held while accepted tasks are unsettled. Counts are whole up to 2^53: at a
// million tasks a second that is 285 years.

import { bareList, clearTimeout, SafePromise } from '../base/intrinsics.js';
import { thisLoop } from '../wait/loop.js';
import type { Outcome, Task } from './task.js';

export class Ledger {
  readonly outcomes: Record<Outcome, number> = {
    completed: 0,
    failed: 0,
    aborted: 0,
    queueTimedOut: 0,
    timedOut: 0,
    lost: 0,
    cancelled: 0,
  };
  accepted = 0;
  /** Refused for a full queue. */
  refused = 0;
  /** Accepted and not settled. */
  unsettled = 0;
  /** Called for each task that leaves, while somebody waits for room. Must not throw. */
  onRoom: (() => void) | null = null;
  /** Called, once, when no more than {@link lowMark} are unsettled. Must not throw. */
  onLow: (() => void) | null = null;
  lowMark = -1;
  #whenSettled: (() => void)[] = bareList();

  accept(): void {
    this.accepted++;
    if (this.unsettled++ === 0) thisLoop.hold();
  }

  /** A task that was accepted last is refused after all: nothing is left of it. */
  withdraw(task: Task): void {
    clearTimeout(task.timer);
    this.accepted--;
    this.#leave();
  }

  /** Counts a task's end, once. `true`: its caller is still to be told. */
  settle(task: Task, outcome: Outcome): boolean {
    if (task.settled) return false;
    task.settled = true;
    task.holder = null;
    task.forget?.();
    clearTimeout(task.timer);
    const { asked } = task;
    this.outcomes[asked ?? outcome]++;
    this.#leave();
    if (task.terms !== null) task.end(asked ?? outcome);
    return asked === null || asked === outcome;
  }

  /** Settles tasks, and rejects them with an error each. */
  rejectAll(tasks: readonly Task[], outcome: Outcome, error: () => unknown): void {
    for (let i = 0; i < tasks.length; i++)
      if (this.settle(tasks[i]!, outcome)) tasks[i]!.reject(error());
  }

  /** Resolves once all accepted tasks are settled. */
  async allSettled(): Promise<void> {
    if (this.unsettled === 0) return;
    await new SafePromise<void>(
      (resolve) => (this.#whenSettled[this.#whenSettled.length] = resolve),
    );
  }

  #leave(): void {
    this.unsettled--;
    if (this.onRoom !== null) this.onRoom();
    if (this.unsettled <= this.lowMark) {
      this.lowMark = -1;
      this.onLow?.();
    }
    if (this.unsettled > 0) return;
    thisLoop.release();
    const waiting = this.#whenSettled;
    this.#whenSettled = bareList();
    for (let i = 0; i < waiting.length; i++) waiting[i]!();
  }
}
