// About how many bytes a value takes in a port, without running any of its code.
//
// An estimate, to bound what lies unread: buffers and strings count whole, other objects by a look
// at a few of their properties, two levels deep. It is asked only of values that do not fit into
// shared memory, and costs about a microsecond.

import { types } from 'node:util';
import {
  ArrayBufferIsView,
  ArrayIsArray,
  byteLength,
  firstPairs,
  MathFloor,
  ObjectGetOwnPropertyDescriptor,
  ObjectHasOwn,
  ObjectKeys,
} from '../base/intrinsics.js';

const { isAnyArrayBuffer, isMap, isProxy, isSet } = types;

/** The properties that are looked at, of one object. */
const kSample = 4;
const kDepth = 3;
/** What a number, a property or an empty object takes, roughly. */
const kItemBytes = 16;

export function sizeOf(value: unknown, depth = kDepth): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null || isProxy(value)) return kItemBytes;
  if (ArrayBufferIsView(value) || isAnyArrayBuffer(value)) return byteLength(value);
  if (depth === 0) return kItemBytes;
  if (ArrayIsArray(value)) return sizeOfProperties(value, value.length, null, depth);
  if (isMap(value) || isSet(value)) {
    const { size, items } = firstPairs(value, kSample / 2);
    return items.length === 0 ? kItemBytes : (sizeOf(items, depth - 1) * 2 * size) / items.length;
  }
  const keys = ObjectKeys(value);
  return sizeOfProperties(value, keys.length, keys, depth);
}

/** The properties are those with the given keys, or the items of an array. */
function sizeOfProperties(
  value: object,
  count: number,
  keys: readonly string[] | null,
  depth: number,
): number {
  const looked = count < kSample ? count : kSample;
  if (looked === 0) return kItemBytes;
  let bytes = 0;
  for (let i = 0; i < looked; i++) {
    // From the first to the last, as far apart as they can be.
    const at = looked === 1 ? 0 : MathFloor((i * (count - 1)) / (looked - 1));
    const property = ObjectGetOwnPropertyDescriptor(value, keys === null ? at : keys[at]!);
    // Its prototype has no part in what it says.
    const isData = property !== undefined && ObjectHasOwn(property, 'value');
    bytes += kItemBytes + (isData ? sizeOf(property.value, depth - 1) : 0);
  }
  return (bytes / looked) * count;
}
