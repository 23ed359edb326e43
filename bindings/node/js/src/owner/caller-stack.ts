// Where the task was given to the pool: the caller's part of an error's stack.
//
// V8 finds who awaits a promise when a trace is captured in a reaction that leads to it. So no call has to note where
// it came from, and a task that succeeds pays nothing. A caller who only calls `then` or `catch` is not found, and
// without V8 nobody is.

import { define, isError } from '../wire/errors/record.js';

const kResolved = Promise.resolve();

/**
 * Rejects a promise, by its `resolve`, with an error whose stack goes on with the callers who await the promise.
 *
 * The promise is resolved with another, whose reaction looks for them and throws. It runs after the two have been tied
 * together, which takes a turn of the microtask queue, and it is handled before it is rejected.
 *
 * The error must be this promise's alone, or others would see its callers.
 */
export function rejectWithCallerStack(
  resolve: (value: unknown) => void,
  error: unknown,
  threadId: number,
): void {
  const failure = kResolved.then(nothing).then(function fail() {
    if (isError(error)) appendCallers(error, threadId, fail);
    throw error;
  });
  resolve(failure);
}

function nothing(): void {}

function appendCallers(error: object, threadId: number, below: () => unknown): void {
  try {
    const stack = (error as { stack?: unknown }).stack;
    if (typeof stack !== 'string') return;
    const trace: { stack?: unknown } = {};
    Error.captureStackTrace(trace, below);
    // Whatever Error.prepareStackTrace makes of it: only lines can be appended.
    if (typeof trace.stack !== 'string') return;
    const callers = trace.stack.split('\n').filter((line) => /^\s+at async /.test(line));
    if (callers.length === 0) return;
    const seam = `    at --- task in worker thread ${threadId}, called from ---`;
    define(error, 'stack', [stack, seam, ...callers].join('\n'), false);
  } catch {
    // The stack cannot be read or changed, as with a frozen error: it stays as it is.
  }
}
