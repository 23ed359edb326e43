// Tells the runtime's own objects from plain ones, where they inherit as plain ones do.
//
// Left out, for their price, are built-in objects that were given the prototype of a plain object
// *and* named properties, and those that the runtime has no test for (a `WeakRef`, a host object).

import { types } from 'node:util';
import { ArrayBufferIsView } from '../base/intrinsics.js';

const {
  isAnyArrayBuffer,
  isArgumentsObject,
  isBoxedPrimitive,
  isDate,
  isExternal,
  isGeneratorObject,
  isMap,
  isModuleNamespaceObject,
  isNativeError,
  isPromise,
  isRegExp,
  isSet,
  isWeakMap,
  isWeakSet,
} = types;

/**
 * Whether to look closer at an object that inherits as a plain one does. A function's arguments do,
 * and built-in objects that were made to: they have no properties of their own, or indices.
 */
export function mayBeBuiltIn(prototype: unknown, keys: readonly string[]): boolean {
  return prototype === null || keys.length === 0 || keys[0] === '0';
}

/** Whether an object is one of the runtime's, whatever it inherits from. */
export function isBuiltIn(value: object): boolean {
  return (
    isMap(value) ||
    isSet(value) ||
    isDate(value) ||
    isRegExp(value) ||
    isNativeError(value) ||
    isBoxedPrimitive(value) ||
    isAnyArrayBuffer(value) ||
    ArrayBufferIsView(value) ||
    isPromise(value) ||
    isWeakMap(value) ||
    isWeakSet(value) ||
    isGeneratorObject(value) ||
    isModuleNamespaceObject(value) ||
    isExternal(value) ||
    isArgumentsObject(value)
  );
}
