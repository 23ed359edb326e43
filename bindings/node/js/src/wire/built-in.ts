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
 * Whether an object, which inherits as a plain one does and has these keys, is one of the
 * runtime's. Asked of every object: a closer look is for a function's arguments, and for built-in
 * objects that were made to inherit so: they have no properties of their own, or indices.
 */
export function isBuiltIn(value: object, prototype: unknown, keys: readonly string[]): boolean {
  if (prototype === null && isModuleNamespaceObject(value)) return true;
  return (keys.length === 0 || keys[0] === '0') && isOfRuntime(value);
}

function isOfRuntime(value: object): boolean {
  return (
    isMap(value) ||
    isSet(value) ||
    isDate(value) ||
    isRegExp(value) ||
    isNativeError(value) ||
    isBoxedPrimitive(value) ||
    isAnyArrayBuffer(value) ||
    ArrayBufferIsView(value) ||
    isExternal(value) ||
    isUncloneable(value)
  );
}

/** Whether an object is of a class that no clone carries. */
export function isUncloneable(value: object): boolean {
  return (
    isPromise(value) ||
    isWeakMap(value) ||
    isWeakSet(value) ||
    isGeneratorObject(value) ||
    isArgumentsObject(value)
  );
}
