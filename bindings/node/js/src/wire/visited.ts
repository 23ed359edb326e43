// The objects of a value that were met so far, each with a number.
//
// A set would have to give each object an identity hash, which costs more than to carry a small
// object does: up to kSearchedMax objects are searched for one by one, some three in a nanosecond.

import { bareList, SafeMap } from '../base/intrinsics.js';
import { ArrayIndexOf, JSONParse } from '../base/value-intrinsics.js';

const kChunk = 64;
const kEmptyChunk = JSON.stringify(Array.from({ length: kChunk }, () => null));
const kFewMax = 8;
const kSearchedMax = 8 * kChunk;

export class Visited {
  readonly #chunks: (object | null)[][] = bareList();
  readonly #numbers = new Int32Array(kSearchedMax);
  #count = 0;
  /** All of them, once they are too many to be searched. */
  #map: SafeMap<object, number> | null = null;

  /** The number of an object, -1 if it was not met. */
  find(object: object): number {
    const count = this.#count;
    if (count === 0) return -1;
    if (count <= kFewMax) {
      const first = this.#chunks[0]!;
      for (let i = 0; i < count; i++) if (first[i] === object) return this.#numbers[i]!;
      return -1;
    }
    if (this.#map !== null) return this.#map.get(object) ?? -1;
    for (let from = 0, chunk = 0; from < count; from += kChunk, chunk++) {
      const at = ArrayIndexOf(this.#chunks[chunk]!, object);
      if (at >= 0) return this.#numbers[from + at]!;
    }
    return -1;
  }

  add(object: object, number: number): void {
    if (this.#map !== null) {
      this.#map.set(object, number);
      return;
    }
    const at = this.#count++;
    if (at === kSearchedMax) {
      this.#map = new SafeMap();
      this.forEach((known, its) => this.#map!.set(known, its));
      this.#map.set(object, number);
      this.#count = at;
      return;
    }
    const chunk = at >>> 6;
    if (chunk === this.#chunks.length) this.#chunks[chunk] = newChunk();
    this.#chunks[chunk]![at & (kChunk - 1)] = object;
    this.#numbers[at] = number;
  }

  forEach(call: (object: object, number: number) => void): void {
    if (this.#map !== null && this.#map.size > 0) {
      this.#map.forEach((number, object) => call(object, number));
      return;
    }
    for (let i = 0; i < this.#count && i < kSearchedMax; i++) {
      call(this.#chunks[i >>> 6]![i & (kChunk - 1)]!, this.#numbers[i]!);
    }
  }

  /** Forgets all of them. */
  clear(): void {
    const count = this.#count;
    for (let i = 0; i < count; i++) this.#chunks[i >>> 6]![i & (kChunk - 1)] = null;
    this.#count = 0;
    this.#map = null;
  }
}

/**
 * A plain array, which is searched faster than any other. What is parsed meets no setter of a
 * prototype, and is cheaper than to define each item.
 */
function newChunk(): (object | null)[] {
  return JSONParse(kEmptyChunk) as null[];
}
