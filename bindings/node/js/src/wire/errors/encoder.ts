// Writes an error down, so that it can be posted.
//
// Guarantees: it never throws, and what it returns can be cloned; a property that cannot be read or cloned is left out,
// each decided alone; at most kErrorsMax errors are written down with one, those nearest to it.
//
// What properties hold beside errors is cloned here already: then none of the worker's getters runs when the record is
// posted.

import { types } from 'node:util';
import { define, isError, kClasses, kIsError, kVisible, type WireRecord } from './record.js';

/** How many errors cross with one that is thrown, itself included. */
const kErrorsMax = 1000;
/** How much of a property's value is searched for errors, in objects and in properties. */
const kContainersMax = 1000;
const kEntriesMax = 10_000;
const kPrototypesMax = 100;

const kNames = kClasses.map(({ name }) => name);
const kClassOf = new Map<object | null, number>(
  kClasses.map(({ prototype }, index) => [prototype, index]),
);
/** Looked at wherever they are defined; the others only where they are an error's own and enumerable. */
const kWellKnown = ['code', 'cause', 'errors'] as const;

const clone = structuredClone;
const isEnumerable = Object.prototype.propertyIsEnumerable;

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

/** A property's value, or `undefined` if it throws. */
function read(object: object, key: string): unknown {
  try {
    return (object as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

class Encoder {
  readonly #errors: object[] = [];
  readonly #records: WireRecord[] = [];
  readonly #places: unknown[] = [];
  /** By error; there is none as long as there is only one error. */
  #indexes: Map<object, number> | null = null;
  /** Copies of objects that hold errors. */
  #copies: Map<object, object> | null = null;
  #holdsObjects = false;

  encode(error: object): WireRecord {
    this.#errors.push(error);
    const root = this.#record(error);
    this.#records.push(root);
    // The list grows while it is gone through: the errors that are nearest come first.
    for (let i = 1; i < this.#errors.length; i++)
      this.#records.push(this.#record(this.#errors[i]!));
    if (this.#records.length > 1 || this.#places.length > 0) {
      root[3] ??= [];
      root.push(this.#records.slice(1), this.#places);
    }
    return this.#holdsObjects ? this.#cloned(root) : root;
  }

  /** The index of an error that another refers to, or -1 if they are too many. */
  #indexOf(error: object): number {
    this.#indexes ??= new Map([[this.#errors[0]!, 0]]);
    let index = this.#indexes.get(error);
    if (index === undefined) {
      if (this.#errors.length === kErrorsMax) return -1;
      index = this.#errors.push(error) - 1;
      this.#indexes.set(error, index);
    }
    return index;
  }

  #record(error: object): WireRecord {
    const type = typeOf(error);
    const message = read(error, 'message');
    const hasMessage = typeof message === 'string' && (message !== '' || isOwn(error, 'message'));
    const record: WireRecord = [type, hasMessage ? message : undefined, stackOf(error, type)];
    const properties: unknown[] = [];

    const name = read(error, 'name');
    if (typeof name === 'string' && name !== (typeof type === 'string' ? type : kNames[type])) {
      this.#property(properties, error, 'name', 0);
    }
    for (const key of kWellKnown) {
      // A DOMException's code follows from its name.
      if (has(error, key) && (typeof type === 'number' || isOwn(error, key)))
        this.#property(properties, error, key, 0);
    }
    for (const key of keysOf(error)) {
      if (key !== 'stack') this.#property(properties, error, key, kVisible);
    }
    if (properties.length > 0) record.push(properties);
    return record;
  }

  #property(properties: unknown[], error: object, key: string, bits: number): void {
    try {
      if (bits === 0 && isEnumerable.call(error, key)) return;
      const value = (error as Record<string, unknown>)[key];
      if (isError(value)) {
        const index = this.#indexOf(value);
        if (index >= 0) properties.push(key, bits | kIsError, index);
      } else if (typeof value === 'object' && value !== null) {
        properties.push(
          key,
          bits,
          key === 'errors' && Array.isArray(value) ? this.#list(value) : this.#data(value),
        );
        this.#holdsObjects = true;
      } else if (typeof value !== 'function' && typeof value !== 'symbol') {
        properties.push(key, bits, value);
      }
    } catch {
      // It is left out.
    }
  }

  /** An error's `errors`: what cannot be cloned is `undefined`, so that the others keep their places. */
  #list(list: readonly unknown[]): unknown[] {
    const copy: unknown[] = [];
    // Not by its length: it may have holes, and many.
    for (const key of Object.keys(list)) {
      const index = Number(key);
      if (!Number.isSafeInteger(index)) continue;
      const value = list[index];
      if (!isError(value)) copy[index] = isCloneable(value) ? value : undefined;
      else if (!this.#place(copy, key, value)) return copy;
    }
    copy.length = list.length;
    return copy;
  }

  /** Notes that an error is to be at `container[key]`; `false` if they are too many. */
  #place(container: object, key: string, error: object): boolean {
    const index = this.#indexOf(error);
    if (index < 0) return false;
    define(container, key, undefined, true);
    this.#places.push(container, key, index);
    return true;
  }

  /** An object, copied as far as it takes to set the errors in it apart. */
  #data(value: object): object {
    const known = this.#copies?.get(value);
    if (known !== undefined) return known;
    const containers = containersOfErrors(value);
    if (containers === null) return value;
    const copies = (this.#copies ??= new Map<object, object>());
    for (const container of containers) {
      if (!copies.has(container)) copies.set(container, Array.isArray(container) ? [] : {});
    }
    for (const container of containers) {
      const copy = copies.get(container)!;
      for (const key of Object.keys(container)) {
        const item = (container as Record<string, unknown>)[key];
        if (!isError(item)) define(copy, key, copies.get(item as object) ?? item, true);
        else if (!this.#place(copy, key, item)) break;
      }
    }
    return copies.get(value)!;
  }

  /** The record without anything in it that could still fail, or run code, when it is posted. */
  #cloned(root: WireRecord): WireRecord {
    try {
      return clone(root);
    } catch {
      // Which it was has to be found out. Errors are places' last items, and never what fails.
    }
    const verdicts = new Map<unknown, boolean>();
    const passes = (value: unknown): boolean => {
      let verdict = verdicts.get(value);
      if (verdict === undefined) verdicts.set(value, (verdict = isCloneable(value)));
      return verdict;
    };
    this.#keep(root, passes);
    try {
      return clone(root);
    } catch {
      // A getter answers differently every time.
      this.#keep(root, (value) => typeof value !== 'object');
      return root;
    }
  }

  /** Leaves only the properties and places whose value passes. */
  #keep(root: WireRecord, passes: (value: unknown) => boolean): void {
    for (const record of this.#records) {
      if (record[3] !== undefined)
        record[3] = filterTriples(record[3], (_key, _bits, value) => passes(value));
    }
    if (root[5] !== undefined) root[5] = filterTriples(root[5], (container) => passes(container));
  }
}

function filterTriples(
  items: readonly unknown[],
  keep: (first: unknown, second: unknown, third: unknown) => boolean,
): unknown[] {
  const kept: unknown[] = [];
  for (let i = 0; i < items.length; i += 3) {
    if (keep(items[i], items[i + 1], items[i + 2])) kept.push(items[i], items[i + 1], items[i + 2]);
  }
  return kept;
}

function isCloneable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null)
    return typeof value !== 'function' && typeof value !== 'symbol';
  try {
    clone(value);
    return true;
  } catch {
    return false;
  }
}

