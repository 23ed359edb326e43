// The handlers that a pool's tasks name, and how long each is measured to take.
//
// A handler is a file and an export; the pair travels once to each worker and is a number from
// then on. The moving average of its run time decides how many of its tasks a worker is given
// ahead (see dispatcher.ts).

import { SafeMap } from '../base/intrinsics.js';
import { CenoteError } from '../errors.js';

/** Weight of the newest run in the moving average: an eighth, as TCP smooths its round trips. */
const kWeight = 1 / 8;

export class Handler {
  /** Moving average of its run time in ms; only meaningful once `measured`. */
  averageMs = 0;
  measured = false;

  constructor(
    readonly index: number,
    readonly url: string,
    readonly exportName: string,
  ) {}

  measure(runMs: number): void {
    this.averageMs = this.measured ? this.averageMs + (runMs - this.averageMs) * kWeight : runMs;
    this.measured = true;
  }
}

export class HandlerTable {
  readonly #byKey = new SafeMap<string, Handler>();
  readonly #defaultUrl: string | null;
  readonly #defaultName: string;
  readonly #default: Handler | null;

  constructor(url: string | null, name: string) {
    this.#defaultUrl = url;
    this.#defaultName = name;
    this.#default = url === null ? null : this.#find(url, name);
  }

  /** The handler that a worker loads at its start, so that the first task does not wait for it. */
  get preload(): Handler | null {
    return this.#default;
  }

  /** The handler for a call; `undefined` stands for what the pool was made with. */
  resolve(url: string | undefined, name: string | undefined): Handler {
    if (url === undefined && name === undefined && this.#default !== null) return this.#default;
    const file = url ?? this.#defaultUrl;
    if (file === null) {
      throw new CenoteError(
        'ERR_CENOTE_NO_FILENAME',
        'No file to run: pass "filename" to new Pool() or to run()',
      );
    }
    return this.#find(file, name ?? this.#defaultName);
  }

  #find(url: string, name: string): Handler {
    const key = `${name}\0${url}`;
    let handler = this.#byKey.get(key);
    if (handler === undefined) {
      handler = new Handler(this.#byKey.size, url, name);
      this.#byKey.set(key, handler);
    }
    return handler;
  }
}
