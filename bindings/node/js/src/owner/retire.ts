// The end of a worker that has nothing to do: it is asked to end by itself, so that what its tasks
// left running is finished first, for kRetireLimitMs at most.

import { setTimeout } from '../base/intrinsics.js';
import type { WorkerHandle } from './worker-handle.js';

/** How long a retiring worker may go on with what was left on it before it is terminated. */
const kRetireLimitMs = 30_000;

export function retire(worker: WorkerHandle): void {
  worker.body.tell({ type: 'retire' });
  setTimeout(() => {
    if (worker.state !== 'exited') worker.terminate();
  }, kRetireLimitMs).unref();
}
