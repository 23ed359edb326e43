// Values as words, exactly as a structured clone would carry them: the format.
//
// A word is a tag (4 bits) and a number (28 bits). A value is a word that says whether objects
// occur twice in it (kHasReferences), and an item; what follows an item's first word is in its row.
//
// | tag       | number                      | then                                               |
// |-----------|-----------------------------|----------------------------------------------------|
// | CONSTANT  | which: undefined, null…     |                                                    |
// | INTEGER   | itself                      |                                                    |
// | DOUBLE    |                             | two words                                          |
// | LATIN1    | length                      | its characters, four in a word                     |
// | TWO_BYTE  | length                      | its characters, two in a word                      |
// | SHAPED    | which shape (shapes.ts)     | an item for each key of the shape                  |
// | KEYED     | count of properties         | an item for each, then as many strings: the keys   |
// | ARRAY     | length                      | its items; HOLE is an item that is not there       |
// | REFERENCE | which object                |                                                    |
// | BUFFER    | length in bytes             | the bytes: an ArrayBuffer                          |
// | MOVED     | which moved buffer          |                                                    |
// | VIEW      | which class                 | offset in bytes, length, then the buffer: an item  |
// | OTHER     | which class                 | by its class                                       |
// | TEXT      | which moved buffer, twice;  | a string: all that the buffer holds                |
// |           | + 1: two bytes a character  |                                                    |
// | FOREIGN   | which foreign object        | only in values that do not leave the thread        |
//
// Objects are numbered in the order in which they begin: objects, arrays, buffers, and all of VIEW
// and OTHER but big integers. Moved buffers travel beside the words, in a message.

import { PlainFloat64Array, TypedArrayBuffer, TypedArrayByteOffset } from '../base/intrinsics.js';
import { PlainInt32Array, PlainUint8Array } from '../base/value-intrinsics.js';

export const kConstant = 0;
export const kInteger = 1;
export const kDouble = 2;
export const kLatin1 = 3;
export const kTwoByte = 4;
export const kShaped = 5;
export const kKeyed = 6;
export const kArray = 7;
export const kReference = 8;
export const kBuffer = 9;
export const kMoved = 10;
export const kView = 11;
export const kOther = 12;
export const kText = 13;
export const kForeign = 14;

export const kTagBits = 4;
export const kTagMask = (1 << kTagBits) - 1;
/** The largest number beside a tag. */
export const kNumberMax = 2 ** (32 - kTagBits) - 1;
export const kIntegerMin = -(2 ** 27);
export const kIntegerMax = 2 ** 27 - 1;

/** The first word of a value. */
export const kPlain = 0;
export const kHasReferences = 1;

/** Constants, as whole words. */
export const kUndefined = kConstant;
export const kNull = kConstant | (1 << kTagBits);
export const kFalse = kConstant | (2 << kTagBits);
export const kTrue = kConstant | (3 << kTagBits);
export const kHole = kConstant | (4 << kTagBits);

/** Of OTHER: a time as a double; */
export const kDate = 0;
/** two strings, the source and the flags; */
export const kRegExp = 1;
/** the count, then a key and a value for each; */
export const kMap = 2;
/** the count, then the values; */
export const kSet = 3;
/** two words; */
export const kBigInt64 = 4;
/** or a string of hexadecimal digits, the sign first if it is negative. */
export const kBigIntDigits = 5;

/** Where a double becomes words, and words a double. */
export const double = new PlainFloat64Array(1);
export const doubleWords = new Int32Array(double.buffer);

/** Longer strings are copied by the runtime, shorter ones character by character. */
export const kCopiedLength = 24;

/** The bytes of words, for what the runtime copies. */
export function bytesOf(words: Int32Array): Buffer {
  return new PlainUint8Array(TypedArrayBuffer(words), TypedArrayByteOffset(words)) as Buffer;
}

/** The first of some words. */
export function wordsOf(words: Int32Array, count: number): Int32Array {
  return new PlainInt32Array(TypedArrayBuffer(words), 0, count);
}
