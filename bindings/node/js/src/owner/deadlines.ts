// Tasks that end before they are done: aborted, or out of time, while they wait or while they run.
//
// A task that has not begun is taken back from its worker, or skipped by it; one that runs is asked
// to end, and its worker is terminated once the grace is over. Its caller is answered at once
// either way, and a task that was asked stays accepted until its worker has ended it.
//
// Guarantees: who is told that a task waited too long is told of one that never begins; no limit is
// judged before the results that there are have been received, since timers come before them in a
// turn of the loop.

import { clearTimeout, MathMax, MathMin, now, setTimeout } from '../base/intrinsics.js';
import type { PoolErrors } from '../errors.js';
import type { Outcome, Task, WaitQueue } from './task.js';
import type { WorkerHandle } from './worker-handle.js';
import { kAskAborted, kAskTimeout } from '../wire/channel.js';

/** What the dispatcher does for it. */
interface DeadlinesHost {
  /** Counts the task's end, once. `true`: its caller is still to be told. */
  settle(task: Task, outcome: Outcome): boolean;
  /** Puts tasks that were taken back in front of the queue. */
  requeue(tasks: Task[]): void;
  /** Results may have been received. */
  onCaughtUp(): void;
  /** A worker was told to end. */
  onWorkerEnded(): void;
}

export class Deadlines {
  readonly #abortGraceMs: number;
  readonly #queue: WaitQueue;
  readonly #errors: PoolErrors;
  readonly #host: DeadlinesHost;

  constructor(abortGraceMs: number, queue: WaitQueue, errors: PoolErrors, host: DeadlinesHost) {
    this.#abortGraceMs = abortGraceMs;
    this.#queue = queue;
    this.#errors = errors;
    this.#host = host;
  }

  /**
   * Rejects an accepted task. If it has begun, it is asked to end, and at last its worker is
   * terminated.
   */
  abort(task: Task, reason: unknown): void {
    if (!isOver(task)) this.#cancel(task, 'aborted', kAskAborted, this.#errors.aborted(reason));
  }

  /**
   * Looks at a task when the first of its limits may be over. While it is queued its run cannot be.
   */
  watch(task: Task): void {
    const { queueMs, runMs } = task.limits!;
    const leftMs = task.acceptedAt + queueMs - now();
    this.#lookAgainIn(task, task.holder === null ? leftMs : MathMin(leftMs, runMs));
  }

  /** A task that has limits was given to a worker. Its wait is watched already. */
  onGiven(task: Task): void {
    if (task.limits!.runMs < Infinity) this.watch(task);
  }

  /** Rejects a task whose time of so many ms is over; one that runs is stopped. */
  expire(task: Task, limitMs: number): void {
    if (!isOver(task))
      this.#cancel(task, 'timedOut', kAskTimeout, this.#errors.ranTooLong(limitMs));
  }

  /** Rejects an accepted task if it has not begun. `false`: it has, or has ended. */
  withdraw(task: Task, error: () => unknown): boolean {
    const { holder } = task;
    if (isOver(task) || (holder !== null && !holder.revoke(task))) return false;
    if (holder === null) this.#queue.remove(task);
    if (this.#host.settle(task, 'cancelled')) task.reject(error());
    return true;
  }

  #cancel(task: Task, outcome: 'aborted' | 'timedOut', ask: number, error: unknown): void {
    const { holder } = task;
    if (holder === null) {
      this.#queue.remove(task);
    } else if (!holder.revoke(task)) {
      task.asked = outcome;
      holder.ask(task, ask);
      // Nobody waits behind a task that may cost the worker. If it has just ended, its result is
      // out.
      this.#host.requeue(holder.revokeAll());
      if (holder.slots.isRunning(task)) {
        if (this.#abortGraceMs > 0) {
          this.#grantGrace(task, holder);
          task.reject(error);
          return;
        }
        this.#endWorker(holder);
      }
    }
    if (this.#host.settle(task, outcome)) task.reject(error);
  }

  /** It stays accepted until its worker has ended it, one way or the other. */
  #grantGrace(task: Task, holder: WorkerHandle): void {
    clearTimeout(task.timer);
    if (this.#abortGraceMs === Infinity) return;
    task.timer = setTimeout(() => {
      this.#catchUp(holder);
      if (!task.settled && holder.slots.isRunning(task)) this.#endWorker(holder);
    }, this.#abortGraceMs);
  }

  #catchUp(holder: WorkerHandle | null): void {
    holder?.catchUp();
    this.#host.onCaughtUp();
  }

  #endWorker(holder: WorkerHandle): void {
    this.#host.requeue(holder.revokeAll());
    holder.terminate();
    this.#host.onWorkerEnded();
  }

  #lookAgainIn(task: Task, ms: number): void {
    clearTimeout(task.timer);
    if (ms === Infinity) return;
    // A timer may be early by a fraction of a millisecond; it is then set again.
    task.timer = setTimeout(() => this.#lookAt(task), MathMax(1, ms));
    // What holds the loop are the unsettled tasks themselves.
    task.timer.unref();
  }

  /** One of a task's limits may be over. */
  #lookAt(task: Task): void {
    this.#catchUp(task.holder);
    if (isOver(task)) return;
    const { queueMs, runMs } = task.limits!;
    const startedAt = task.holder?.slots.startedAt(task) ?? -1;
    const at = now();
    if (startedAt >= 0) {
      const leftMs = startedAt + runMs - at;
      if (leftMs > 0) this.#lookAgainIn(task, leftMs);
      // Else it has ended, and its result is on the way.
      else if (task.holder!.slots.isRunning(task))
        this.#cancel(task, 'timedOut', kAskTimeout, this.#errors.ranTooLong(runMs));
      return;
    }
    if (task.acceptedAt + queueMs > at) this.watch(task);
    else this.#expireQueued(task);
  }

  #expireQueued(task: Task): void {
    const { queueMs, runMs } = task.limits!;
    const { holder } = task;
    if (holder === null) {
      this.#queue.remove(task);
    } else if (!holder.revoke(task)) {
      // It began in this moment.
      this.#lookAgainIn(task, runMs);
      return;
    }
    task.asked = 'queueTimedOut';
    if (this.#host.settle(task, 'queueTimedOut')) task.reject(this.#errors.waitedTooLong(queueMs));
  }
}

/** Whether a task's caller has its answer. */
function isOver(task: Task): boolean {
  return task.settled || task.asked !== null;
}
