// What a dispatcher is made with, and what a pool hears from it.

import type { PoolErrors, WorkerEnd } from '../errors.js';
import type { FullnessListener } from './acceptance.js';
import type { CrewLimits } from './crew.js';
import type { DealerOptions } from './dealer-options.js';
import type { RecycleLimits } from './renewal.js';
import type { WaitQueue } from './task.js';
import type { WorkerSpec } from './worker-events.js';
import type { WorkerHandle } from './worker-handle.js';

export interface DispatcherOptions extends CrewLimits, DealerOptions {
  readonly maxQueue: number;
  /** How long a task that was asked to end has for it, in ms, before its worker is terminated. */
  readonly abortGraceMs: number;
  readonly queue: WaitQueue;
  /** When workers are replaced. */
  readonly recycle: RecycleLimits;
  readonly errors: PoolErrors;
  readonly spec: WorkerSpec;
}

/** What a pool hears from its dispatcher. What is called in the middle of things must not throw. */
export interface DispatcherListener extends FullnessListener {
  /** In a turn of its own. */
  onBackgroundError(error: unknown, threadId: number): void;
  /**
   * A worker ended unexpectedly. `begun` of its tasks were rejected, `waiting` had not begun.
   * `unfit`: it could not load the pool's file, as the end's error says. In a turn of its own.
   */
  onWorkerLost(end: WorkerEnd, begun: number, waiting: number, unfit: boolean): void;
  /** The worker's code posted a message on its `parentPort`. In a turn of its own. */
  onMessage(message: unknown, worker: WorkerHandle): void;
  onWorkerReady?(worker: WorkerHandle): void;
  /** It takes no more tasks: it was told to end, or ended. */
  onWorkerLeft?(worker: WorkerHandle): void;
}
