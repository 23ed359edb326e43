// Reads values that were written as words (codec.ts).
//
// Guarantees: what is read consists of objects that nobody else has, and nothing that user code did
// to a prototype shows in it. Strings may be shared: nobody can tell. Nothing of a value is kept
// but short strings.
//
// Objects of one shape are made by a literal that is compiled for it, once they are many. The
// compiler is that of `node:vm`, which works also where `eval` is not allowed; elsewhere their keys
// are walked each time.

import { compileFunction } from 'node:vm';
import {
  ArrayPrototype,
  bareList,
  BufferLatin1Slice,
  BufferUcs2Slice,
  define,
  lengthOfArrayBuffer,
  ObjectPrototype,
  StringSlice,
  TypedArrayBuffer,
  TypedArrayByteOffset,
} from '../base/intrinsics.js';
import {
  allocateBytes,
  JSONStringify,
  kViewClasses,
  MapSet,
  PlainBigInt,
  PlainDate,
  PlainInt32Array,
  PlainMap,
  PlainRegExp,
  PlainSet,
  PlainUint8Array,
  SetAdd,
  TypedArraySet,
} from '../base/value-intrinsics.js';
import {
  bytesOf,
  double,
  doubleWords,
  kArray,
  kBigInt64,
  kBigIntDigits,
  kBuffer,
  kConstant,
  kDate,
  kDouble,
  kFalse,
  kForeign,
  kHasReferences,
  kHole,
  kInteger,
  kKeyed,
  kLatin1,
  kMap,
  kMoved,
  kNull,
  kOther,
  kReference,
  kRegExp,
  kSet,
  kShaped,
  kTagBits,
  kTagMask,
  kText,
  kTrue,
  kTwoByte,
  kView,
} from './codec.js';
import type { ShapeList } from './shapes.js';
import { StringCache, wordsOfString } from './strings.js';

/** The literal of a shape is compiled when so many of its objects were read. */
const kOften = 32;

const kNone: readonly unknown[] = bareList();
const kNoWords: Int32Array = new PlainInt32Array(0);
const kNoBytes = bytesOf(kNoWords);

interface Maker {
  readonly keys: readonly string[];
  uses: number;
  make: ((reader: Reader) => object) | null;
}

const bigInt = new BigInt64Array(1);
const bigIntWords = new Int32Array(bigInt.buffer);

export class Reader {
  readonly #shapes: ShapeList;
  readonly #makers: Maker[] = bareList();
  readonly #strings = new StringCache();
  #words: Int32Array = kNoWords;
  #bytes = kNoBytes;
  #begin = 0;
  #at = 0;
  #moved = kNone;
  #foreign = kNone;
  /** The objects of the value by number, where some occur twice. */
  #objects: object[] | null = null;

  constructor(shapes: ShapeList) {
    this.#shapes = shapes;
  }

  /**
   * The value that begins at `begin`. `moved`: the buffers that came beside it, from `moved[1]` on.
   */
  read(words: Int32Array, begin: number, moved: readonly unknown[]): unknown {
    this.#start(words, begin, moved);
    try {
      return this.item();
    } finally {
      this.#forget();
    }
  }

  /** As {@link read}, where foreign objects are among the items. */
  readAll(words: Int32Array, moved: readonly unknown[], foreign: readonly unknown[]): unknown {
    this.#start(words, 0, moved);
    this.#foreign = foreign;
    return this.item();
  }

  /** How many words the last value took. */
  get length(): number {
    return this.#at - this.#begin;
  }

