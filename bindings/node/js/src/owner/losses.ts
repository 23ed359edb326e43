// What becomes of the tasks that a worker held when it ended, or that it could not begin.
//
// Guarantees: a task that had begun is rejected; one that had not is dealt again, unless that is
// not possible, or so many workers died holding it that it is taken to be what kills them. A
// worker that could not load the pool's file has begun none of the tasks for the pool's handler,
// though it has claimed and refused some.

import { bareList, queueMicrotask } from '../base/intrinsics.js';
import type { PoolErrors, WorkerEnd } from '../errors.js';
import { isUnfit } from './crew.js';
import type { DispatcherListener } from './dispatcher-options.js';
import type { Failures } from './failures.js';
import type { Handler } from './handlers.js';
import type { Ledger } from './ledger.js';
import type { Retries } from './retries.js';
import type { Task } from './task.js';
import type { Held } from './slots.js';
import type { WorkerHandle } from './worker-handle.js';

/** After so many workers died holding it, an unbegun task is taken to be what kills them. */
const kDeathsMax = 3;

export class Losses {
  readonly #ledger: Ledger;
  readonly #errors: PoolErrors;
  readonly #failures: Failures;
  readonly #retries: Retries;
  readonly #preload: Handler | null;

  constructor(
    ledger: Ledger,
    errors: PoolErrors,
    failures: Failures,
    preload: Handler | null,
    retries: Retries,
  ) {
    this.#retries = retries;
    this.#ledger = ledger;
    this.#errors = errors;
    this.#failures = failures;
    this.#preload = preload;
  }

  /** Whether a worker that refused a task, or ended with it, has not begun it, and another can. */
  mayBeginElsewhere(task: Task, worker: WorkerHandle | null): boolean {
    if (worker === null || !isUnfit(worker) || task.handler !== this.#preload) return false;
    return !task.settled && task.asked === null && !task.fixed;
  }

  /** Settles what a worker that ended had begun. Returns the rest, to be dealt again, in order. */
  settle(worker: WorkerHandle, end: WorkerEnd, { started, unclaimed }: Held): Task[] {
    const again: Task[] = bareList();
    for (let i = 0; i < started.length; i++) {
      const task = started[i]!;
      if (this.mayBeginElsewhere(task, worker)) again[again.length] = task;
      else this.#lose(task, worker, end, true);
    }
    // With a task begun, that one is what the worker died of.
    const isInnocent = started.length > again.length || isUnfit(worker);
    for (let i = 0; i < unclaimed.length; i++) {
      const task = unclaimed[i]!;
      if (task.settled) continue;
      if (!isInnocent) task.deaths++;
      if (!task.fixed && task.deaths < kDeathsMax) again[again.length] = task;
      else this.#lose(task, worker, end, false);
    }
    return again;
  }

  /** Tells of a worker that ended unexpectedly, in a turn of its own. */
  tell(
    worker: WorkerHandle,
    end: WorkerEnd,
    { started, unclaimed }: Held,
    listener: Pick<DispatcherListener, 'onWorkerLost'>,
  ): void {
    const { loadFailure } = worker;
    const unfit = loadFailure !== null && isUnfit(worker);
    const told = unfit ? { ...end, error: this.#failures.ofLoad(loadFailure) } : end;
    const begun = unfit ? 0 : started.length;
    queueMicrotask(() => listener.onWorkerLost(told, begun, unclaimed.length, unfit));
  }

  #lose(task: Task, worker: WorkerHandle, end: WorkerEnd, begun: boolean): void {
    const { loadFailure, threadId } = worker;
    // It went with the worker that could not load its file: that is what happened to it.
    if (loadFailure !== null && isUnfit(worker) && task.handler === this.#preload) {
      if (this.#ledger.settle(task, 'failed'))
        this.#failures.reject(task, this.#failures.ofLoad(loadFailure), threadId);
      return;
    }
    const lost = this.#errors.lost(end, begun);
    const quarantined = begun ? this.#retries.quarantine(task, lost) : null;
    if (quarantined === null && this.#retries.again(task, lost, begun, true)) return;
    if (this.#ledger.settle(task, 'lost')) task.reject(quarantined ?? lost);
  }
}
