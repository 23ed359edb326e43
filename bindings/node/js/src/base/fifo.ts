// A list that is filled at its end and emptied at its beginning, both in constant time. It uses no
// method of `Array.prototype`, which the user's code may have replaced.

import { bareList } from './intrinsics.js';

export class Fifo<T> {
  #items: T[] = bareList();
  #head = 0;

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  push(item: T): void {
    this.#items[this.#items.length] = item;
  }

  /** The first, which is out of the list then; there must be one. */
  shift(): T {
    const item = this.#items[this.#head]!;
    this.#items[this.#head++] = undefined as never;
    if (this.#head === this.#items.length) this.clear();
    return item;
  }

  clear(): void {
    this.#items = bareList();
    this.#head = 0;
  }
}
