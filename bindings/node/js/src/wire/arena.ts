// Where the words of values lie in shared memory, by the slots that they belong to.
//
// The side that sends allocates, and knows when the other side has read: it frees. Blocks come in
// sizes that double. What was freed last is used first, so that few pages are touched, and those
// are in a cache; once nothing is live all blocks are forgotten, so that others can be made. Each
// size has as many blocks as there are slots at the most.

import { bareList, MathClz32 } from '../base/intrinsics.js';

/** The words of an arena. They are there for each worker twice, so they are few. */
const kMostBits = 14;
export const kArenaWords = 1 << kMostBits;
/** 2 to this many words is the smallest block. */
const kLeastBits = 5;

export class Arena {
  readonly #begin: number;
  readonly #end: number;
  #next: number;
  #live = 0;
  /** By size: where free blocks begin, and how many there are. A list's length costs to set. */
  readonly #free: number[][] = bareList();
  readonly #freeCount: number[] = bareList();
  /** By slot: where its block begins, -1 if it has none, and the bits of its size. */
  readonly #blocks: number[] = bareList();
  readonly #bits: number[] = bareList();

  /** Gives out the words from `begin` up to `end`. */
  constructor(begin: number, end: number, slots: number) {
    this.#begin = begin;
    this.#end = end;
    this.#next = begin;
    for (let bits = 0; bits <= kMostBits; bits++) {
      this.#free[bits] = bareList();
      this.#freeCount[bits] = 0;
    }
    for (let slot = 0; slot < slots; slot++) {
      this.#blocks[slot] = -1;
      this.#bits[slot] = 0;
    }
  }

  /** Where a block of so many words begins, the slot's from now on; -1: there is no room. */
  allocate(slot: number, words: number): number {
    let bits = 32 - MathClz32(words - 1);
    if (bits < kLeastBits) bits = kLeastBits;
    if (bits > kMostBits) return -1;
    const freeCount = this.#freeCount[bits]!;
    let at: number;
    if (freeCount > 0) {
      at = this.#free[bits]![freeCount - 1]!;
      this.#freeCount[bits] = freeCount - 1;
    } else {
      at = this.#next;
      if (at + (1 << bits) > this.#end) return -1;
      this.#next = at + (1 << bits);
    }
    this.#blocks[slot] = at;
    this.#bits[slot] = bits;
    this.#live++;
    return at;
  }

  /** Takes a slot's block back, if it has one. */
  free(slot: number): void {
    const at = this.#blocks[slot]!;
    if (at < 0) return;
    this.#blocks[slot] = -1;
    if (--this.#live === 0) {
      this.#forget();
      return;
    }
    const bits = this.#bits[slot]!;
    this.#free[bits]![this.#freeCount[bits]!++] = at;
  }

  #forget(): void {
    this.#next = this.#begin;
    for (let bits = kLeastBits; bits <= kMostBits; bits++) this.#freeCount[bits] = 0;
  }
}
