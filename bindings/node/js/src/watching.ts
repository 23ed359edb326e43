// `watch: true`: looks at the files that workers may have loaded, and says when one has changed.
//
// What a worker has loaded cannot be asked for. So the folder of each handler's file is watched,
// with those below it, but for `node_modules` and those whose names begin with a dot: kMostFolders
// of them at most. Several changes within kSettleMs are one.
//
// It is for development: what it costs grows with the number of folders. It does not keep the
// process alive.

import { readdirSync, watch, type FSWatcher } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clearTimeout, SafeMap, setTimeout } from './base/intrinsics.js';

const kMostFolders = 1_000;
/** An editor may write a file in several steps. */
const kSettleMs = 50;
/** What a worker may load. */
const kCode = /\.(?:[cm]?[jt]sx?|json|node|wasm)$/;

export class Watcher {
  readonly #onChange: () => void;
  readonly #folders = new SafeMap<string, FSWatcher>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Watches the folder of a file, given as a `file:` URL, and those below it. */
  add(url: string): void {
    if (!this.#isClosed) this.#watch(dirname(fileURLToPath(url)));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#folders.forEach((watcher) => watcher.close());
    this.#folders.clear();
  }

  #watch(folder: string): void {
    if (this.#folders.has(folder) || this.#folders.size >= kMostFolders) return;
    let watcher: FSWatcher;
    try {
      watcher = watch(folder, { persistent: false });
    } catch {
      // It does not exist, or the system watches no more: a change there is not seen.
      return;
    }
    this.#folders.set(folder, watcher);
    watcher.on('change', (_, name) => this.#changed(folder, String(name)));
    watcher.on('error', () => this.#forget(folder));
    this.#watchBelow(folder);
  }

  #watchBelow(folder: string): void {
    try {
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const { name } = entry;
        if (entry.isDirectory() && name !== 'node_modules' && !name.startsWith('.'))
          this.#watch(join(folder, name));
      }
    } catch {
      this.#forget(folder);
    }
  }

  #forget(folder: string): void {
    this.#folders.get(folder)?.close();
    this.#folders.delete(folder);
  }

  #changed(folder: string, name: string): void {
    // It may be a new folder.
    if (!kCode.test(name)) {
      if (!this.#isClosed) this.#watchBelow(folder);
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#isClosed) this.#onChange();
    }, kSettleMs).unref();
  }
}
