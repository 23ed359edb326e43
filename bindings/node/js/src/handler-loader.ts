// Finds a handler: imports its file, once a worker, and picks the export.
//
// `import()` takes CommonJS, ES modules and, where Node can, TypeScript, and evaluates a module at
// most once, also when it throws. A handler may be an export or a promise of one. CommonJS that was
// compiled from an ES module has its default export a level deeper; both levels are looked at.

import { fileURLToPath } from 'node:url';
import type { CenoteErrorCode } from './errors.js';
import { isPromiseLike, type Handler } from './task-context.js';

/** The file has no such handler: the owner makes a CenoteError of it. */
export class HandlerNotFound extends Error {
  readonly code = 'ERR_CENOTE_HANDLER_NOT_FOUND' satisfies CenoteErrorCode;
}

export async function loadHandler(url: string, exportName: string): Promise<Handler> {
  const module = (await import(url)) as Record<string, unknown>;
  const inner = asRecord(module['default']);
  // Only its own: what every function inherits, such as `call`, is no export.
  const candidates = [module[exportName], Object.hasOwn(inner, exportName) ? inner[exportName] : undefined];
  for (const value of candidates) {
    const found = isPromiseLike(value) ? await value : value;
    if (typeof found === 'function') return found as Handler;
  }
  const file = fileURLToPath(url);
  const names = [...new Set([...Object.keys(module), ...Object.keys(inner)])].join(', ') || 'nothing';
  throw new HandlerNotFound(
    candidates.every((value) => value === undefined)
      ? `${file} has no export "${exportName}" (it exports ${names})`
      : `The export "${exportName}" of ${file} is not a function, nor a promise of one (it exports ${names})`,
  );
}

function asRecord(value: unknown): Record<string, unknown> {
  const hasMembers = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return hasMembers ? (value as Record<string, unknown>) : {};
}
