// The shapes of objects: lists of keys that are sent once for each direction of a channel.
//
// The writer knows a shape by walking a tree along its keys. When it has met one twice it defines
// it, in a part of the channel's memory that only grows, and names it by its number from then on. A
// value that names a shape is published behind the definition, so its reader has it.
//
// There is room for so many shapes and no more, and the tree has so many nodes: objects that are
// used as tables have no shape, and send their keys.

import { bareList, ObjectKeys, SafeMap } from '../base/intrinsics.js';
import { bytesOf } from './codec.js';
import { makeString, stringWordsMax, wordsOfString, writeString } from './strings.js';

/** Objects with more properties have no shape. */
export const kShapeKeysMax = 64;
const kShapesMax = 1024;
const kNodesMax = 8192;
/** The words of the part where shapes are defined. */
export const kShapeWords = 4 * 1024;

/** Where a walk along keys has come to. */
export class ShapeNode {
  /** The number of the shape that ends here; -1 if there is none. */
  shape = -1;
  /** Objects whose keys end here were met. */
  isKnown = false;
  #lastKey: string | null = null;
  #last: ShapeNode | null = null;
  #others: SafeMap<string, ShapeNode> | null = null;

  /** The node behind a key; null if there is none. */
  find(key: string): ShapeNode | null {
    if (this.#lastKey === key) return this.#last;
    const node = this.#others?.get(key);
    if (node === undefined) return null;
    this.#lastKey = key;
    this.#last = node;
    return node;
  }

  add(key: string): ShapeNode {
    const node = new ShapeNode();
    this.#others ??= new SafeMap();
    this.#others.set(key, node);
    this.#lastKey = key;
    this.#last = node;
    return node;
  }
}

/** The writer's side. */
export class ShapeTree {
  readonly root = new ShapeNode();
  readonly #words: Int32Array;
  readonly #end: number;
  #at: number;
  #nodes = 0;
  #shapes = 0;

  /** Defines shapes in the words from `begin` up to `end`. */
  constructor(words: Int32Array, begin: number, end: number) {
    this.#words = words;
    this.#at = begin;
    this.#end = end;
  }

  /** The node behind another's key, made if there is room; null if there is none. */
  step(node: ShapeNode, key: string): ShapeNode | null {
    const next = node.find(key);
    if (next !== null || this.#nodes === kNodesMax) return next;
    this.#nodes++;
    return node.add(key);
  }

  /** An object without a shape was written, whose keys end at a node. */
  met(node: ShapeNode, keys: readonly string[]): void {
    if (node.shape >= 0 || this.#shapes === kShapesMax) return;
    if (node.isKnown) this.#define(node, keys);
    node.isKnown = true;
  }

  #define(node: ShapeNode, keys: readonly string[]): void {
    const words = this.#words;
    let at = this.#at;
    if (at === this.#end) return;
    words[at++] = keys.length;
    for (let i = 0; i < keys.length; i++) {
      if (at + stringWordsMax(keys[i]!) > this.#end) {
        // Nor would many that come fit.
        this.#shapes = kShapesMax;
        return;
      }
      at = writeString(words, at, keys[i]!);
    }
    this.#at = at;
    node.shape = this.#shapes++;
  }
}

/** The reader's side. */
export class ShapeList {
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #shapes: (readonly string[])[] = bareList();
  #at: number;

  constructor(words: Int32Array, begin: number) {
    this.#words = words;
    this.#bytes = bytesOf(words);
    this.#at = begin;
  }

  /** The keys of a shape that a published value names. */
  keysOf(shape: number): readonly string[] {
    while (this.#shapes.length <= shape) {
      const keys: string[] = bareList();
      const count = this.#words[this.#at++]!;
      for (let i = 0; i < count; i++) {
        const first = this.#words[this.#at++]!;
        const key = makeString(this.#words, this.#bytes, first, this.#at);
        // The very string that objects have as their key.
        keys[i] = ObjectKeys({ [key]: 0 })[0]!;
        this.#at += wordsOfString(first);
      }
      this.#shapes[this.#shapes.length] = keys;
    }
    return this.#shapes[shape]!;
  }
}