  #start(words: Int32Array, begin: number, moved: readonly unknown[]): void {
    if (words !== this.#words) {
      this.#words = words;
      this.#bytes = bytesOf(words);
    }
    this.#moved = moved;
    this.#begin = begin;
    this.#at = begin + 1;
    this.#objects = words[begin] === kHasReferences ? bareList() : null;
  }

  #forget(): void {
    if (this.#moved !== kNone) this.#moved = kNone;
    if (this.#objects !== null) this.#objects = null;
  }

  /** Lets go of words that do not come again. */
  drop(): void {
    this.#words = kNoWords;
    this.#bytes = kNoBytes;
  }

  /** The next item. For the literals of shapes. */
  item(): unknown {
    const word = this.#words[this.#at++]!;
    switch (word & kTagMask) {
      case kConstant:
        return word === kNull ? null : word === kTrue ? true : word === kFalse ? false : undefined;
      case kInteger:
        return word >> kTagBits;
      case kDouble:
        return this.#readDouble();
      case kLatin1:
      case kTwoByte:
        return this.#readString(word);
      case kShaped:
        return this.#readShaped(word >>> kTagBits);
      case kArray:
        return this.#readArray(word >>> kTagBits);
      case kKeyed:
        return this.#readKeyed(word >>> kTagBits);
      default:
        return this.#readRarer(word & kTagMask, word >>> kTagBits);
    }
  }

  #readRarer(tag: number, number: number): unknown {
    switch (tag) {
      case kReference:
        return this.#objects![number];
      case kBuffer:
        return this.#readBuffer(number);
      case kMoved:
        return this.#registered(this.#moved[number + 1] as object);
      case kView:
        return this.#readView(number);
      case kText:
        return this.#readText(number);
      case kForeign:
        return this.#foreign[number];
      case kOther:
        return this.#readOther(number);
      default:
        return undefined;
    }
  }

  #registered<T extends object>(object: T): T {
    if (this.#objects !== null) this.#objects[this.#objects.length] = object;
    return object;
  }

  #readDouble(): number {
    const words = this.#words;
    doubleWords[0] = words[this.#at]!;
    doubleWords[1] = words[this.#at + 1]!;
    this.#at += 2;
    return double[0]!;
  }

  #readString(first: number): string {
    const count = wordsOfString(first);
    const at = this.#at;
    this.#at = at + count;
    return this.#strings.get(this.#words, this.#bytes, first, at, count);
  }

  // Objects and arrays

  #readShaped(shape: number): object {
    const maker = this.#makers[shape] ?? this.#learn(shape);
    if (this.#objects === null) {
      if (maker.make !== null) return maker.make(this);
      if (++maker.uses === kOften) maker.make = compile(maker.keys);
    }
    const { keys } = maker;
    const object = this.#registered<Record<string, unknown>>({});
    for (let i = 0; i < keys.length; i++) assign(object, keys[i]!, this.item());
    return object;
  }

  #learn(shape: number): Maker {
    for (let at = this.#makers.length; at <= shape; at++) {
      this.#makers[at] = { keys: this.#shapes.keysOf(at), uses: 0, make: null };
    }
    return this.#makers[shape]!;
  }

  #readKeyed(count: number): object {
    const object = this.#registered<Record<string, unknown>>({});
    const values: unknown[] = bareList();
    for (let i = 0; i < count; i++) values[i] = this.item();
    for (let i = 0; i < count; i++) {
      assign(object, this.#readString(this.#words[this.#at++]!), values[i]);
    }
    return object;
  }

  #readArray(length: number): unknown[] {
    const array = this.#registered<unknown[]>([]);
    for (let i = 0; i < length; i++) {
      if (this.#words[this.#at] === kHole) {
        this.#at++;
        array.length = i + 1;
        continue;
      }
      const value = this.item();
      if (i in ArrayPrototype) define(array, i, value, true);
      else array[i] = value;
    }
    return array;
  }

  // Bytes

  #readBuffer(length: number): object {
    const words = this.#words;
    const at = this.#at;
    this.#at = at + ((length + 3) >>> 2);
    const bytes = length === 0 ? new PlainUint8Array(0) : allocateBytes(length);
    const from = TypedArrayByteOffset(words) + (at << 2);
    TypedArraySet(bytes, new PlainUint8Array(TypedArrayBuffer(words), from, length));
    return this.#registered(TypedArrayBuffer(bytes));
  }

  #readView(which: number): object {
    const offset = this.#words[this.#at++]!;
    const length = this.#words[this.#at++]!;
    // It has a number before its buffer has one.
    const number = this.#objects?.length ?? 0;
    if (this.#objects !== null) this.#objects[number] = ObjectPrototype;
    const buffer = this.item() as ArrayBuffer;
    const View = kViewClasses[which] as Uint8ArrayConstructor;
    const view = new View(buffer, offset, length);
    if (this.#objects !== null) this.#objects[number] = view;
    return view;
  }

  #readText(number: number): string {
    const buffer = this.#moved[(number >>> 1) + 1] as ArrayBuffer;
    const bytes = new PlainUint8Array(buffer) as Buffer;
    const length = lengthOfArrayBuffer(buffer);
    return (number & 1) === 1
      ? BufferUcs2Slice(bytes, 0, length)
      : BufferLatin1Slice(bytes, 0, length);
  }

  // The other classes

  #readOther(which: number): unknown {
    switch (which) {
      case kDate:
        return this.#registered(new PlainDate(this.#readDouble()));
      case kRegExp: {
        const source = this.item() as string;
        return this.#registered(new PlainRegExp(source, this.item() as string));
      }
      case kMap: {
        const map = this.#registered(new PlainMap<unknown, unknown>());
        for (let left = this.#words[this.#at++]!; left > 0; left--) {
          const key = this.item();
          MapSet(map, key, this.item());
        }
        return map;
      }
      case kSet: {
        const set = this.#registered(new PlainSet<unknown>());
        for (let left = this.#words[this.#at++]!; left > 0; left--) SetAdd(set, this.item());
        return set;
      }
      case kBigInt64:
        bigIntWords[0] = this.#words[this.#at]!;
        bigIntWords[1] = this.#words[this.#at + 1]!;
        this.#at += 2;
        return bigInt[0];
      case kBigIntDigits: {
        const digits = this.item() as string;
        return digits[0] === '-'
          ? -PlainBigInt(`0x${StringSlice(digits, 1)}`)
          : PlainBigInt(`0x${digits}`);
      }
      default:
        return undefined;
    }
  }
}

function assign(object: Record<string, unknown>, key: string, value: unknown): void {
  // An assignment would meet what is defined there.
  if (key in ObjectPrototype) define(object, key, value, true);
  else object[key] = value;
}

/** Null where that is not possible. */
function compile(keys: readonly string[]): Maker['make'] {
  let source = 'return {';
  for (let i = 0; i < keys.length; i++) {
    const key = JSONStringify(keys[i]);
    // Said plainly that would be the prototype.
    source += `${key === '"__proto__"' ? `[${key}]` : key}: reader.item(),`;
  }
  try {
    return compileFunction(`${source}};`, ['reader']) as unknown as Maker['make'];
  } catch {
    return null;
  }
}
