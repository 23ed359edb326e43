// Where the task was given to the pool: the caller's part of an error's stack.
//
// V8 finds who awaits a promise when a trace is captured in a reaction that leads to it. So no call
// has to note where it came from, and a task that succeeds pays nothing. A caller who only calls
// `then` or `catch` is not found, and without V8 nobody is.

import {
  define,
  ErrorCaptureStackTrace,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  PromisePrototype,
  PromisePrototypeThen,
  PromiseResolve,
  PromiseThen,
  StringIndexOf,
  StringSlice,
  StringStartsWith,
  StringTrimStart,
} from '../base/intrinsics.js';
import { isError } from '../wire/errors/record.js';

const kResolved = PromiseResolve();

/**
 * Rejects a promise, by its `resolve`, with an error whose stack goes on with the callers who await
 * the promise.
 *
 * The promise is resolved with another, whose reaction looks for them and throws. It runs after the
 * two have been tied together, which takes a turn of the microtask queue, and it is handled before
 * it is rejected.
 *
 * `where` says which worker ran the task. The error must be this promise's alone, or others would
 * see its callers.
 */
export function rejectWithCallerStack(
  resolve: (value: unknown) => void,
  error: unknown,
  where: string,
): void {
  const failure = PromiseThen(PromiseThen(kResolved, nothing), function fail() {
    if (isError(error)) appendCallers(error, where, fail);
    throw error;
  });
  // To tie the two together is to call the `then` of the other. Only where somebody has replaced
  // it: V8 gives up shortcuts for all promises of the process when one of them gets a `then` of its
  // own.
  if (ObjectGetOwnPropertyDescriptor(PromisePrototype, 'then')?.value !== PromisePrototypeThen)
    void ObjectDefineProperty(failure, 'then', {
      __proto__: null,
      value: PromisePrototypeThen,
    } as PropertyDescriptor);
  resolve(failure);
}

function nothing(): void {}

function appendCallers(error: object, where: string, below: () => unknown): void {
  try {
    const stack = (error as { stack?: unknown }).stack;
    if (typeof stack !== 'string' || ErrorCaptureStackTrace === undefined) return;
    const trace = { __proto__: null } as { stack?: unknown };
    ErrorCaptureStackTrace(trace, below);
    const callers = asyncLines(trace.stack);
    if (callers === '') return;
    const seam = `    at --- task in ${where}, called from ---`;
    define(error, 'stack', `${stack}\n${seam}${callers}`, false);
  } catch {
    // The stack cannot be read or changed, as with a frozen error: it stays as it is.
  }
}

/** The lines of a trace that say who awaits, each behind a line break. */
function asyncLines(trace: unknown): string {
  // Whatever Error.prepareStackTrace makes of it: only lines can be appended.
  if (typeof trace !== 'string') return '';
  let lines = '';
  for (let at = 0; at >= 0;) {
    const end = StringIndexOf(trace, '\n', at);
    const line = StringSlice(trace, at, end < 0 ? undefined : end);
    const text = StringTrimStart(line);
    if (text.length < line.length && StringStartsWith(text, 'at async ')) lines += `\n${line}`;
    at = end < 0 ? -1 : end + 1;
  }
  return lines;
}
