// How a worker thread ends when its pool tells it to: after its tasks, its registered background
// work and its teardowns are done.
//
// What handlers left running unregistered gets kLeaveMs to finish: output on its way, an open file,
// a logger whose transport is another thread. The thread lets go of its own loop, and ends by
// itself when nothing else is alive on it, at once if nothing was left. A server or an interval is
// still alive after kLeaveMs; the thread exits then. Either way it calls its `exit` listeners.
// Terminating it would call none, so the owner does that only if the thread is blocked and stays.

import { parentPort } from 'node:worker_threads';
import { setTimeout } from '../base/intrinsics.js';

/** How long unregistered work may go on when the pool closes, in ms. */
const kLeaveMs = 1_000;

const exit = process.exit.bind(process);

/** Ends the thread. `letGo` lets it end when nothing else is alive. */
export function leave(letGo: () => void): void {
  // Unreferenced: it is for those who stay. Output on its way keeps the thread alive by itself.
  setTimeout(exit, kLeaveMs, 0).unref();
  // Nobody posts to it any more.
  parentPort?.unref();
  letGo();
}
