// Writes values as words (codec.ts), each property of them read once, in the order in which a
// structured clone reads it.
//
// What has no form in words stays as it is: an object with another prototype, an array with holes
// or named properties, an error, memory that is shared. Such *foreign* objects make the value one
// for the structured clone. The writer answers with what is to be cloned: the value itself, if to
// read it again gives the same and runs nobody's code; else a copy made of what was read, with the
// foreign objects in it, so that no getter runs twice. These are read when the copy is cloned,
// behind the rest; what they refer to is the original of an object in the copy.

import { types } from 'node:util';
import {
  ArrayBufferIsView,
  ArrayIsArray,
  bareList,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectKeys,
  ObjectPrototype,
} from '../base/intrinsics.js';
import {
  MapForEach,
  SetForEach,
  viewBuffer,
  viewClassOf,
  viewLength,
  viewOffset,
} from '../base/value-intrinsics.js';
import { isBuiltIn, isUncloneable } from './built-in.js';
import {
  kArray,
  kFalse,
  kForeign,
  kHasReferences,
  kHole,
  kKeyed,
  kMap,
  kNull,
  kNumberMax,
  kOther,
  kPlain,
  kReference,
  kSet,
  kShaped,
  kTagBits,
  kTrue,
  kUndefined,
  kView,
  wordsOf,
} from './codec.js';
import { Reader } from './codec-reader.js';
import { beginsWithNumber, fixedLength, hasOnlyData, haveSameBytes, isInherited } from './looks.js';
import { kShapeKeysMax, type ShapeList, type ShapeNode, type ShapeTree } from './shapes.js';
import { Visited } from './visited.js';
import { WordWriter } from './word-writer.js';

const { isAnyArrayBuffer, isDate, isMap, isProxy, isRegExp, isSet } = types;

/** What lies deeper in a value stays as it is. */
const kDepthMax = 100;
/** The clone copies longer arrays of numbers faster than their keys can be looked at. */
const kNumbersMax = 64;

/** Longer lists of keys without a shape are not kept for the next value. */
const kNewKept = 64;

/** What {@link Writer.write} says of a value that it wrote. */
export const kWritten: unique symbol = Symbol('written') as never;
/** Thrown where a value cannot be cloned, to end the walk. */
const kStop: unique symbol = Symbol('stop') as never;

export class Writer extends WordWriter {
  readonly #tree: ShapeTree;
  readonly #list: ShapeList;
  readonly #arrays = new Visited();
  readonly #others = new Visited();
  /** Objects that have a number. */
  #count = 0;
  #hasReferences = false;
  #depth = 0;
  #busy = false;
  #foreign: object[] = bareList();
  /** What cannot be cloned, to be told so by the clone. */
  #culprit: unknown = undefined;
  /** Nodes at which keys ended, and these keys, where there is no shape yet. */
  #newNodes: ShapeNode[] = bareList();
  #newKeys: (readonly string[])[] = bareList();
  #newCount = 0;
  /** Writes a value a second time. */
  #again: Writer | null = null;

  /** `list` reads the shapes that `tree` defines. */
  constructor(tree: ShapeTree, list: ShapeList) {
    super();
    this.#tree = tree;
    this.#list = list;
  }

  /**
   * Writes a value. Gives {@link kWritten}: until the next call it is in `words`, up to `length`,
   * and in `moved`. Or gives the value that is to be cloned instead. Throws what a getter throws.
   */
  write(value: unknown): unknown {
    // A getter of another value, which is being written, may have come back here.
    if (this.#busy) return value;
    if (typeof value !== 'object' || value === null) return this.#primitive(value);
    this.#busy = true;
    try {
      this.#walk(value);
      if (this.#foreign.length > 0) {
        const instead = this.#instead(value);
        this.release();
        return instead;
      }
      this.#learn();
      return kWritten;
    } catch (error) {
      this.release();
      if (error === kStop) return this.#whatIsRefused(value);
      throw error;
    } finally {
      this.#forget();
      this.#busy = false;
    }
  }

  #primitive(value: unknown): unknown {
    if (typeof value === 'function' || typeof value === 'symbol') return value;
    this.begin();
    this.#item(value);
    this.words[0] = kPlain;
    return kWritten;
  }

