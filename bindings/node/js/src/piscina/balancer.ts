// A user's load balancer in the place of the dispatcher's own choice.
//
// It is asked about a task again only when a worker has become free, or the workers are others than
// they were: between these, its answer is taken to be the same. A balancer that throws fails the
// task; what is no worker of this pool leaves it in the queue, as `null` does.

import { append, bareList } from '../base/intrinsics.js';
import type { Balancer } from '../owner/dealer-options.js';
import type { Task } from '../owner/task.js';
import type { WorkerHandle } from '../owner/worker-handle.js';
import { InfoTask } from './task-info.js';
import type { PiscinaLoadBalancer } from './types.js';
import type { WorkerViews } from './worker-views.js';

export class UserBalancer implements Balancer {
  readonly lookahead: number;
  readonly #balance: PiscinaLoadBalancer;
  readonly #views: WorkerViews;
  #asked: readonly WorkerHandle[] = bareList();
  /** Counts what may change an answer. */
  #round = 1;

  constructor(balance: PiscinaLoadBalancer, views: WorkerViews, lookahead: number) {
    this.#balance = balance;
    this.#views = views;
    this.lookahead = lookahead;
  }

  /** A worker has become free, or ready. */
  reconsider(): void {
    this.#round++;
  }

  pick(task: Task, workers: readonly WorkerHandle[]): WorkerHandle | null {
    if (!(task instanceof InfoTask)) return null;
    if (!this.#areAsked(workers)) {
      this.#asked = mapped(workers, (worker) => worker);
      this.#round++;
    }
    if (task.refusedIn === this.#round) return null;
    // A copy each time: a balancer may sort it.
    const views = mapped(workers, (worker) => this.#views.of(worker));
    const balance = this.#balance;
    const handle = this.#views.handleOf(balance(task.info, views));
    // Its own code may have aborted the task.
    if (task.settled) return null;
    if (handle === null) task.refusedIn = this.#round;
    return handle;
  }

  #areAsked(workers: readonly WorkerHandle[]): boolean {
    if (workers.length !== this.#asked.length) return false;
    for (let i = 0; i < workers.length; i++) if (workers[i] !== this.#asked[i]) return false;
    return true;
  }
}

function mapped<T>(workers: readonly WorkerHandle[], of: (worker: WorkerHandle) => T): T[] {
  const made: T[] = [];
  for (let i = 0; i < workers.length; i++) append(made, of(workers[i]!));
  return made;
}
