// `pool.exec()`: runs a function that needs nothing from outside of itself, without a file for it.
//
// The function goes to the worker as code (see owner/inline-code.ts), with the file of the caller,
// by which the worker resolves its `import()` and `require`.

import {
  ErrorCaptureStackTrace,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  PlainError,
  SafePromise,
} from './base/intrinsics.js';
import { codeOf, kExecFile } from './owner/inline-code.js';
import type { OtherHandler } from './run-options.js';

/** Runs `fn` by `run`. `below` is what the user called. */
export function execFunction<R>(
  run: (task: unknown, options: OtherHandler) => Promise<R>,
  fn: unknown,
  args: readonly unknown[],
  below: (...args: never[]) => unknown,
): Promise<R> {
  try {
    return run([codeOf(fn), callerFile(below), args], {
      filename: kExecFile,
      name: 'exec',
    });
  } catch (error) {
    return new SafePromise<R>((_, reject) => reject(error));
  }
}

interface Traces {
  prepareStackTrace?: ((error: unknown, sites: readonly NodeJS.CallSite[]) => unknown) | undefined;
  stackTraceLimit: number;
}

/** The file that called `below`, as a path or a URL. Empty if there is none. */
function callerFile(below: (...args: never[]) => unknown): string {
  if (ErrorCaptureStackTrace === undefined) return '';
  const traces = PlainError as unknown as Traces;
  const { stackTraceLimit } = traces;
  const before = ObjectGetOwnPropertyDescriptor(traces, 'prepareStackTrace');
  const holder = { __proto__: null } as { stack?: unknown };
  try {
    traces.stackTraceLimit = 1;
    traces.prepareStackTrace = (_, sites) => sites;
    ErrorCaptureStackTrace(holder, below);
    const sites = holder.stack as readonly NodeJS.CallSite[];
    return sites[0]?.getFileName() ?? '';
  } catch {
    // Somebody has frozen the class of errors.
    return '';
  } finally {
    try {
      if (before === undefined) delete traces.prepareStackTrace;
      else ObjectDefineProperty(traces, 'prepareStackTrace', before);
      traces.stackTraceLimit = stackTraceLimit;
    } catch {
      // As above.
    }
  }
}
