// Writes an error down, so that it can be posted.
//
// Guarantees: it never throws, and what it returns can be cloned; a property that cannot be read or
// cloned is left out, each decided alone; at most kErrorsMax errors are written down with one,
// those nearest to it.
//
// What properties hold beside errors is cloned here already: then none of the worker's getters runs
// when the record is posted.

import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import {
  ArrayIsArray,
  bareList,
  define,
  NumberIsSafeInteger,
  ObjectIsEnumerable,
  ObjectKeys,
  PlainNumber,
  SafeMap,
  structuredClone,
} from '../../base/intrinsics.js';
import { isDeeperThan, kDepthMax } from './depth.js';
import {
  containersOfErrors,
  has,
  isOwn,
  keysOf,
  kNames,
  read,
  stackOf,
  typeOf,
} from './reading.js';
import { isError, kIsError, kVisible, type WireRecord } from './record.js';

/** How many errors cross with one that is thrown, itself included. */
const kErrorsMax = 1000;
/**
 * Looked at wherever they are defined; the others only where they are an error's own and
 * enumerable.
 */
const kWellKnown = ['code', 'cause', 'errors'] as const;

/** An error in a form that can be cloned; anything else as it is. */
export function encodeThrown(error: unknown): unknown {
  if (!isError(error)) return error;
  try {
    return new Encoder().encode(error);
  } catch {
    // No error is known that gets here. It would otherwise end the worker.
    return [
      0,
      'The error that was thrown cannot be read',
      'Error: The error that was thrown cannot be read',
    ];
  }
}

class Encoder {
  readonly #errors = bareList<object>();
  readonly #records = bareList<WireRecord>();
  #links = bareList<unknown>();
  /** By error; there is none as long as there is only one error. */
  #indexes: SafeMap<object, number> | null = null;
  /** Copies of objects that hold errors. */
  #copies: SafeMap<object, object> | null = null;
  #holdsObjects = false;

  encode(error: object): WireRecord {
    this.#errors[0] = error;
    const root = this.#record(error);
    this.#records[0] = root;
    // The list grows while it is gone through: the errors that are nearest come first.
    for (let i = 1; i < this.#errors.length; i++) this.#records[i] = this.#record(this.#errors[i]!);
    return this.#holdsObjects ? this.#cloned() : this.#whole();
  }

  /** All the records as one, with the first of them at its head. */
  #whole(): WireRecord {
    const records = this.#records;
    const root = records[0]!;
    if (records.length === 1 && this.#links.length === 0) return root;
    const others = bareList<WireRecord>();
    for (let i = 1; i < records.length; i++) others[i - 1] = records[i]!;
    return [root[0], root[1], root[2], root.length > 3 ? root[3] : [], others, this.#links];
  }

  /** The index of an error that another refers to, or -1 if they are too many. */
  #indexOf(error: object): number {
    if (this.#indexes === null) {
      this.#indexes = new SafeMap();
      this.#indexes.set(this.#errors[0]!, 0);
    }
    let index = this.#indexes.get(error);
    if (index === undefined) {
      if (this.#errors.length === kErrorsMax) return -1;
      index = this.#errors.length;
      this.#errors[index] = error;
      this.#indexes.set(error, index);
    }
    return index;
  }

  #record(error: object): WireRecord {
    const type = typeOf(error);
    const message = read(error, 'message');
    const hasMessage = typeof message === 'string' && (message !== '' || isOwn(error, 'message'));
    const properties = bareList<unknown>();
    const text = hasMessage ? message : undefined;
    const stack = stackOf(error, type);

    const name = read(error, 'name');
    if (typeof name === 'string' && name !== (typeof type === 'string' ? type : kNames[type])) {
      this.#property(properties, error, 'name', 0);
    }
    for (let i = 0; i < kWellKnown.length; i++) {
      const key = kWellKnown[i]!;
      // A DOMException's code follows from its name.
      if (has(error, key) && (typeof type === 'number' || isOwn(error, key)))
        this.#property(properties, error, key, 0);
    }
    const keys = keysOf(error);
    for (let i = 0; i < keys.length; i++) {
      if (keys[i] !== 'stack') this.#property(properties, error, keys[i]!, kVisible);
    }
    return properties.length > 0 ? [type, text, stack, properties] : [type, text, stack];
  }

  #property(properties: unknown[], error: object, key: string, bits: number): void {
    try {
      if (bits === 0 && ObjectIsEnumerable(error, key)) return;
      const value = (error as Record<string, unknown>)[key];
      if (isError(value)) {
        const index = this.#indexOf(value);
        if (index >= 0) append(properties, key, bits | kIsError, index);
      } else if (typeof value === 'object' && value !== null) {
        const isList = key === 'errors' && ArrayIsArray(value);
        append(properties, key, bits, isList ? this.#list(value) : this.#data(value));
        this.#holdsObjects = true;
      } else if (typeof value !== 'function' && typeof value !== 'symbol') {
        append(properties, key, bits, value);
      }
    } catch {
      // It is left out.
    }
  }

  /**
   * An error's `errors`: what cannot be cloned is `undefined`, so that the others keep their
   * places.
   */
  #list(list: readonly unknown[]): unknown[] {
    const copy = bareList<unknown>();
    // Not by its length: it may have holes, and many.
    const keys = ObjectKeys(list);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      const index = PlainNumber(key);
      if (!NumberIsSafeInteger(index)) continue;
      const value = list[index];
      if (!isError(value)) copy[index] = isCloneable(value) ? value : undefined;
      else if (!this.#link(copy, key, value)) return copy;
    }
    copy.length = list.length;
    return copy;
  }

