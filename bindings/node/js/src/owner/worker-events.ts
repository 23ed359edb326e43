// What a worker is made with, and what it reports to the pool.

import type { Task } from './task.js';
import type { ThreadSpec } from './thread.js';
import type { WorkerHandle } from './worker-handle.js';

export interface WorkerSpec extends ThreadSpec {
  /** As many tasks each worker runs in its life. */
  readonly quota: number;
  /** Its handle keeps the times of its tasks, for statistics. */
  readonly recordsLatencies: boolean;
  /** Called with the times of each task that ended in its worker, in ms. Must not throw. */
  readonly onTiming: ((worker: WorkerHandle, waitMs: number, runMs: number) => void) | null;
}

/** What a worker reports to the pool. None of these may throw but `onMessage`. */
export interface WorkerEvents {
  onReady(worker: WorkerHandle): void;
  /** The worker's own code posted a message on its `parentPort`. */
  onMessage(worker: WorkerHandle, message: unknown): void;
  /** A posted task's result; the task is out of the worker's table. */
  onResult(task: Task, code: number, value: unknown, threadId: number): void;
  /** It takes no more tasks: it was told to end. */
  onLeaving(worker: WorkerHandle): void;
  /** Called once after each run of results that came by a port event. */
  onPortDrained(): void;
  onBackgroundError(worker: WorkerHandle, error: unknown): void;
  /** The worker's registered background work is done; it was asked to close. */
  onClosed(worker: WorkerHandle): void;
  /** `expected`: it was told to end. */
  onExit(worker: WorkerHandle, exitCode: number, expected: boolean): void;
  /** A task whose payload cannot be cloned or transferred; it is out of the worker's table. */
  onUnpostable(task: Task, error: unknown): void;
  /**
   * Added tasks that were not posted, since others turned out to be larger than theirs were so far.
   */
  onNoRoom(tasks: readonly Task[]): void;
}
