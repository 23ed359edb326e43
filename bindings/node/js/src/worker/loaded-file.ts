// A file with handlers, as far as this worker has come with it: loading, loaded, or failed.
//
// A file that failed is not given up for good: it is tried again once it was changed, or a while
// has passed, at first kRetryMs, then twice as long after each failure, at most kRetryMaxMs. In
// between everybody gets the failure at once. A file that loaded and lacks an export is loaded
// again only when it was changed. If only its `setup` failed and the file is the same, `setup`
// alone is called again.

import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MathMin, now } from '../base/intrinsics.js';
import { runAside } from './isolation.js';
import { importFile, type Exports } from './module-import.js';
import { beginLoading } from './worker-state.js';

const kRetryMs = 1_000;
const kRetryMaxMs = 30_000;
/** How often a file is looked at, at most, in ms. */
const kLookMs = 50;

const stat = statSync;

export class LoadedFile {
  /** Goes up with each attempt. */
  attempt = 0;
  readonly #url: string;
  readonly #bare: boolean;
  readonly #setUp: (exports: Exports) => Promise<void>;
  #loading: Promise<Exports> | null = null;
  /** What was evaluated, whether or not its `setup` went well. */
  #evaluated: Exports | null = null;
  #failed = false;
  #failures = 0;
  #retryAt = 0;
  /** What the file was like before the last attempt. */
  #stamp = '';
  #lookedAt = -Infinity;
  #changed = false;

  /** `setUp` is called with the exports of each file that was evaluated. */
  constructor(url: string, bare: boolean, setUp: (exports: Exports) => Promise<void>) {
    this.#url = url;
    this.#bare = bare;
    this.#setUp = setUp;
  }

  /** The exports, once they are set up. `again`: a stale failure or file is loaded anew. */
  exports(again: boolean): Promise<Exports> {
    if (this.#loading === null || (again && (this.isRetriable || this.hasChanged))) {
      if (this.#loading !== null) this.attempt++;
      this.#loading = this.#load();
    }
    return this.#loading;
  }

  /** Whether it failed, and may be tried again. */
  get isRetriable(): boolean {
    return this.#failed && (now() >= this.#retryAt || this.hasChanged);
  }

  /** Whether it is another file now than the one that was loaded. */
  get hasChanged(): boolean {
    if (!this.#changed && now() - this.#lookedAt >= kLookMs) {
      this.#lookedAt = now();
      this.#changed = this.#stamp !== stampOf(this.#url);
    }
    return this.#changed;
  }

  async #load(): Promise<Exports> {
    const loaded = beginLoading(this.#url);
    const evaluated = this.hasChanged ? null : this.#evaluated;
    this.#failed = false;
    this.#changed = false;
    this.#stamp = stampOf(this.#url);
    try {
      this.#evaluated =
        evaluated ?? (await runAside(() => importFile(this.#url, this.#bare, this.attempt)));
      await this.#setUp(this.#evaluated);
      this.#failures = 0;
      return this.#evaluated;
    } catch (error) {
      this.#failed = true;
      this.#retryAt = now() + MathMin(kRetryMaxMs, kRetryMs * 2 ** this.#failures++);
      throw error;
    } finally {
      loaded();
    }
  }
}

/** Tells one content of a file from another, as far as that goes without reading it. */
function stampOf(url: string): string {
  try {
    const { mtimeNs, size, ino } = stat(fileURLToPath(url), { bigint: true });
    return `${mtimeNs} ${size} ${ino}`;
  } catch {
    return '';
  }
}