  #walk(value: unknown): void {
    this.begin();
    this.#item(value);
    this.words[0] = this.#hasReferences ? kHasReferences : kPlain;
  }

  #learn(): void {
    for (let i = 0; i < this.#newCount; i++) this.#tree.met(this.#newNodes[i]!, this.#newKeys[i]!);
  }

  #forget(): void {
    if (this.#count > 0) {
      this.#arrays.clear();
      this.#others.clear();
      this.#count = 0;
    }
    if (this.#foreign.length > 0) this.#foreign = bareList();
    if (this.#newCount > kNewKept) {
      this.#newNodes = bareList();
      this.#newKeys = bareList();
    }
    this.#newCount = 0;
    this.#hasReferences = false;
    this.#depth = 0;
    this.#culprit = undefined;
  }

  #stop(culprit: unknown): never {
    this.#culprit = culprit;
    throw kStop;
  }

  /** What the clone is to say cannot be cloned. Foreign objects before it may be the first. */
  #whatIsRefused(value: unknown): unknown {
    if (this.#foreign.length === 0) return this.#culprit;
    if (this.#readsNobodysCode()) return value;
    this.#foreign[this.#foreign.length] = this.#culprit as object;
    return this.#foreign;
  }

  // Walking

  #item(value: unknown): void {
    // In this form a check of a type is not a call.
    if (typeof value === 'string') this.string(value);
    else if (typeof value === 'number') this.number(value);
    else if (typeof value === 'object') {
      if (value === null) this.word(kNull);
      else this.#object(value);
    } else if (typeof value === 'boolean') this.word(value ? kTrue : kFalse);
    else if (value === undefined) this.word(kUndefined);
    else if (typeof value === 'bigint') this.bigint(value);
    else this.#stop(value);
  }

  #object(value: object): void {
    if (isProxy(value)) this.#stop(value);
    if (ArrayIsArray(value)) {
      const known = this.#arrays.find(value);
      return known < 0 ? this.#array(value) : this.#refer(known);
    }
    const known = this.#others.find(value);
    if (known >= 0) return this.#refer(known);
    const prototype: unknown = ObjectGetPrototypeOf(value);
    if (prototype !== ObjectPrototype && prototype !== null) return this.#other(value);
    const keys = ObjectKeys(value);
    if (isBuiltIn(value, prototype, keys)) return this.#other(value);
    this.#properties(value, keys);
  }

  #refer(number: number): void {
    this.#hasReferences = true;
    this.word((number << kTagBits) | kReference);
  }

  /** It has no form in words. */
  #keep(value: object): void {
    const { length } = this.#foreign;
    this.#foreign[length] = value;
    this.word((length << kTagBits) | kForeign);
  }

  /** Gives an object a number, unless it lies too deep: `false`. */
  #enter(visited: Visited, value: object): boolean {
    if (this.#depth === kDepthMax) {
      this.#keep(value);
      return false;
    }
    this.#depth++;
    visited.add(value, this.#count++);
    return true;
  }

  #properties(value: object, keys: readonly string[]): void {
    if (!this.#enter(this.#others, value)) return;
    const header = this.length;
    this.word(0);
    let node: ShapeNode | null = keys.length > kShapeKeysMax ? null : this.#tree.root;
    let written = keys;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      // Its own is asked for first: what is read else is the prototype.
      const isGone = key === '__proto__' && !ObjectHasOwn(value, key);
      const item = isGone ? undefined : (value as Record<string, unknown>)[key];
      if (isGone || isInherited(value, key, item)) {
        // A getter before it has removed it.
        if (written === keys) written = firstOf(keys, i);
        continue;
      }
      if (written !== keys) (written as string[])[written.length] = key;
      if (node !== null) node = this.#tree.step(node, key);
      this.#item(item);
    }
    this.#depth--;
    if (node !== null && node.shape >= 0) {
      this.words[header] = (node.shape << kTagBits) | kShaped;
      return;
    }
    this.words[header] = (written.length << kTagBits) | kKeyed;
    for (let i = 0; i < written.length; i++) this.string(written[i]!);
    if (node === null) return;
    this.#newNodes[this.#newCount] = node;
    this.#newKeys[this.#newCount++] = written;
  }

  #array(value: readonly unknown[]): void {
    const { length } = value;
    if (length > kNumbersMax && (length > kNumberMax || beginsWithNumber(value))) {
      return this.#keep(value);
    }
    // Its keys are its indices, which come first; holes and named properties are for the clone.
    const keys = ObjectKeys(value);
    if (keys.length !== length || (length > 0 && keys[length - 1] !== `${length - 1}`)) {
      return this.#keep(value);
    }
    if (!this.#enter(this.#arrays, value)) return;
    this.word((length << kTagBits) | kArray);
    for (let i = 0; i < length; i++) {
      const item = value[i];
      // A getter before it may have removed it.
      if (item === undefined && !ObjectHasOwn(value, i)) this.word(kHole);
      else this.#item(item);
    }
    this.#depth--;
  }

  // Objects of the runtime's classes

  #other(value: object): void {
    if (ArrayBufferIsView(value)) return this.#view(value);
    if (isDate(value)) {
      this.#number(value);
      return this.date(value);
    }
    if (isMap(value)) return this.#map(value);
    if (isSet(value)) return this.#set(value);
    if (isRegExp(value)) {
      this.#number(value);
      return this.regExp(value);
    }
    if (isAnyArrayBuffer(value)) {
      const length = fixedLength(value);
      return length < 0 ? this.#keep(value) : this.#bytes(value, length);
    }
    return isUncloneable(value) ? this.#stop(value) : this.#keep(value);
  }

  #number(value: object): void {
    this.#others.add(value, this.#count++);
  }

  #view(value: ArrayBufferView): void {
    const which = viewClassOf(value);
    if (which < 0) return this.#keep(value);
    const buffer = viewBuffer(value, which);
    const bytes = fixedLength(buffer);
    if (bytes < 0) return this.#keep(value);
    this.#number(value);
    this.word((which << kTagBits) | kView);
    this.word(viewOffset(value, which));
    this.word(viewLength(value, which));
    const known = this.#others.find(buffer);
    if (known < 0) this.#bytes(buffer, bytes);
    else this.#refer(known);
  }

  #bytes(value: ArrayBufferLike, length: number): void {
    this.#number(value);
    this.buffer(value, length);
  }

  #map(value: Map<unknown, unknown>): void {
    if (!this.#enter(this.#others, value)) return;
    // What getters of its keys and values do to it comes too late, as with the clone.
    const pairs: unknown[] = bareList();
    MapForEach(value, (item, key) => {
      pairs[pairs.length] = key;
      pairs[pairs.length] = item;
    });
    this.word((kMap << kTagBits) | kOther);
    this.word(pairs.length / 2);
    for (let i = 0; i < pairs.length; i++) this.#item(pairs[i]);
    this.#depth--;
  }

  #set(value: Set<unknown>): void {
    if (!this.#enter(this.#others, value)) return;
    const items: unknown[] = bareList();
    SetForEach(value, (item) => (items[items.length] = item));
    this.word((kSet << kTagBits) | kOther);
    this.word(items.length);
    for (let i = 0; i < items.length; i++) this.#item(items[i]);
    this.#depth--;
  }

  // What is cloned instead

  #instead(value: unknown): unknown {
    if (this.#foreign[0] === value || this.#readsTheSame(value)) return value;
    const words = wordsOf(this.words, this.length);
    const moved: unknown[] = bareList();
    for (let i = 0; i < this.moved.length; i++) moved[i + 1] = this.moved[i];
    return new Reader(this.#list).readAll(words, moved, this.#foreign);
  }

  /** Whether to read the value once more runs nobody's code, and gives what was read. */
  #readsTheSame(value: unknown): boolean {
    if (!this.#readsNobodysCode()) return false;
    const again = (this.#again ??= new Writer(this.#tree, this.#list));
    try {
      again.#walk(value);
      return this.#isSameAs(again);
    } catch {
      return false;
    } finally {
      again.#forget();
      again.release();
    }
  }

  #readsNobodysCode(): boolean {
    let isData = true;
    const look = (object: object): void => void (isData &&= hasOnlyData(object));
    this.#arrays.forEach(look);
    this.#others.forEach(look);
    return isData;
  }

  #isSameAs(other: Writer): boolean {
    if (this.length !== other.length || this.moved.length !== other.moved.length) return false;
    for (let i = 0; i < this.length; i++) if (this.words[i] !== other.words[i]) return false;
    for (let i = 0; i < this.#foreign.length; i++) {
      if (this.#foreign[i] !== other.#foreign[i]) return false;
    }
    for (let i = 0; i < this.moved.length; i++) {
      if (!haveSameBytes(this.moved[i]!, other.moved[i]!)) return false;
    }
    return true;
  }
}

function firstOf(keys: readonly string[], count: number): string[] {
  const first: string[] = bareList();
  for (let i = 0; i < count; i++) first[i] = keys[i]!;
  return first;
}
