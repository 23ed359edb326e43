// Strings as words: their length and kind, then their characters, one byte or two each.
//
// Short strings are made from a small cache where they can be: keys and the words of a language
// come again and again, and to look one up is cheaper than to make it.

import {
  bareList,
  BufferLatin1Slice,
  BufferUcs2Slice,
  MathImul,
  StringCharCodeAt,
  StringFromCharCode,
} from '../base/intrinsics.js';
import { kLatin1, kTagBits, kTagMask, kTwoByte } from './codec.js';

/** Shorter strings are made here, which is cheaper than a call of the runtime. */
const kMadeLength = 8;
/** Strings of up to so many words are looked up before they are made. */
const kCachedWords = 6;
const kCacheSize = 512;

/** The words that a string takes at the most. */
export function stringWordsMax(text: string): number {
  return 1 + ((text.length + 1) >>> 1);
}

/** Writes a string character by character, where there is room; gives where it ends. */
export function writeString(words: Int32Array, start: number, text: string): number {
  const { length } = text;
  let at = start + 1;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const a = StringCharCodeAt(text, i);
    const b = StringCharCodeAt(text, i + 1);
    const c = StringCharCodeAt(text, i + 2);
    const d = StringCharCodeAt(text, i + 3);
    if ((a | b | c | d) > 0xff) return writeTwoByte(words, start, text);
    words[at++] = a | (b << 8) | (c << 16) | (d << 24);
  }
  if (i < length) {
    let word = 0;
    for (let shift = 0; i < length; i++, shift += 8) {
      const code = StringCharCodeAt(text, i);
      if (code > 0xff) return writeTwoByte(words, start, text);
      word |= code << shift;
    }
    words[at++] = word;
  }
  words[start] = (length << kTagBits) | kLatin1;
  return at;
}

function writeTwoByte(words: Int32Array, start: number, text: string): number {
  const { length } = text;
  let at = start;
  words[at++] = (length << kTagBits) | kTwoByte;
  for (let i = 0; i < length; i += 2) {
    const second = i + 1 < length ? StringCharCodeAt(text, i + 1) : 0;
    words[at++] = StringCharCodeAt(text, i) | (second << 16);
  }
  return at;
}

/** The words that the characters behind a string's first word take. */
export function wordsOfString(first: number): number {
  const length = first >>> kTagBits;
  return (first & kTagMask) === kTwoByte ? (length + 1) >>> 1 : (length + 3) >>> 2;
}

/** The string whose characters begin at `at`. */
export function makeString(words: Int32Array, bytes: Buffer, first: number, at: number): string {
  const length = first >>> kTagBits;
  const start = at << 2;
  if ((first & kTagMask) === kTwoByte) return BufferUcs2Slice(bytes, start, start + (length << 1));
  if (length > kMadeLength) return BufferLatin1Slice(bytes, start, start + length);
  let text = '';
  for (let left = length, from = at; left > 0; left -= 4, from++) {
    const word = words[from]!;
    const a = word & 0xff;
    if (left === 1) return text + StringFromCharCode(a);
    const b = (word >>> 8) & 0xff;
    if (left === 2) return text + StringFromCharCode(a, b);
    const c = (word >>> 16) & 0xff;
    if (left === 3) return text + StringFromCharCode(a, b, c);
    text += StringFromCharCode(a, b, c, word >>> 24);
  }
  return text;
}

/** Makes strings, of short ones each once while it is remembered. */
export class StringCache {
  /** By hash: a string, and in the words how it is written, its first word first. */
  readonly #texts: string[] = bareList();
  readonly #written = new Int32Array(kCacheSize * (kCachedWords + 1));

  constructor() {
    for (let i = 0; i < kCacheSize; i++) this.#texts[i] = '';
  }

  /** As {@link makeString}; `count` is how many words the characters take. */
  get(words: Int32Array, bytes: Buffer, first: number, at: number, count: number): string {
    if (count > kCachedWords) return makeString(words, bytes, first, at);
    let hash = first;
    for (let i = 0; i < count; i++) {
      hash = MathImul(hash ^ words[at + i]!, 0x9e3779b1) ^ (hash >>> 15);
    }
    const entry = (hash ^ (hash >>> 16)) & (kCacheSize - 1);
    const written = this.#written;
    const known = entry * (kCachedWords + 1);
    let same = written[known] === first;
    for (let i = 0; same && i < count; i++) same = written[known + 1 + i] === words[at + i];
    if (same) return this.#texts[entry]!;
    const text = makeString(words, bytes, first, at);
    this.#texts[entry] = text;
    written[known] = first;
    for (let i = 0; i < count; i++) written[known + 1 + i] = words[at + i]!;
    return text;
  }
}
