// How a worker thread ends that is told to, once its tasks, its registered background work and its teardowns are done.
//
// Nothing of it is cut off that ends soon: output that is on its way, a file that is being written, a logger whose
// transport is another thread. The thread lets go of its own loop, and ends by itself when nothing else is alive on it,
// at once if nothing was left. What is still alive kLeaveMs later, such as a server or an interval, is not waited for any
// longer: the thread exits then, and calls its `exit` listeners, as it does where it ends by itself. An owner who
// terminates it calls none of them, and so it does that only where the thread stays all the same: it is blocked.

import { parentPort } from 'node:worker_threads';
import { setTimeout } from '../base/intrinsics.js';

/** How long what a worker's tasks left running, and did not register, may go on when its pool is closed, in ms. */
export const kLeaveMs = 1_000;

const exit = process.exit.bind(process);

/** Ends the thread. `letGo` lets it end when nothing else is alive. */
export function leave(letGo: () => void): void {
  // Unreferenced: it is for those who stay. Output on its way keeps the thread alive by itself.
  setTimeout(exit, kLeaveMs, 0).unref();
  // Nobody posts to it any more.
  parentPort?.unref();
  letGo();
}
