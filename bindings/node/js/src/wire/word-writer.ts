// Words in memory that grows: the simple items of a value (codec.ts).
//
// It belongs to one thread, and is used again for each value: what is written is copied from here
// to where another reads it. Large bytes and texts are not: each goes into a buffer of its own,
// which is moved, so that it is copied once.

import {
  bareList,
  BufferLatin1Write,
  BufferUcs2Write,
  RegExpExec,
  TypedArrayBuffer,
} from '../base/intrinsics.js';
import {
  allocateBytes,
  BigIntToString,
  DateGetTime,
  flagsOf,
  PlainInt32Array,
  PlainUint8Array,
  RegExpSource,
  TypedArraySet,
} from '../base/value-intrinsics.js';
import {
  bytesOf,
  double,
  doubleWords,
  kBigInt64,
  kBigIntDigits,
  kBuffer,
  kCopiedLength,
  kDate,
  kDouble,
  kInteger,
  kIntegerMax,
  kIntegerMin,
  kLatin1,
  kMoved,
  kOther,
  kRegExp,
  kTagBits,
  kText,
  kTwoByte,
  wordsOf,
} from './codec.js';
import { stringWordsMax, writeString } from './strings.js';

/** The words that there are at first. */
const kFirstWords = 1024;
/** More words than that are given back when the value is out. */
const kKeptWords = 256 * 1024;
/** As many bytes, and texts of so many characters, are moved. */
const kMovedBytes = 6 * 1024;
const kMovedLength = 128 * 1024;

const kTwoBytePattern = /[\u0100-\uffff]/;
const bigInt = new BigInt64Array(1);
const bigIntWords = new Int32Array(bigInt.buffer);

export class WordWriter {
  /** What was written is in the first `length` of them. */
  words: Int32Array = new PlainInt32Array(kFirstWords);
  length = 0;
  #capacity = kFirstWords;
  /** Buffers that travel beside the words. */
  moved: ArrayBufferLike[] = bareList();
  #bytes = bytesOf(this.words);

  /** Drops what was written. The first word is left out. */
  protected begin(): void {
    this.length = 1;
    if (this.moved.length > 0) this.moved = bareList();
  }

  /** Gives much room back, with what was written. */
  release(): void {
    this.length = 0;
    if (this.#capacity > kKeptWords) this.#resize(kFirstWords);
  }

  #resize(count: number): void {
    const words = new PlainInt32Array(count);
    TypedArraySet(words, wordsOf(this.words, this.length));
    this.words = words;
    this.#capacity = count;
    this.#bytes = bytesOf(words);
  }

  /** Makes room for so many words. */
  protected ensure(count: number): void {
    const needed = this.length + count;
    if (needed <= this.#capacity) return;
    let size = this.#capacity;
    while (size < needed) size *= 2;
    this.#resize(size);
  }

  protected word(word: number): void {
    if (this.length === this.#capacity) this.ensure(1);
    this.words[this.length++] = word;
  }

  protected number(value: number): void {
    if ((value | 0) === value && value >= kIntegerMin && value <= kIntegerMax) {
      if (value !== 0 || 1 / value > 0) return this.word((value << kTagBits) | kInteger);
    }
    this.ensure(3);
    this.words[this.length++] = kDouble;
    this.#double(value);
  }

  #double(value: number): void {
    double[0] = value;
    this.words[this.length] = doubleWords[0]!;
    this.words[this.length + 1] = doubleWords[1]!;
    this.length += 2;
  }

  protected string(value: string): void {
    const { length } = value;
    if (length >= kMovedLength) return this.#text(value);
    this.ensure(stringWordsMax(value));
    if (length <= kCopiedLength) {
      this.length = writeString(this.words, this.length, value);
      return;
    }
    // A string that the runtime keeps in bytes is not even looked through.
    if (RegExpExec(kTwoBytePattern, value) === null) {
      BufferLatin1Write(this.#bytes, value, this.#room(length, kLatin1, length), length);
    } else {
      BufferUcs2Write(this.#bytes, value, this.#room(length, kTwoByte, 2 * length), 2 * length);
    }
  }

  /** Writes an item's first word, and gives where in `#bytes` its so many bytes begin. */
  #room(number: number, tag: number, byteCount: number): number {
    const at = this.length;
    this.length = at + 1 + ((byteCount + 3) >>> 2);
    // What the bytes do not fill is 0, not what was there before.
    this.words[this.length - 1] = 0;
    this.words[at] = (number << kTagBits) | tag;
    return (at + 1) << 2;
  }

  #text(value: string): void {
    const { length } = value;
    const isTwoByte = RegExpExec(kTwoBytePattern, value) !== null;
    const bytes = allocateBytes(isTwoByte ? length * 2 : length);
    if (isTwoByte) BufferUcs2Write(bytes, value, 0, length * 2);
    else BufferLatin1Write(bytes, value, 0, length);
    this.word((((this.#move(bytes) << 1) | (isTwoByte ? 1 : 0)) << kTagBits) | kText);
  }

  #move(bytes: Uint8Array): number {
    const { length } = this.moved;
    this.moved[length] = TypedArrayBuffer(bytes);
    return length;
  }

  protected bigint(value: bigint): void {
    bigInt[0] = value;
    if (bigInt[0] !== value) {
      this.word((kBigIntDigits << kTagBits) | kOther);
      return this.string(BigIntToString(value, 16));
    }
    this.ensure(3);
    this.words[this.length] = (kBigInt64 << kTagBits) | kOther;
    this.words[this.length + 1] = bigIntWords[0]!;
    this.words[this.length + 2] = bigIntWords[1]!;
    this.length += 3;
  }

  protected date(value: Date): void {
    this.ensure(3);
    this.words[this.length++] = (kDate << kTagBits) | kOther;
    this.#double(DateGetTime(value));
  }

  protected regExp(value: RegExp): void {
    this.word((kRegExp << kTagBits) | kOther);
    this.string(RegExpSource(value));
    this.string(flagsOf(value));
  }

  /** An ArrayBuffer of so many bytes. */
  protected buffer(value: ArrayBufferLike, length: number): void {
    if (length >= kMovedBytes) {
      const copy = allocateBytes(length);
      TypedArraySet(copy, new PlainUint8Array(value));
      return this.word((this.#move(copy) << kTagBits) | kMoved);
    }
    this.ensure(1 + ((length + 3) >>> 2));
    TypedArraySet(this.#bytes, new PlainUint8Array(value), this.#room(length, kBuffer, length));
  }
}
