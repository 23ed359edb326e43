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
  for (const value of [module[exportName], memberOf(module['default'], exportName)]) {
    const found = isPromiseLike(value) ? await value : value;
    if (typeof found === 'function') return found as Handler;
  }
  const file = fileURLToPath(url);
  const names = Object.keys(module).join(', ') || 'nothing';
  throw new HandlerNotFound(
    module[exportName] === undefined
      ? `${file} has no export "${exportName}" (it exports ${names})`
      : `The export "${exportName}" of ${file} is not a function, nor a promise of one`,
  );
}

/** Only its own: what every function inherits, such as `call`, is no export. */
function memberOf(value: unknown, name: string): unknown {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return undefined;
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
