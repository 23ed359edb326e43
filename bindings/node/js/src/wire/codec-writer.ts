// Writes small plain values, as far as they can be.
//
// What crosses so: undefined, null, booleans, numbers, strings, and arrays and plain objects of
// them, as long as all of it fits into the area that it is given. Everything else is left to the
// structured clone: what has another prototype, an array with holes or named properties, an object
// that occurs twice, proxies, functions.
//
// Guarantee: each property is read once, in the order in which a structured clone reads it. Where
// the writer finds out half-way that it cannot carry the value, it answers with what is to be
// cloned instead: the value itself, if all that was read is data and still there; else a copy that
// holds what was read, so that no getter runs twice.
//
// A copy holds what is not plain as it is. So that is read when the copy is cloned, behind the
// rest, and what it refers to is the original of an object in the copy.

import { types } from 'node:util';
import {
  ArrayIsArray,
  bareList,
  BufferLatin1Write,
  BufferUcs2Write,
  define,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectIs,
  ObjectKeys,
  ObjectPrototype,
  RegExpExec,
  SafeMap,
  StringCharCodeAt,
} from '../base/intrinsics.js';
import { isBuiltIn } from './built-in.js';
import {
  bytesOf,
  double,
  doubleWords,
  kArray,
  kCopiedLength,
  kDouble,
  kFalse,
  kInteger,
  kIntegerMax,
  kIntegerMin,
  kLatin1,
  kNull,
  kObject,
  kTagBits,
  kTrue,
  kTwoByte,
  kUndefined,
} from './codec.js';

const { isProxy } = types;

/** The most objects in one value: each is compared with those before it. */
const kObjectsMax = 16;
/** The most items of an array: of one that is longer nothing is looked at in vain. */
const kItemsMax = 32;
/** What lies deeper in a value that has to be copied is left in it as it is. */
const kDepthMax = 500;

/** What {@link Writer.write} says of a value that it wrote. */
export const kWritten: unique symbol = Symbol('written') as never;

const kTwoBytePattern = /[\u0100-\uffff]/;

/** How a value is walked: it is being written; */
const kWriting = 0;
/** it cannot be written, and to read it once more would show, so what was read is kept; */
const kCopying = 1;
/** it cannot be written, and is cloned as it is; */
const kGivenUp = 2;
/** or it cannot be cloned either, so nothing behind what keeps it from that is read. */
const kUncloneable = 3;

export class Writer {
  readonly #cells: Int32Array;
  readonly #bytes: Buffer;
  #at = 0;
  #end = 0;
  #mode = kGivenUp;
  #busy = false;
  /** The objects of the value, in the order in which they were begun. */
  readonly #objects: (object | null)[] = bareList();
  #objectCount = 0;
  readonly #sizes: number[] = bareList();
  /** Their indices, once they may be many. */
  #indices: SafeMap<object, number> | null = null;
  #depth = 0;
  /** What was read, in order: the index of an object, a key, and the value that was found there. */
  readonly #owners: number[] = bareList();
  readonly #keys: (string | number)[] = bareList();
  readonly #items: unknown[] = bareList();
  #readCount = 0;

  /** Writes into areas of `cells`. */
  constructor(cells: Int32Array) {
    this.#cells = cells;
    this.#bytes = bytesOf(cells);
  }

