// The handlers that a pool's tasks name, and how long each is measured to take.
//
// A handler is a file and an export. The owner sends the pair to each worker once, and names it by
// its number from then on. The moving average of its run time decides how many of its tasks a
// worker gets ahead (see dealer.ts).

import { SafeMap } from '../base/intrinsics.js';
import { noFilename } from '../errors.js';
import { Prospects } from '../wire/carrier.js';

/** Weight of the newest run in the moving average: an eighth, as TCP smooths its round trips. */
const kWeight = 1 / 8;

export class Handler {
  /** The moving average of its run time in ms. It means something once `measured` is true. */
  averageMs = 0;
  measured = false;
  /**
   * Moving average of what its tasks take in a port, in bytes; 0 while they fit into shared memory.
   */
  averageBytes = 0;
  /** Of its payloads. */
  readonly prospects = new Prospects();

  constructor(
    readonly index: number,
    readonly url: string,
    readonly exportName: string,
  ) {}

  measure(runMs: number): void {
    this.averageMs = this.measured ? this.averageMs + (runMs - this.averageMs) * kWeight : runMs;
    this.measured = true;
  }

  measureBytes(bytes: number): void {
    if (bytes !== this.averageBytes) this.averageBytes += (bytes - this.averageBytes) * kWeight;
    // Under a byte it is that of tasks that have gone by.
    if (this.averageBytes < 1) this.averageBytes = 0;
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

  /** The handler that each worker loads when it starts, so that the first task need not wait. */
  get preload(): Handler | null {
    return this.#default;
  }

  /** The handler of a call. `undefined` stands for what the pool was made with. */
  resolve(url: string | undefined, name: string | undefined): Handler {
    if (url === undefined && name === undefined && this.#default !== null) return this.#default;
    const file = url ?? this.#defaultUrl;
    if (file === null) throw noFilename();
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
