// Finds handlers: imports their files, once a worker, and picks the exports.
//
// `import()` takes CommonJS, ES modules and, where Node can, TypeScript; `require()` takes what somebody
// taught it, such as TypeScript by a loader. The one is tried after the other only where the first
// could not begin, so that a module is evaluated at most once, also when it throws. A handler may be an
// export or a promise of one. CommonJS that was compiled from an ES module has its default export a
// level deeper; both levels are looked at.
//
// A file may export `setup`, which is awaited before the first of its handlers is given out, and
// `teardown`, which is awaited by `teardown()` here. A `setup` that throws is as good as a file that
// throws: nobody gets a handler of it, and its `teardown` is not called.

import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { fileNotFoundText, type CenoteErrorCode } from '../errors.js';
import { isPromiseLike, type Handler } from './task-context.js';

/** The file has no such handler: the owner makes a CenoteError of it. */
export class HandlerNotFound extends Error {
  readonly code: CenoteErrorCode = 'ERR_CENOTE_HANDLER_NOT_FOUND';
}

/** The file itself does not exist. */
class FileNotFound extends HandlerNotFound {
  override readonly code = 'ERR_CENOTE_FILE_NOT_FOUND';
}

/** What a name without its extension may stand for. */
const kExtensions = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'];

type Exports = Record<string, unknown>;

export class HandlerLoader {
  readonly #files = new Map<string, Promise<Exports>>();
  readonly #teardowns: (() => unknown)[] = [];
  readonly #bare: boolean;

  /** `bare`: `setup` and `teardown` are exports like any other. */
  constructor(bare: boolean) {
    this.#bare = bare;
  }

  async load(url: string, exportName: string): Promise<Handler> {
    let file = this.#files.get(url);
    if (file === undefined) {
      file = this.#import(url);
      this.#files.set(url, file);
    }
    return pick(await file, url, exportName);
  }

  /** Whether {@link teardown} has anything to do. */
  get hasTeardown(): boolean {
    return this.#teardowns.length > 0;
  }

  /** Awaits the teardowns, the last file first, each once. Rejects with the first error, after all of them. */
  async teardown(): Promise<void> {
    let failure: { error: unknown } | null = null;
    for (let next = this.#teardowns.pop(); next !== undefined; next = this.#teardowns.pop()) {
      try {
        await next();
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== null) throw failure.error;
  }

  async #import(url: string): Promise<Exports> {
    if (this.#bare) return importAfterRequire(url);
    const exports = await requireAfterImport(url);
    const setup = findFunction(exports, 'setup');
    if (setup !== undefined) await setup();
    const teardown = findFunction(exports, 'teardown');
    if (teardown !== undefined) this.#teardowns.push(teardown);
    return exports;
  }
}

async function requireAfterImport(url: string): Promise<Exports> {
  try {
    return (await import(url)) as Exports;
  } catch (error) {
    const path = fileURLToPath(url);
    // A module that this file imports may be what is missing: then Node's own error says so.
    if (hasCode(error, 'ERR_MODULE_NOT_FOUND') && !existsSync(path)) {
      const nearby = kExtensions.map((extension) => path + extension).find(existsSync) ?? null;
      throw new FileNotFound(fileNotFoundText(path, process.cwd(), nearby));
    }
    if (!hasCode(error, 'ERR_UNKNOWN_FILE_EXTENSION') || !(extname(path) in require.extensions))
      throw error;
    return required(path);
  }
}

/** What `require()` says of a file that `import()` has to evaluate, or says better that it is not there. */
const kImportIt = [
  'ERR_REQUIRE_ESM',
  'ERR_REQUIRE_ASYNC_MODULE',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'MODULE_NOT_FOUND',
];

/** Enough to see where an error comes from: every level of `require` has some frames of Node's own. */
const kFrames = 500;

async function importAfterRequire(url: string): Promise<Exports> {
  const path = fileURLToPath(url);
  if (extname(path) !== '.mjs') {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = kFrames;
    try {
      return required(path);
    } catch (error) {
      if (!kImportIt.some((code) => hasCode(error, code)) || isFromInside(error, path)) throw error;
    } finally {
      // Unless the file itself has set another.
      if (Error.stackTraceLimit === kFrames) Error.stackTraceLimit = limit;
    }
  }
  return (await import(url)) as Exports;
}

/** Whether an error was thrown while the file was evaluated: then to try again would evaluate it twice. */
function isFromInside(error: unknown, path: string): boolean {
  const lines = error instanceof Error ? (error.stack ?? '').split('\n') : [];
  return lines.some((line) => /^\s+at /.test(line) && line.includes(`${path}:`));
}

/** The exports of a file as `import()` would give them. */
function required(path: string): Exports {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const exports: unknown = require(path);
  const isModule =
    types.isModuleNamespaceObject(exports) || asRecord(exports)['__esModule'] === true;
  return isModule ? (exports as Exports) : { default: exports };
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

async function pick(exports: Exports, url: string, exportName: string): Promise<Handler> {
  const candidates = candidatesFor(exports, exportName);
  for (const value of candidates) {
    const found = isPromiseLike(value) ? await value : value;
    if (typeof found === 'function') return found as Handler;
  }
  const file = fileURLToPath(url);
  const names = [
    ...new Set([...Object.keys(exports), ...Object.keys(asRecord(exports['default']))]),
  ];
  const list = names.join(', ') || 'nothing';
  throw new HandlerNotFound(
    candidates.every((value) => value === undefined)
      ? `${file} has no export "${exportName}" (it exports ${list})`
      : `The export "${exportName}" of ${file} is not a function, nor a promise of one (it exports ${list})`,
  );
}

/** What a name may stand for: an export, or a property of the default export. */
function candidatesFor(exports: Exports, name: string): unknown[] {
  const inner = asRecord(exports['default']);
  // Only its own: what every function inherits, such as `call`, is no export.
  return [exports[name], Object.hasOwn(inner, name) ? inner[name] : undefined];
}

function findFunction(exports: Exports, name: string): (() => unknown) | undefined {
  return candidatesFor(exports, name).find(
    (value): value is () => unknown => typeof value === 'function',
  );
}

function asRecord(value: unknown): Record<string, unknown> {
  const hasMembers = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return hasMembers ? (value as Record<string, unknown>) : {};
}
