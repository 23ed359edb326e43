// Which values may travel in one message.
//
// A structured clone keeps references: two tasks that share an object, cloned in one message, share
// it in the worker as well, and a handler that changes its own task would change the other's. So a
// message carries only values that provably have no object in common. Proving it costs about 50 ns
// for a small plain object; a value that is not small or not plain goes alone, which costs it next
// to nothing beside its own clone.

/** The most properties that are looked at for one value. */
const kPropertiesMax = 16;

export class BatchGuard {
  readonly #seen = new Set<object>();
  #left = 0;

  /** Begins a new message. */
  reset(): void {
    if (this.#seen.size > 0) this.#seen.clear();
  }

  /**
   * Whether a value may join the message: it is plain and small, and has no object in common with
   * those that joined before, nor twice in itself. After `false` the message is to be ended.
   */
  admits(value: unknown): boolean {
    this.#left = kPropertiesMax;
    try {
      return this.#admitsValue(value);
    } catch {
      // A getter or a proxy that throws: alone it fails alone.
      return false;
    }
  }

  #admitsValue(value: unknown): boolean {
    switch (typeof value) {
      case 'object':
        return value === null || this.#admitsObject(value);
      case 'function':
      case 'symbol':
        return false;
      default:
        return true;
    }
  }

  #admitsObject(value: object): boolean {
    if (this.#seen.has(value)) return false;
    this.#seen.add(value);
    if (Array.isArray(value)) {
      const items: readonly unknown[] = value;
      if ((this.#left -= items.length) < 0) return false;
      for (let i = 0; i < items.length; i++) if (!this.#admitsValue(items[i])) return false;
      return true;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return false;
    for (const name in value) {
      if (--this.#left < 0 || !this.#admitsValue((value as Record<string, unknown>)[name]))
        return false;
    }
    return true;
  }
}
