// Small plain values as words in shared memory, exactly as a structured clone would carry them: the
// format, and its reader. The writer is in codec-writer.ts.
//
// Guarantees: what is read consists of objects that nobody else has, and nothing that user code did
// to a prototype shows in it.
//
// Format: a word is a tag (4 bits) and a number (28 bits): a small integer, the length of a string
// or an array, or the count of an object's properties. A double, and the characters of a string,
// follow in words of their own. An object is its properties, each a string and a value.
//
// Short strings, and with them all keys, are looked up in a small cache before they are made.

import {
  ArrayPrototype,
  BufferLatin1Slice,
  BufferUcs2Slice,
  MathImul,
  define,
  ObjectPrototype,
  ReflectApply,
  StringFromCharCode,
  bareList,
} from '../base/intrinsics.js';

export const kUndefined = 0;
export const kNull = 1;
export const kFalse = 2;
export const kTrue = 3;
export const kInteger = 4;
export const kDouble = 5;
export const kLatin1 = 6;
export const kTwoByte = 7;
export const kObject = 8;
export const kArray = 9;

export const kTagBits = 4;
const kTagMask = (1 << kTagBits) - 1;
export const kIntegerMin = -(2 ** 27);
export const kIntegerMax = 2 ** 27 - 1;

/** Where a double becomes words, and words a double. */
export const double = new Float64Array(1);
export const doubleWords = new Int32Array(double.buffer);

/** Longer strings are copied by the runtime, shorter ones character by character. */
export const kCopiedLength = 24;

export function bytesOf(cells: Int32Array): Buffer {
  return Buffer.from(cells.buffer as ArrayBuffer, cells.byteOffset, cells.byteLength);
}

/** Strings of up to so many words are looked up before they are made. */
const kCachedWords = 4;
const kCacheSize = 512;

export class Reader {
  readonly #cells: Int32Array;
  readonly #bytes: Buffer;
  #at = 0;
  /** By hash: a string, and in the words how it is written, its tag first. */
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
      if (key in ObjectPrototype) define(object, key, value, true);
      else object[key] = value;
    }
    return object;
  }

  #readArray(length: number): unknown[] {
    const array: unknown[] = [];
    for (let i = 0; i < length; i++) {
      const value = this.#read();
      if (i in ArrayPrototype) define(array, i, value, true);
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
    const entry = (hash ^ (hash >>> 16)) & (kCacheSize - 1);
    const known = this.#cachedWords;
    const first = entry * (kCachedWords + 1);
    let same = known[first] === word;
    for (let i = 0; same && i < words; i++) same = known[first + 1 + i] === cells[at + i];
    if (same) return this.#cached[entry]!;
    const text = this.#make(at, length, isTwoByte);
    this.#cached[entry] = text;
    known[first] = word;
    for (let i = 0; i < words; i++) known[first + 1 + i] = cells[at + i]!;
    return text;
  }

  #make(at: number, length: number, isTwoByte: boolean): string {
    if (length > kCopiedLength) {
      const start = at << 2;
      return isTwoByte
        ? BufferUcs2Slice(this.#bytes, start, start + (length << 1))
        : BufferLatin1Slice(this.#bytes, start, start + length);
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
