// Evaluates a file, as `import()` or as `require()` does it.
//
// `import()` takes CommonJS, ES modules and, where Node can, TypeScript; `require()` takes what
// somebody taught it, such as TypeScript by a loader. The one is tried after the other only where
// the first did not begin to evaluate the file, so that a failing file is evaluated once. An ES
// module needs no such care: Node keeps it, with its failure, by its URL. CommonJS does, and begins
// when Node reads the `exports` of its module to hand them to it: that is observed while the file
// is required.
//
// A later attempt is for a file that failed, or has changed since: it asks for another URL, as Node
// keeps what `import()` made of the first for ever, and lets `require()` forget the file. What the
// file itself imports stays as it was; what failed in `require()` is tried anew by Node itself.

import { existsSync } from 'node:fs';
import Module from 'node:module';
import { extname, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import {
  define,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectHasOwn,
  ReflectApply,
  StringEndsWith,
  StringIncludes,
} from '../base/intrinsics.js';
import { fileNotFoundText } from '../errors.js';
import { FileNotFound } from './not-found.js';

const exists = existsSync;
const cwd = process.cwd.bind(process);

export type Exports = Record<string, unknown>;

/** What `require()` says of a file that `import()` has to evaluate. */
const kImportIt = ['ERR_REQUIRE_ESM', 'ERR_REQUIRE_ASYNC_MODULE', 'ERR_UNKNOWN_FILE_EXTENSION'];

/** `attempt` is 0 at first. `requireFirst` as Piscina does it. */
export async function importFile(
  url: string,
  requireFirst: boolean,
  attempt: number,
): Promise<Exports> {
  const path = fileURLToPath(url);
  if (attempt > 0) forget(path);
  const imported = attempt === 0 ? url : withAttempt(url, attempt);
  // Node imports nothing from a folder with a backslash in its name.
  if (sep === '/' && StringIncludes(path, '\\')) return required(path);
  if (!requireFirst) return requireAfterImport(imported, path);
  const exports = extname(path) === '.mjs' ? null : tryRequire(path);
  return exports ?? ((await import(imported)) as Exports);
}

async function requireAfterImport(url: string, path: string): Promise<Exports> {
  try {
    return (await import(url)) as Exports;
  } catch (error) {
    // A module that this file imports may be what is missing: then Node's own error says so.
    if (hasCode(error, 'ERR_MODULE_NOT_FOUND') && !exists(path)) throw notFound(path);
    // Of this file, which ends the message, and not of one that it imports.
    const isOurs =
      hasCode(error, 'ERR_UNKNOWN_FILE_EXTENSION') && StringEndsWith(messageOf(error), path);
    if (!isOurs || !ObjectHasOwn(require.extensions, extname(path))) throw error;
    return required(path);
  }
}

/** What a name without its extension may stand for. */
const kExtensions = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'];

function notFound(path: string): FileNotFound {
  let nearby: string | null = null;
  for (let i = 0; i < kExtensions.length && nearby === null; i++) {
    if (exists(path + kExtensions[i]!)) nearby = path + kExtensions[i]!;
  }
  return new FileNotFound(fileNotFoundText(path, cwd(), nearby));
}

/** The exports, or null if it is up to `import()`. Throws what the file throws. */
function tryRequire(path: string): Exports | null {
  let resolved: string;
  try {
    resolved = require.resolve(path);
  } catch {
    // `import()` says better that it is not there.
    return null;
  }
  const watch = new EvaluationWatch(resolved);
  try {
    return required(path);
  } catch (error) {
    if (watch.began) throw error;
    for (let i = 0; i < kImportIt.length; i++) if (hasCode(error, kImportIt[i]!)) return null;
    throw error;
  } finally {
    watch.end();
  }
}

interface CommonModule {
  exports: unknown;
}
type Compile = (
  this: CommonModule,
  source: string,
  filename: string,
  ...rest: unknown[]
) => unknown;
const modules = Module.prototype as unknown as { _compile?: Compile };

/** Notes whether a CommonJS file begins to be evaluated, from now until `end()`. */
class EvaluationWatch {
  began = false;
  readonly #before = ObjectGetOwnPropertyDescriptor(modules, '_compile');
  readonly #watching: Compile | undefined;

  constructor(file: string) {
    const compile = this.#before?.value as Compile | undefined;
    if (typeof compile !== 'function' || this.#before?.writable !== true) return;
    const began = (): void => {
      this.began = true;
    };
    const watching: Compile = function _compile(source, filename, ...rest) {
      if (filename === file) onRead(this, began);
      return ReflectApply(compile, this, [source, filename, ...rest]);
    };
    this.#watching = watching;
    modules._compile = watching;
  }

  end(): void {
    // Unless the file has put a hook of its own there, which calls this one.
    if (this.#watching !== undefined && modules._compile === this.#watching)
      ObjectDefineProperty(modules, '_compile', this.#before!);
  }
}

/** Calls back when a module's `exports` are first read, and leaves no trace. */
function onRead(module: CommonModule, callback: () => void): void {
  const settle = (value: unknown): void => {
    define(module, 'exports', value, true);
  };
  const { exports } = module;
  ObjectDefineProperty(module, 'exports', {
    __proto__: null,
    get: () => {
      settle(exports);
      callback();
      return exports;
    },
    set: settle,
    enumerable: true,
    configurable: true,
  } as PropertyDescriptor);
}

/** The exports of a file as `import()` would give them. */
function required(path: string): Exports {
  const exports: unknown = require(path);
  const isModule =
    types.isModuleNamespaceObject(exports) || asRecord(exports)['__esModule'] === true;
  return isModule ? (exports as Exports) : ({ __proto__: null, default: exports } as never);
}

function forget(path: string): void {
  try {
    delete require.cache[require.resolve(path)];
  } catch {
    // It is not there.
  }
}

function withAttempt(url: string, attempt: number): string {
  const { href, search, hash } = new URL(url);
  const bare = href.slice(0, href.length - hash.length);
  return `${bare}${search === '' ? '?' : '&'}cenote-attempt=${attempt}${hash}`;
}

function hasCode(error: unknown, code: string): boolean {
  try {
    return asRecord(error)['code'] === code;
  } catch {
    return false;
  }
}

function messageOf(error: unknown): string {
  const { message } = asRecord(error);
  return typeof message === 'string' ? message : '';
}

/** What has members, or else an object that has none. */
export function asRecord(value: unknown): Record<string, unknown> {
  const hasMembers = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return hasMembers ? (value as Record<string, unknown>) : ({ __proto__: null } as never);
}
