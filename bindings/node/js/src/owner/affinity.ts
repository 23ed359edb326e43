// Keys: tasks of one key go to one worker while it lives, so that what that worker has cached for
// the key serves again.
//
// A key's *home* is the worker with the fewest keys when the key is first seen. While its home is
// busy, a task of the key waits there, kSpillMs at most; then it goes to whichever worker is free,
// and the key keeps its home. Keys that were not used for long are forgotten, the oldest first,
// when there are kKeysMax.

import { now, SafeMap } from '../base/intrinsics.js';
import type { Task } from './task.js';
import type { WorkerHandle } from './worker-handle.js';

/** How long a task waits for its home to have a place, in ms. */
const kSpillMs = 25;
const kKeysMax = 10_000;

export class Affinity {
  /** The least recently used first. */
  readonly #homes = new SafeMap<string, WorkerHandle>();
  readonly #counts = new SafeMap<WorkerHandle, number>();

  /** The worker that a task with a key is to wait for; null: any. */
  homeOf(task: Task, key: string, workers: readonly WorkerHandle[]): WorkerHandle | null {
    const terms = task.withTerms();
    if (terms.spillsAt > 0 && now() >= terms.spillsAt) return null;
    const home = this.#find(key, workers);
    if (home === null) return null;
    if (terms.spillsAt === 0) terms.spillsAt = now() + kSpillMs;
    return home.expectedMs <= kSpillMs ? home : null;
  }

  #find(key: string, workers: readonly WorkerHandle[]): WorkerHandle | null {
    let home = this.#homes.get(key) ?? null;
    if (home !== null) this.#forget(key, home);
    if (home === null || home.state !== 'ready') home = this.#choose(workers);
    if (home === null) return null;
    this.#homes.set(key, home);
    this.#counts.set(home, (this.#counts.get(home) ?? 0) + 1);
    if (this.#homes.size > kKeysMax) this.#forgetOldest();
    return home;
  }

  #choose(workers: readonly WorkerHandle[]): WorkerHandle | null {
    let best: WorkerHandle | null = null;
    let least = Infinity;
    for (let i = 0; i < workers.length; i++) {
      const worker = workers[i]!;
      const keys = this.#counts.get(worker) ?? 0;
      if (worker.state !== 'ready' || keys >= least) continue;
      best = worker;
      least = keys;
    }
    return best;
  }

  #forget(key: string, home: WorkerHandle): void {
    this.#homes.delete(key);
    const count = this.#counts.get(home)! - 1;
    if (count > 0) this.#counts.set(home, count);
    else this.#counts.delete(home);
  }

  #forgetOldest(): void {
    const oldest = this.#homes.entries().next().value as [string, WorkerHandle];
    this.#forget(oldest[0], oldest[1]);
  }
}
