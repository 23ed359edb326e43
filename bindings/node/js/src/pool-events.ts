// The events of a pool, and how what its dispatcher tells becomes them.

import type { EventEmitter } from 'node:events';
import type { DispatcherListener } from './owner/dispatcher-options.js';

/** The events of a pool, and what their listeners receive. */
export interface PoolEvents {
  /** Background work that a handler registered with `waitUntil` rejected. The worker goes on. */
  backgroundError: [error: unknown, threadId: number];
  /** A worker ended unexpectedly. The pool rejects the tasks that ran on it, and replaces it. */
  workerLost: [error: unknown, exitCode: number, threadId: number];
  /** A worker's code posted a message on its `parentPort`. */
  message: [message: unknown, threadId: number];
  /** The pool has accepted as many tasks as it takes: it refuses the next one. */
  full: [];
  /** After `full`: no accepted task waits for a worker any more. */
  drain: [];
}

/** Holds the pool weakly: its threads must not keep it alive. */
export function listenFor(pool: WeakRef<EventEmitter<PoolEvents>>): DispatcherListener {
  return {
    onBackgroundError: (error, threadId) =>
      void pool.deref()?.emit('backgroundError', error, threadId),
    onWorkerLost: ({ error, exitCode, threadId }) =>
      void pool.deref()?.emit('workerLost', error, exitCode, threadId),
    onMessage: (message, { threadId }) => void pool.deref()?.emit('message', message, threadId),
    onFull: () => void pool.deref()?.emit('full'),
    onDrained: () => void pool.deref()?.emit('drain'),
  };
}