  /**
   * Writes a value into the words from `begin` up to `end`. Gives {@link kWritten}, or the value
   * that is to be cloned instead. Throws what a getter of the value throws.
   */
  write(value: unknown, begin: number, end: number): unknown {
    // A getter of another value, which is being written, may have come back here.
    if (this.#busy) return value;
    this.#at = begin;
    this.#end = end;
    if (typeof value !== 'object' || value === null) {
      return this.#writePrimitive(value) ? kWritten : value;
    }
    this.#busy = true;
    this.#mode = kWriting;
    this.#depth = 0;
    try {
      this.#visit(value);
      if (this.#mode === kWriting) return kWritten;
      return this.#mode === kGivenUp ? value : this.#copied();
    } finally {
      this.#busy = false;
      for (let i = 0; i < this.#objectCount; i++) this.#objects[i] = null;
      for (let i = 0; i < this.#readCount; i++) this.#items[i] = undefined;
      this.#objectCount = 0;
      this.#readCount = 0;
      this.#indices = null;
    }
  }

  // Walking

  #visit(value: object): void {
    const index = this.#objectCount;
    if (this.#mode === kWriting && (index === kObjectsMax || this.#at >= this.#end)) this.#giveUp();
    if (this.#mode >= kGivenUp || this.#depth === kDepthMax) return;
    if (isProxy(value)) return this.#refuse();
    // What was visited is the clone's to carry.
    if (this.#indexOf(value) >= 0) return this.#giveUp();
    if (ArrayIsArray(value)) return this.#visitArray(value, index);
    const prototype: unknown = ObjectGetPrototypeOf(value);
    if (prototype !== ObjectPrototype && prototype !== null) return this.#giveUp();
    const keys = ObjectKeys(value);
    if (isBuiltIn(value, prototype, keys)) return this.#giveUp();
    this.#register(value, keys.length);
    const header = this.#at++;
    let properties = 0;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      if (key === '__proto__' && !ObjectHasOwn(value, key)) continue;
      const item = (value as Record<string, unknown>)[key];
      // A getter before it may have removed it: what is read then is inherited, if anything.
      if ((item === undefined || typeof item === 'function') && !ObjectHasOwn(value, key)) continue;
      this.#note(index, key, item);
      // To whoever builds an object the name of the prototype is no name like others.
      if (this.#mode === kWriting && (key === '__proto__' || !this.#writeString(key))) {
        this.#giveUp();
      }
      this.#visitItem(item);
      if (this.#mode >= kGivenUp) return;
      properties++;
    }
    this.#depth--;
    if (this.#mode === kWriting) this.#cells[header] = (properties << kTagBits) | kObject;
  }

  #visitArray(value: readonly unknown[], index: number): void {
    const { length } = value;
    if (this.#mode === kWriting && length > kItemsMax) this.#giveUp();
    if (this.#mode >= kGivenUp) return;
    // Its keys are its indices, which come first; holes and named properties are for the clone.
    const keys = ObjectKeys(value);
    if (keys.length !== length) return this.#giveUp();
    if (length > 0 && keys[length - 1] !== `${length - 1}`) return this.#giveUp();
    this.#register(value, length);
    const header = this.#at++;
    for (let i = 0; i < length; i++) {
      const item = value[i];
      if (item === undefined && !ObjectHasOwn(value, i)) {
        // A getter before it has removed it.
        this.#giveUp();
        continue;
      }
      this.#note(index, i, item);
      this.#visitItem(item);
      if (this.#mode >= kGivenUp) return;
    }
    this.#depth--;
    if (this.#mode === kWriting) this.#cells[header] = (length << kTagBits) | kArray;
  }

  #visitItem(item: unknown): void {
    if (typeof item === 'object' && item !== null) this.#visit(item);
    else if (typeof item === 'function' || typeof item === 'symbol') this.#refuse();
    else if (this.#mode === kWriting && !this.#writePrimitive(item)) this.#giveUp();
  }

  /** `size`: the count of its properties, or the length of an array. */
  #register(value: object, size: number): void {
    const index = this.#objectCount++;
    this.#objects[index] = value;
    this.#sizes[index] = size;
    this.#indices?.set(value, index);
    this.#depth++;
  }

  #note(owner: number, key: string | number, item: unknown): void {
    const at = this.#readCount++;
    this.#owners[at] = owner;
    this.#keys[at] = key;
    this.#items[at] = item;
  }

  #indexOf(value: object): number {
    if (this.#indices !== null) return this.#indices.get(value) ?? -1;
    for (let i = this.#objectCount - 1; i >= 0; i--) if (this.#objects[i] === value) return i;
    return -1;
  }

  // Giving up

  /** The value cannot be written. Decides what is cloned instead. */
  #giveUp(): void {
    if (this.#mode !== kWriting) return;
    this.#mode = this.#wouldReadTheSame() ? kGivenUp : kCopying;
    if (this.#mode === kGivenUp) return;
    this.#indices = new SafeMap();
    for (let i = 0; i < this.#objectCount; i++) this.#indices.set(this.#objects[i]!, i);
  }

  /** The value cannot be cloned. */
  #refuse(): void {
    this.#giveUp();
    if (this.#mode === kCopying) this.#mode = kUncloneable;
  }

  /** Whether all that was read is data, and still there: nobody can tell if it is read again. */
  #wouldReadTheSame(): boolean {
    for (let i = 0; i < this.#readCount; i++) {
      const owner = this.#objects[this.#owners[i]!]!;
      const property = ObjectGetOwnPropertyDescriptor(owner, this.#keys[i]!);
      if (property === undefined || !ObjectHasOwn(property, 'value')) return false;
      if (!ObjectIs(property.value, this.#items[i])) return false;
    }
    // Getters that made data of themselves may have changed anything.
    for (let i = 0; i < this.#objectCount; i++) {
      if (ObjectKeys(this.#objects[i]!).length !== this.#sizes[i]) return false;
    }
    return true;
  }

  /** What was read, in objects of its own. What was not looked into is in there as it is. */
  #copied(): unknown {
    const copies: object[] = bareList();
    for (let i = 0; i < this.#objectCount; i++) {
      const value = this.#objects[i]!;
      copies[i] = ArrayIsArray(value) ? new Array<unknown>(this.#sizes[i]!) : {};
    }
    for (let i = 0; i < this.#readCount; i++) {
      const item = this.#items[i];
      const index = typeof item === 'object' && item !== null ? this.#indexOf(item) : -1;
      define(copies[this.#owners[i]!]!, this.#keys[i]!, index < 0 ? item : copies[index], true);
    }
    return copies[0];
  }

  // Writing

  #writePrimitive(value: unknown): boolean {
    switch (typeof value) {
      case 'string':
        return this.#writeString(value);
      case 'number':
        return this.#writeNumber(value);
      case 'boolean':
        return this.#writeWord(value ? kTrue : kFalse);
      case 'undefined':
        return this.#writeWord(kUndefined);
      case 'object':
        return this.#writeWord(kNull);
      default:
        return false;
    }
  }

  #writeWord(word: number): boolean {
    if (this.#at >= this.#end) return false;
    this.#cells[this.#at++] = word;
    return true;
  }

  #writeNumber(value: number): boolean {
    if ((value | 0) === value && value >= kIntegerMin && value <= kIntegerMax) {
      if (value !== 0 || 1 / value > 0) return this.#writeWord((value << kTagBits) | kInteger);
    }
    if (this.#at + 3 > this.#end) return false;
    double[0] = value;
    this.#cells[this.#at] = kDouble;
    this.#cells[this.#at + 1] = doubleWords[0]!;
    this.#cells[this.#at + 2] = doubleWords[1]!;
    this.#at += 3;
    return true;
  }

  #writeString(value: string): boolean {
    const { length } = value;
    const cells = this.#cells;
    const start = this.#at;
    if (start + 1 + ((length + 3) >>> 2) > this.#end) return false;
    if (length > kCopiedLength) return this.#copyString(value);
    let at = start + 1;
    for (let i = 0; i < length; i += 4) {
      let word = 0;
      const stop = i + 4 < length ? i + 4 : length;
      for (let j = i; j < stop; j++) {
        const code = StringCharCodeAt(value, j);
        if (code > 0xff) return this.#writeTwoByte(value);
        word |= code << ((j - i) << 3);
      }
      cells[at++] = word;
    }
    cells[start] = (length << kTagBits) | kLatin1;
    this.#at = at;
    return true;
  }

  #copyString(value: string): boolean {
    const { length } = value;
    // A string that the runtime keeps in bytes is not even looked through.
    if (RegExpExec(kTwoBytePattern, value) !== null) return this.#writeTwoByte(value);
    this.#cells[this.#at] = (length << kTagBits) | kLatin1;
    BufferLatin1Write(this.#bytes, value, (this.#at + 1) << 2, length);
    this.#at += 1 + ((length + 3) >>> 2);
    return true;
  }

  #writeTwoByte(value: string): boolean {
    const { length } = value;
    const cells = this.#cells;
    let at = this.#at;
    if (at + 1 + ((length + 1) >>> 1) > this.#end) return false;
    cells[at++] = (length << kTagBits) | kTwoByte;
    if (length > kCopiedLength) {
      BufferUcs2Write(this.#bytes, value, at << 2, length << 1);
      this.#at = at + ((length + 1) >>> 1);
      return true;
    }
    for (let i = 0; i < length; i += 2) {
      const second = i + 1 < length ? StringCharCodeAt(value, i + 1) : 0;
      cells[at++] = StringCharCodeAt(value, i) | (second << 16);
    }
    this.#at = at;
    return true;
  }
}
