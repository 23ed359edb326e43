// What the writer of values has to know of objects, found out without running anybody's code.

import { types } from 'node:util';
import {
  ArrayBufferIsView,
  bareList,
  byteLength,
  ObjectGetOwnPropertyDescriptor,
  ObjectHasOwn,
  ObjectKeys,
} from '../base/intrinsics.js';
import { BufferCompare, isResizable, PlainUint8Array } from '../base/value-intrinsics.js';

const { isSharedArrayBuffer } = types;

/** Longer buffers are for the clone. */
const kBytesMax = 2 ** 31 - 1;

/** Whether what was read of a key is not the object's own: the key is gone. */
export function isInherited(value: object, key: string, item: unknown): boolean {
  if (item !== undefined && typeof item !== 'function' && key !== '__proto__') return false;
  return !ObjectHasOwn(value, key);
}

/** Without reading it: it may be a getter. */
export function beginsWithNumber(array: readonly unknown[]): boolean {
  const property = ObjectGetOwnPropertyDescriptor(array, 0);
  return (
    property !== undefined && ObjectHasOwn(property, 'value') && typeof property.value === 'number'
  );
}

/** Whether a buffer has bytes of its own, and as many for ever. */
export function isFixed(buffer: ArrayBufferLike): boolean {
  if (isSharedArrayBuffer(buffer) || isResizable(buffer as ArrayBuffer)) return false;
  const length = byteLength(buffer);
  if (length > 0) return length <= kBytesMax;
  try {
    // One that was detached is told from one that is empty.
    new PlainUint8Array(buffer);
    return true;
  } catch {
    return false;
  }
}

/** Whether nobody's code runs when an object's properties are read. */
export function hasOnlyData(object: object): boolean {
  const keys = ArrayBufferIsView(object) ? bareList<string>() : ObjectKeys(object);
  for (let i = 0; i < keys.length; i++) {
    const property = ObjectGetOwnPropertyDescriptor(object, keys[i]!);
    if (property === undefined || !ObjectHasOwn(property, 'value')) return false;
  }
  return true;
}

export function haveSameBytes(a: ArrayBufferLike, b: ArrayBufferLike): boolean {
  return BufferCompare(new PlainUint8Array(a), new PlainUint8Array(b)) === 0;
}