function isOwn(object: object, key: string): boolean {
  try {
    return Object.hasOwn(object, key);
  } catch {
    return false;
  }
}

function has(object: object, key: string): boolean {
  try {
    return key in object;
  } catch {
    return false;
  }
}

function keysOf(object: object): string[] {
  try {
    return Object.keys(object);
  } catch {
    return [];
  }
}

/** The index of the built-in class that is nearest, or a DOMException's name. */
function typeOf(error: object): number | string {
  try {
    let prototype = Object.getPrototypeOf(error) as object | null;
    const plain = kClassOf.get(prototype);
    if (plain !== undefined) return plain;
    // What only inherits from DOMException.prototype throws at its `name`.
    if (error instanceof DOMException) return String(error.name);
    for (let i = 0; prototype !== null && i < kPrototypesMax; i++) {
      const type = kClassOf.get(prototype) ?? foreignClass(prototype);
      if (type !== undefined) return type;
      prototype = Object.getPrototypeOf(prototype) as object | null;
    }
  } catch {
    // A proxy's traps may throw.
  }
  return 0;
}

/** The index of the built-in class of another realm that a prototype belongs to. */
function foreignClass(prototype: object): number | undefined {
  const constructor: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  if (typeof constructor !== 'function') return undefined;
  const index = kNames.indexOf(constructor.name);
  // A class of the user's may have the name of a built-in one.
  const native =
    index >= 0 && Function.prototype.toString.call(constructor).includes('[native code]');
  return native ? index : undefined;
}

/** The stack. A class that gives its instances no name appears in its first line, as it does where Node prints it. */
function stackOf(error: object, type: number | string): string {
  const stack = read(error, 'stack');
  const given = read(error, 'name');
  const name = typeof given === 'string' ? given : 'Error';
  if (typeof stack !== 'string') {
    const message = read(error, 'message');
    return typeof message === 'string' && message !== '' ? `${name}: ${message}` : name;
  }
  if (typeof type === 'string' || name !== kNames[type] || !stack.startsWith(name)) return stack;
  const behind = stack[name.length];
  if (behind !== undefined && behind !== ':' && behind !== '\n') return stack;
  const className = classNameOf(error);
  if (className === '' || className === name) return stack;
  return `${className.includes(name) ? className : `${className} [${name}]`}${stack.slice(name.length)}`;
}

function classNameOf(error: object): string {
  try {
    const prototype = Object.getPrototypeOf(error) as object | null;
    if (prototype === null || kClassOf.has(prototype)) return '';
    const { constructor } = prototype;
    return typeof constructor === 'function' && typeof constructor.name === 'string'
      ? constructor.name
      : '';
  } catch {
    return '';
  }
}

/** The arrays and plain objects in a value, if errors are among what they hold and it is not too much to look at. */
function containersOfErrors(value: object): object[] | null {
  if (!isContainer(value)) return null;
  const found = new Set([value]);
  let entries = 0;
  let errors = 0;
  // A set that grows while it is gone through.
  for (const container of found) {
    for (const key of Object.keys(container)) {
      if (++entries > kEntriesMax) return null;
      const item = (container as Record<string, unknown>)[key];
      if (typeof item !== 'object' || item === null) continue;
      if (isError(item)) errors++;
      else if (isContainer(item)) found.add(item);
    }
    if (found.size > kContainersMax) return null;
  }
  return errors > 0 ? [...found] : null;
}

function isContainer(value: object): boolean {
  if (types.isProxy(value)) return false;
  if (Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
