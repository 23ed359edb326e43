// Finds handlers: loads their files, once a worker, and picks the exports.
//
// A handler may be an export or a promise of one. CommonJS that was compiled from an ES module has
// its default export a level deeper; both levels are looked at.
//
// A file may export `setup`, which is awaited before the first of its handlers is given out, and
// `teardown`, which is awaited by `teardown()` here. A `setup` that throws is as good as a file
// that throws: nobody gets a handler of it, and its `teardown` is not called. All of it runs in
// async contexts of its own, so that no task sees what it leaves there.
//
// What could not be found is a LoadFailure, which says when to ask again.

import { fileURLToPath } from 'node:url';
import { ObjectHasOwn, ObjectKeys, SafeMap, SafeSet } from '../base/intrinsics.js';
import { runAside } from './isolation.js';
import { LoadedFile } from './loaded-file.js';
import { asRecord, type Exports } from './module-import.js';
import { HandlerNotFound } from './not-found.js';
import { isPromiseLike, type Handler } from './task-context.js';

/** Why there is no handler, for now. */
export class LoadFailure {
  readonly #file: LoadedFile;
  readonly #attempt: number;

  /** @internal */
  constructor(
    readonly error: unknown,
    readonly url: string,
    readonly exportName: string,
    file: LoadedFile,
  ) {
    this.#file = file;
    this.#attempt = file.attempt;
  }

  /**
   * Whether to load the handler again: the file was changed, or a while has passed. Cheap to ask.
   */
  get isStale(): boolean {
    const file = this.#file;
    // Somebody else may have loaded it again.
    if (file.attempt !== this.#attempt) return true;
    return this.error instanceof HandlerNotFound ? file.hasChanged : file.isRetriable;
  }
}

interface Teardown {
  readonly call: () => unknown;
  readonly next: Teardown | null;
}

export class HandlerLoader {
  readonly #files = new SafeMap<string, LoadedFile>();
  /** Files that were found to lack an export. */
  readonly #lacking = new SafeSet<LoadedFile>();
  #teardowns: Teardown | null = null;
  readonly #bare: boolean;

  /** `bare`: `setup` and `teardown` are exports like any other. */
  constructor(bare: boolean) {
    this.#bare = bare;
  }

  /** Never rejects. Asked again for what failed, it tries again if the failure is stale. */
  async load(url: string, exportName: string): Promise<Handler | LoadFailure> {
    let file = this.#files.get(url);
    if (file === undefined) {
      file = new LoadedFile(url, this.#bare, (exports) => this.#setUp(exports));
      this.#files.set(url, file);
    }
    try {
      const exports = await file.exports(this.#lacking.has(file) || file.isRetriable);
      return await pick(exports, url, exportName);
    } catch (error) {
      if (error instanceof HandlerNotFound) this.#lacking.add(file);
      return new LoadFailure(error, url, exportName, file);
    }
  }

  /** Whether {@link teardown} has anything to do. */
  get hasTeardown(): boolean {
    return this.#teardowns !== null;
  }

  /**
   * Awaits the teardowns, the last file first, each once. Rejects with the first error, after all
   * of them.
   */
  async teardown(): Promise<void> {
    let failure: { error: unknown } | null = null;
    while (this.#teardowns !== null) {
      const { call, next } = this.#teardowns;
      this.#teardowns = next;
      try {
        await runAside(call);
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== null) throw failure.error;
  }

  async #setUp(exports: Exports): Promise<void> {
    if (this.#bare) return;
    const setup = findFunction(exports, 'setup');
    if (setup !== undefined) await runAside(setup);
    const teardown = findFunction(exports, 'teardown');
    if (teardown !== undefined) this.#teardowns = { call: teardown, next: this.#teardowns };
  }
}

async function pick(exports: Exports, url: string, exportName: string): Promise<Handler> {
  const outer = exports[exportName];
  let found = isPromiseLike(outer) ? await outer : outer;
  if (typeof found === 'function') return found as Handler;
  const inner = innerExport(exports, exportName);
  found = isPromiseLike(inner) ? await inner : inner;
  if (typeof found === 'function') return found as Handler;
  const file = fileURLToPath(url);
  const list = namesOf(exports);
  throw new HandlerNotFound(
    outer === undefined && inner === undefined
      ? `${file} has no export "${exportName}" (it exports ${list})`
      : `The export "${exportName}" of ${file} is not a function or a promise of one ` +
          `(it exports ${list})`,
  );
}

/** What a name may stand for if it is no export: a property of the default export. */
function innerExport(exports: Exports, name: string): unknown {
  const inner = asRecord(exports['default']);
  // Only its own: what every function inherits, such as `call`, is no export.
  return ObjectHasOwn(inner, name) ? inner[name] : undefined;
}

function findFunction(exports: Exports, name: string): (() => unknown) | undefined {
  const outer = exports[name];
  if (typeof outer === 'function') return outer as () => unknown;
  const inner = innerExport(exports, name);
  return typeof inner === 'function' ? (inner as () => unknown) : undefined;
}

function namesOf(exports: Exports): string {
  const seen = new SafeSet<string>();
  let text = '';
  const add = (names: readonly string[]): void => {
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      if (seen.has(name)) continue;
      seen.add(name);
      text += text === '' ? name : `, ${name}`;
    }
  };
  add(ObjectKeys(exports));
  add(ObjectKeys(asRecord(exports['default'])));
  return text === '' ? 'nothing' : text;
}
