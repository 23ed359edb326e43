// Small plain values as words in shared memory, exactly as a structured clone would carry them.
//
// What crosses so: undefined, null, booleans, numbers, strings, and arrays and plain objects of
// them, as long as all of it fits into the area that it is given. Everything else is left to the
// structured clone: what has another prototype, an array with holes or named properties, an object
// that occurs twice, proxies, functions.
//
// Guarantees:
// - Each property is read once, in the order in which a structured clone reads it. Where the writer
//   finds out half-way that it cannot carry the value, it answers with what is to be cloned instead:
//   the value itself, if all that was read are plain data properties; else a copy that holds what
//   was read, so that no getter runs twice.
// - What is read back consists of objects that nobody else has.
// - Nothing that user code did to a prototype shows in what is read back.
//
// Format: a word is a tag (4 bits) and a number (28 bits): a small integer, the length of a string
// or an array, or the count of an object's properties. A double, and the characters of a string,
// follow in words of their own. An object is its properties, each a string and a value.
//
// Short strings, and with them all keys, are looked up in a small cache before they are made.

import { types } from 'node:util';
import {
  ArrayIsArray,
  ArrayPrototype,
  bareList,
  BufferLatin1Slice,
  BufferLatin1Write,
  MathImul,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectKeys,
  ObjectPrototype,
  ReflectApply,
  SafeMap,
  StringCharCodeAt,
  StringFromCharCode,
} from '../base/intrinsics.js';

const { isArgumentsObject, isProxy } = types;

const kUndefined = 0;
const kNull = 1;
const kFalse = 2;
const kTrue = 3;
const kInteger = 4;
const kDouble = 5;
const kLatin1 = 6;
const kTwoByte = 7;
const kObject = 8;
const kArray = 9;

const kTagBits = 4;
const kTagMask = (1 << kTagBits) - 1;
const kIntegerMin = -(2 ** 27);
const kIntegerMax = 2 ** 27 - 1;

/** The most objects in one value: each is compared with those before it. */
const kObjectsMax = 16;
/** What lies deeper in a value that has to be copied is left in it as it is. */
const kDepthMax = 500;

const double = new Float64Array(1);
const doubleWords = new Int32Array(double.buffer);

/** What {@link Writer.write} says of a value that it wrote. */
export const kWritten: unique symbol = Symbol('written') as never;

/** Longer strings are copied by the runtime, shorter ones character by character. */
const kCopiedLength = 24;

