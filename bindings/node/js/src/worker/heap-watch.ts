// Says, in shared memory, what this worker's heap uses, so that the owner can replace it in time.

import { getHeapStatistics } from 'node:v8';
import { AtomicsStore, MathRound, now } from '../base/intrinsics.js';
import { kHeapMb, type Channel } from '../wire/channel.js';

/** How often it looks, at most, in ms. A look takes some µs. */
const kEveryMs = 20;
const kMiB = 1024 * 1024;

export class HeapWatch {
  readonly #cells: Int32Array;
  #lookedAt = -Infinity;

  constructor(channel: Channel) {
    this.#cells = channel.cells;
  }

  /** Tasks may have run. */
  look(): void {
    const at = now();
    if (at - this.#lookedAt < kEveryMs) return;
    this.#lookedAt = at;
    AtomicsStore(this.#cells, kHeapMb, MathRound(getHeapStatistics().used_heap_size / kMiB));
  }
}