  /** Notes that an error is to be at `container[key]`; `false` if they are too many. */
  #link(container: object, key: string, error: object): boolean {
    const index = this.#indexOf(error);
    if (index < 0) return false;
    define(container, key, undefined, true);
    append(this.#links, container, key, index);
    return true;
  }

  /** An object, copied as far as it takes to set the errors in it apart. */
  #data(value: object): object {
    const known = this.#copies?.get(value);
    if (known !== undefined) return known;
    const containers = containersOfErrors(value);
    if (containers === null) return value;
    const copies = (this.#copies ??= new SafeMap<object, object>());
    for (let i = 0; i < containers.length; i++) {
      const container = containers[i]!;
      if (!copies.has(container)) copies.set(container, ArrayIsArray(container) ? bareList() : {});
    }
    for (let i = 0; i < containers.length; i++) {
      const container = containers[i]!;
      const copy = copies.get(container)!;
      const keys = ObjectKeys(container);
      for (let j = 0; j < keys.length; j++) {
        const key = keys[j]!;
        const item = (container as Record<string, unknown>)[key];
        if (!isError(item)) define(copy, key, copies.get(item as object) ?? item, true);
        else if (!this.#link(copy, key, item)) break;
      }
    }
    return copies.get(value)!;
  }

  /** The record without anything in it that could still fail, or run code, when it is posted. */
  #cloned(): WireRecord {
    let copy = cloneOrNull(this.#whole());
    if (copy === null) {
      // Which it was has to be found out. Errors are the last items of links, and never what fails.
      this.#keep(askedOnce(isCloneable));
      copy = cloneOrNull(this.#whole());
    }
    if (copy !== null && isDeeperThan(copy, kDepthMax)) {
      // The walk is on copies, where nothing answers twice; properties keep their places in them.
      this.#keep(askedOnce(isShallow));
      copy = cloneOrNull(this.#whole());
      if (copy !== null && isDeeperThan(copy, kDepthMax)) copy = null;
    }
    if (copy !== null) return copy;
    // A getter answers differently every time.
    this.#keep((value) => typeof value !== 'object');
    return this.#whole();
  }

  /** Leaves only the properties and links whose value passes. */
  #keep(passes: (value: unknown) => boolean): void {
    const records = this.#records;
    for (let i = 0; i < records.length; i++) {
      const record = records[i]!;
      if (record.length > 3) record[3] = filterTriples(record[3]!, 2, passes);
    }
    this.#links = filterTriples(this.#links, 0, passes);
  }
}

/** The same question, asked once of each value. */
function askedOnce(passes: (value: unknown) => boolean): (value: unknown) => boolean {
  const verdicts = new SafeMap<unknown, boolean>();
  return (value) => {
    let verdict = verdicts.get(value);
    if (verdict === undefined) verdicts.set(value, (verdict = passes(value)));
    return verdict;
  };
}

/** Those triples of which one item passes. */
function filterTriples(
  items: readonly unknown[],
  which: number,
  passes: (value: unknown) => boolean,
): unknown[] {
  const kept = bareList<unknown>();
  for (let i = 0; i < items.length; i += 3) {
    if (passes(items[i + which])) append(kept, items[i], items[i + 1], items[i + 2]);
  }
  return kept;
}

/** Adds three items to a list without a prototype. */
function append(list: unknown[], first: unknown, second: unknown, third: unknown): void {
  const { length } = list;
  list[length] = first;
  list[length + 1] = second;
  list[length + 2] = third;
}

function clone<T>(value: T): T {
  if (structuredClone !== undefined) return structuredClone(value);
  // As in environments of tests that stand for a browser's. A port does the same.
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(value);
    return (receiveMessageOnPort(port2) as { message: T }).message;
  } finally {
    port1.close();
  }
}

function cloneOrNull<T>(value: T): T | null {
  try {
    return clone(value);
  } catch {
    return null;
  }
}

/** Whether a value, which can be cloned, is read without trouble on any stack. */
function isShallow(value: unknown): boolean {
  const copy = typeof value === 'object' ? cloneOrNull(value) : value;
  // The record that holds it has three levels of its own.
  return !isDeeperThan(copy, kDepthMax - 4);
}

function isCloneable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null)
    return typeof value !== 'function' && typeof value !== 'symbol';
  return cloneOrNull(value) !== null;
}