/** How a value is walked: it is being written; */
const kWriting = 0;
/** it cannot be written, and to read it once more would show, so what was read is kept; */
const kCopying = 1;
/** it cannot be written, and is cloned as it is. */
const kGivenUp = 2;

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
  /** Their indices, once they may be many. */
  #places: SafeMap<object, number> | null = null;
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
    if (typeof value !== 'object' || value === null) {
      this.#at = begin;
      this.#end = end;
      return this.#writePrimitive(value) ? kWritten : value;
    }
    // A getter of another value, which is being written, may have come back here.
    if (this.#busy) return value;
    this.#busy = true;
    this.#at = begin;
    this.#end = end;
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
      this.#places = null;
    }
  }

  // Walking

  #visit(value: object): void {
    const index = this.#objectCount;
    if (this.#mode === kWriting && (index === kObjectsMax || this.#at >= this.#end)) this.#giveUp();
    if (this.#mode === kGivenUp || this.#depth === kDepthMax) return;
    // What is a proxy, or was visited, is the clone's to carry.
    if (isProxy(value) || this.#indexOf(value) >= 0) return this.#giveUp();
    if (ArrayIsArray(value)) return this.#visitArray(value, index);
    const prototype: unknown = ObjectGetPrototypeOf(value);
    if (prototype !== ObjectPrototype && prototype !== null) return this.#giveUp();
    // A function's arguments look like a plain object, and cannot be cloned.
    if (ObjectHasOwn(value, 'callee') && isArgumentsObject(value)) return this.#giveUp();
    this.#register(value);
    const header = this.#at++;
    const keys = ObjectKeys(value);
    let properties = 0;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      const item = (value as Record<string, unknown>)[key];
      // A getter before it may have removed it.
      if (item === undefined && !ObjectHasOwn(value, key)) continue;
      this.#note(index, key, item);
      // To whoever builds an object the name of the prototype is no name like others.
      if (this.#mode === kWriting && (key === '__proto__' || !this.#writeString(key))) {
        this.#giveUp();
      }
      this.#visitItem(item);
      if (this.#mode === kGivenUp) return;
      properties++;
    }
    this.#depth--;
    if (this.#mode === kWriting) this.#cells[header] = (properties << kTagBits) | kObject;
  }

  #visitArray(value: readonly unknown[], index: number): void {
    const { length } = value;
    if (this.#mode === kWriting && length > this.#end - this.#at) this.#giveUp();
    if (this.#mode === kGivenUp) return;
    // Holes and named properties: its keys are its indices, or the clone decides.
    if (ObjectKeys(value).length !== length) return this.#giveUp();
    this.#register(value);
    const header = this.#at++;
    for (let i = 0; i < length; i++) {
      const item = value[i];
      this.#note(index, i, item);
      this.#visitItem(item);
      if (this.#mode === kGivenUp) return;
    }
    this.#depth--;
    if (this.#mode === kWriting) this.#cells[header] = (length << kTagBits) | kArray;
  }

  #visitItem(item: unknown): void {
    if (typeof item === 'object' && item !== null) this.#visit(item);
    else if (this.#mode === kWriting && !this.#writePrimitive(item)) this.#giveUp();
  }

  #register(value: object): void {
    const index = this.#objectCount++;
    this.#objects[index] = value;
    this.#places?.set(value, index);
    this.#depth++;
  }

  #note(owner: number, key: string | number, item: unknown): void {
    const at = this.#readCount++;
    this.#owners[at] = owner;
    this.#keys[at] = key;
    this.#items[at] = item;
  }

  #indexOf(value: object): number {
    if (this.#places !== null) return this.#places.get(value) ?? -1;
    for (let i = this.#objectCount - 1; i >= 0; i--) if (this.#objects[i] === value) return i;
    return -1;
  }

  // Giving up

  /** The value cannot be written. Decides what is cloned instead. */
  #giveUp(): void {
    if (this.#mode !== kWriting) return;
    this.#mode = kGivenUp;
    // Where only data properties were read, nobody can tell that they are read again.
    for (let i = 0; i < this.#objectCount && this.#mode === kGivenUp; i++) {
      if (hasGetter(this.#objects[i]!)) this.#mode = kCopying;
    }
    if (this.#mode === kGivenUp) return;
    this.#places = new SafeMap();
    for (let i = 0; i < this.#objectCount; i++) this.#places.set(this.#objects[i]!, i);
  }

  /** What was read, in objects of its own. What was not looked into is in there as it is. */
  #copied(): unknown {
    const copies: object[] = bareList();
    for (let i = 0; i < this.#objectCount; i++) {
      const value = this.#objects[i]!;
      copies[i] = ArrayIsArray(value) ? new Array<unknown>(value.length) : {};
    }
    for (let i = 0; i < this.#readCount; i++) {
      const item = this.#items[i];
      const index = typeof item === 'object' && item !== null ? this.#indexOf(item) : -1;
      define(copies[this.#owners[i]!]!, this.#keys[i]!, index < 0 ? item : copies[index]);
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
    for (let i = 0; i < length; i++) {
      if (StringCharCodeAt(value, i) > 0xff) return this.#writeTwoByte(value);
    }
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
    for (let i = 0; i < length; i += 2) {
      const second = i + 1 < length ? StringCharCodeAt(value, i + 1) : 0;
      cells[at++] = StringCharCodeAt(value, i) | (second << 16);
    }
    this.#at = at;
    return true;
  }
}

/** Whether one of the properties that a clone reads is a getter. */
function hasGetter(object: object): boolean {
  const keys = ObjectKeys(object);
  for (let i = 0; i < keys.length; i++) {
    const property = ObjectGetOwnPropertyDescriptor(object, keys[i]!);
    if (property !== undefined && !ObjectHasOwn(property, 'value')) return true;
  }
  return false;
}

function define(object: object, key: string | number, value: unknown): void {
  ObjectDefineProperty(object, key, {
    __proto__: null,
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  } as PropertyDescriptor);
}

function bytesOf(cells: Int32Array): Buffer {
  return Buffer.from(cells.buffer as ArrayBuffer, cells.byteOffset, cells.byteLength);
}

/** Strings of up to so many words are looked up before they are made. */
const kCachedWords = 4;
const kCacheSize = 512;

export class Reader {
  readonly #cells: Int32Array;
  readonly #bytes: Buffer;
  #at = 0;
  /** By place: a string, and in the words how it is written, its tag first. */
  readonly #cached: string[] = bareList();
  readonly #cachedWords = new Int32Array(kCacheSize * (kCachedWords + 1));
  readonly #codes: number[] = bareList();

  /** Reads from areas of `cells`. */
  constructor(cells: Int32Array) {
    this.#cells = cells;
    this.#bytes = bytesOf(cells);
    for (let i = 0; i < kCacheSize; i++) this.#cached[i] = '';
  }

  /** The value that was written from `begin` on. */
  read(begin: number): unknown {
    this.#at = begin;
    return this.#read();
  }

  #read(): unknown {
    const word = this.#cells[this.#at++]!;
    switch (word & kTagMask) {
      case kNull:
        return null;
      case kFalse:
        return false;
      case kTrue:
        return true;
      case kInteger:
        return word >> kTagBits;
      case kDouble:
        doubleWords[0] = this.#cells[this.#at]!;
        doubleWords[1] = this.#cells[this.#at + 1]!;
        this.#at += 2;
        return double[0];
      case kLatin1:
      case kTwoByte:
        return this.#readString(word);
      case kObject:
        return this.#readObject(word >>> kTagBits);
      case kArray:
        return this.#readArray(word >>> kTagBits);
      default:
        return undefined;
    }
  }

  #readObject(count: number): object {
    const object: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const key = this.#readString(this.#cells[this.#at++]!);
      const value = this.#read();
      // An assignment would meet what is defined there.
      if (key in ObjectPrototype) define(object, key, value);
      else object[key] = value;
    }
    return object;
  }

  #readArray(length: number): unknown[] {
    const array: unknown[] = [];
    for (let i = 0; i < length; i++) {
      const value = this.#read();
      if (i in ArrayPrototype) define(array, i, value);
      else array[i] = value;
    }
    return array;
  }

  #readString(word: number): string {
    const length = word >>> kTagBits;
    const isTwoByte = (word & kTagMask) === kTwoByte;
    const words = isTwoByte ? (length + 1) >>> 1 : (length + 3) >>> 2;
    const at = this.#at;
    this.#at = at + words;
    return words <= kCachedWords
      ? this.#lookUp(word, at, words, length, isTwoByte)
      : this.#make(at, length, isTwoByte);
  }

  #lookUp(word: number, at: number, words: number, length: number, isTwoByte: boolean): string {
    const cells = this.#cells;
    let hash = word;
    for (let i = 0; i < words; i++)
      hash = MathImul(hash ^ cells[at + i]!, 0x9e3779b1) ^ (hash >>> 15);
    const place = (hash ^ (hash >>> 16)) & (kCacheSize - 1);
    const known = this.#cachedWords;
    const first = place * (kCachedWords + 1);
    let same = known[first] === word;
    for (let i = 0; same && i < words; i++) same = known[first + 1 + i] === cells[at + i];
    if (same) return this.#cached[place]!;
    const text = this.#make(at, length, isTwoByte);
    this.#cached[place] = text;
    known[first] = word;
    for (let i = 0; i < words; i++) known[first + 1 + i] = cells[at + i]!;
    return text;
  }

  #make(at: number, length: number, isTwoByte: boolean): string {
    if (!isTwoByte && length > kCopiedLength) {
      return BufferLatin1Slice(this.#bytes, at << 2, (at << 2) + length);
    }
    const cells = this.#cells;
    const codes = this.#codes;
    codes.length = length;
    for (let i = 0; i < length; i++) {
      codes[i] = isTwoByte
        ? (cells[at + (i >> 1)]! >>> ((i & 1) << 4)) & 0xffff
        : (cells[at + (i >> 2)]! >>> ((i & 3) << 3)) & 0xff;
    }
    return ReflectApply(StringFromCharCode, undefined, codes) as string;
  }
}
