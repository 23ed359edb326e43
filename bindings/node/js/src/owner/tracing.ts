// Tells those who trace of each call of `run()`, by Node's own means: the tracing channel
// `cenote:task` of `node:diagnostics_channel`.
//
// The events are those of `tracePromise`: `start` and `end` around the call, `asyncStart` and
// `asyncEnd` when its promise settles, `error` before that if it rejects. All get one and the same
// message. Where nobody listens, a call costs a look at the channel.
//
// A listener that throws does not disturb the pool: Node reports it as an uncaught exception.

import { tracingChannel } from 'node:diagnostics_channel';

/** What listeners of the channel `cenote:task` get. */
export interface TaskTrace {
  /** The pool. */
  readonly pool: object;
  /** The file with the handler, as a `file:` URL; null if the call was wrong and named none. */
  filename: string | null;
  /** The export that handles the task. */
  name: string;
  /** From its acceptance to the start of the handler, in ms. Missing while it has not run. */
  queueTime?: number;
  /** How long the handler ran, in ms. Missing while it has not ended. */
  runTime?: number;
  /** The thread that ran the task. Missing while it has not run. */
  threadId?: number;
  /** What the handler returned. Set when the call has resolved. */
  result?: unknown;
  /** Why the call was rejected. Set when it was. */
  error?: unknown;
}

const channel = tracingChannel<TaskTrace>('cenote:task');
const { start, end, asyncStart, asyncEnd, error } = channel;

/** Whether anybody listens. */
export function isTraced(): boolean {
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  );
}

/** Makes the call, and tells of it. */
export function trace(call: () => Promise<unknown>, message: TaskTrace): Promise<unknown> {
  return channel.tracePromise(call, message);
}
