// Values that are transferred instead of cloned, as a task or as a handler's result.
//
// A *transferable* says by two properties, whose symbols Piscina registered, what goes into the
// transfer list and what is sent in its place. `move` marks one, or wraps an ordinary value in one;
// only what is marked is transferred. The mark is a registered symbol, so that a worker that loaded
// another copy of this package is understood.

import { types } from 'node:util';
import type { Transferable } from 'node:worker_threads';
import {
  ArrayBufferIsView,
  ArrayIsArray,
  ArrayPrototype,
  bareList,
  define,
  ObjectSetPrototypeOf,
} from '../base/intrinsics.js';

/** The property that says what is transferred: one object, or an array of objects. */
export const transferableSymbol: unique symbol = Symbol.for('Piscina.transferable') as never;
/** The property that says which value the other side gets. */
export const valueSymbol: unique symbol = Symbol.for('Piscina.valueOf') as never;
const kMovable: unique symbol = Symbol.for('cenote.movable') as never;

/** An object that says how it is transferred. */
export interface Movable {
  readonly [transferableSymbol]: object;
  readonly [valueSymbol]: unknown;
}

/** What is sent for a movable value, and what is transferred with it. */
interface Unwrapped {
  readonly value: unknown;
  readonly transferList: Transferable[];
}

const { isSharedArrayBuffer } = types;
const { isExtensible } = Object;

class MovableValue implements Movable {
  readonly #value: object;

  constructor(value: object) {
    this.#value = value;
  }

  get [transferableSymbol](): object {
    const value = this.#value;
    if (!ArrayBufferIsView(value)) return value;
    // Shared memory is shared by sending it; a transfer list refuses it.
    return isSharedArrayBuffer(value.buffer) ? [] : value.buffer;
  }

  get [valueSymbol](): object {
    return this.#value;
  }
}

/** Stands for a transferable that cannot be marked itself. */
class MovableProxy implements Movable {
  readonly #movable: Movable;

  constructor(movable: Movable) {
    this.#movable = movable;
  }

  get [transferableSymbol](): object {
    return this.#movable[transferableSymbol];
  }

  get [valueSymbol](): unknown {
    return this.#movable[valueSymbol];
  }
}

/**
 * Marks a value to be transferred instead of copied: `pool.run(move(buffer))`, or
 * `return move(buffer)` in a handler. Mark the whole task or the whole result: a mark inside
 * another object has no effect. For a typed array, its buffer is transferred. A value that is not
 * an object is returned unchanged.
 */
export function move<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  let movable: object = isTransferable(value) ? value : new MovableValue(value);
  if (!isExtensible(movable)) movable = new MovableProxy(movable as Movable);
  markMovable(movable);
  return movable as T;
}

/** Says that an object came from {@link move}. */
export function markMovable(value: object): void {
  define(value, kMovable, true, false);
}

/** Whether the value says how it is transferred. */
export function isTransferable(value: unknown): value is Movable {
  return (
    typeof value === 'object' &&
    value !== null &&
    transferableSymbol in value &&
    valueSymbol in value
  );
}

/** Whether the value came from {@link move}. Takes any value, and never throws. */
export function isMovable(value: unknown): value is Movable {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return (value as { [kMovable]?: unknown })[kMovable] === true && isTransferable(value);
  } catch {
    // A proxy: whatever it is, it cannot be sent anyway.
    return false;
  }
}

/**
 * What is sent for a value that {@link isMovable}. Its properties may be code of the user's: each
 * is read once, and what that throws is thrown here.
 */
export function unwrapMovable(movable: Movable): Unwrapped {
  const moved: unknown = movable[transferableSymbol];
  const value = movable[valueSymbol];
  return {
    value,
    transferList: (ArrayIsArray(moved) ? copyOf(moved) : [moved]) as Transferable[],
  };
}

function copyOf(list: readonly unknown[]): unknown[] {
  const copy = bareList<unknown>();
  const { length } = list;
  for (let i = 0; i < length; i++) copy[i] = list[i];
  return ObjectSetPrototypeOf(copy, ArrayPrototype) as unknown[];
}

/** What is sent for any value: itself if it did not come from {@link move}. */
export function takeTransfer(value: unknown): Unwrapped {
  return isMovable(value) ? unwrapMovable(value) : { value, transferList: [] };
}

function copied<T>(list: readonly T[]): T[] {
  const copy: T[] = bareList();
  for (let i = 0; i < list.length; i++) copy[i] = list[i]!;
  return copy;
}

/** Both lists as one; null if there is nothing in them. */
export function joinLists(
  first: readonly Transferable[] | undefined,
  second: readonly Transferable[],
): readonly Transferable[] | null {
  const list = first === undefined ? bareList<Transferable>() : copied(first);
  for (let i = 0; i < second.length; i++) list[list.length] = second[i]!;
  return list.length > 0 ? list : null;
}
