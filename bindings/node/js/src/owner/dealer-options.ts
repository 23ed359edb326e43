// What a dealer is made with, and a balancer of the user's that decides in its place.

import type { Task } from './task.js';
import type { WorkerHandle } from './worker-handle.js';

/** Chooses the worker for each task, instead of the dealer. */
export interface Balancer {
  /** The worker that gets the task, or null: it waits, and is asked about again later. */
  pick(task: Task, workers: readonly WorkerHandle[]): WorkerHandle | null;
  /**
   * How many tasks, in a row, it may be asked about in vain before those behind them wait as well.
   */
  readonly lookahead: number;
}

export interface DealerOptions {
  readonly concurrency: number;
  /** Workers are given tasks while they boot, and idle ones are taken in their order. */
  readonly eager: boolean;
  readonly prefetchWindowMs: number;
  /** CPUs that this process may use. */
  readonly cpus: number;
  readonly balancer: Balancer | null;
}
