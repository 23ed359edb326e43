// What the writer of values has to know of objects, found out without running anybody's code.

import {
  ArrayBufferIsView,
  bareList,
  lengthOfArrayBuffer,
  ObjectGetOwnPropertyDescriptor,
  ObjectHasOwn,
  ObjectKeys,
} from '../base/intrinsics.js';
import { BufferCompare, isResizable, PlainUint8Array } from '../base/value-intrinsics.js';

/** Longer buffers are for the clone. */
const kBytesMax = 2 ** 31 - 1;

/** Whether what was read of a key is not the object's own: the key is gone. */
export function isInherited(value: object, key: string, item: unknown): boolean {
  if (item !== undefined && typeof item !== 'function') return false;
  return !ObjectHasOwn(value, key);
}

/** Without reading it: it may be a getter. */
export function beginsWithNumber(array: readonly unknown[]): boolean {
  const property = ObjectGetOwnPropertyDescriptor(array, 0);
  return (
    property !== undefined && ObjectHasOwn(property, 'value') && typeof property.value === 'number'
  );
}

/**
 * The bytes of a buffer that has bytes of its own, and as many for ever; else -1: it is shared,
 * resizable, detached, or too long.
 */
export function fixedLength(buffer: ArrayBufferLike): number {
  try {
    const length = lengthOfArrayBuffer(buffer);
    if (isResizable(buffer as ArrayBuffer) || length > kBytesMax) return -1;
    // One that was detached is told from one that is empty.
    if (length === 0) new PlainUint8Array(buffer);
    return length;
  } catch {
    return -1;
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
