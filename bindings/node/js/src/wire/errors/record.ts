// How an error is written down to cross between threads, and what both sides of that know about errors.
//
// An error is a flat record, and all the errors in one thrown value are a flat list that refers to its items by index:
// neither side recurses, and structured clone does not either.

import { types } from 'node:util';

/** A property's bits: it is enumerable; its value is an error's index. */
export const kVisible = 1;
export const kIsError = 2;

/**
 * An error: the index of its class, or a DOMException's name; its message and stack; its properties, each a key,
 * bits and the value or an error's index. The first record holds the others too, and where in their properties'
 * values errors are: an object, the key in it and the error's index.
 */
export type WireRecord = [
  type: number | string,
  message: string | undefined,
  stack: string,
  properties?: unknown[],
  others?: WireRecord[],
  places?: unknown[],
];

export const kClasses = [
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
  AggregateError as unknown as ErrorConstructor,
] as const;
export const kAggregate = kClasses.length - 1;

/** Whether a value is an error, of whatever realm, or inherits from one. */
export function isError(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (types.isNativeError(value)) return true;
  try {
    return value instanceof Error || value instanceof DOMException;
  } catch {
    return false;
  }
}

export function define(object: object, key: string, value: unknown, enumerable: boolean): void {
  // By definition, not assignment: `__proto__` is a name like any other.
  Object.defineProperty(object, key, { value, writable: true, configurable: true, enumerable });
}
