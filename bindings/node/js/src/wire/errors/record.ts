// How an error is written down to cross between threads, and what both sides of that know about
// errors.
//
// An error is a flat record, and all the errors in one thrown value are a flat list that refers to
// its items by index: neither side recurses, and structured clone does not either.

import { types } from 'node:util';
import {
  ObjectIsPrototypeOf,
  PlainAggregateError,
  PlainDOMException,
  PlainError,
} from '../../base/intrinsics.js';

/** A property's bits: it is enumerable; its value is an error's index. */
export const kVisible = 1;
export const kIsError = 2;

/**
 * An error: the index of its class, or a DOMException's name; its message and stack; its
 * properties, each a key, bits and the value or an error's index. The first record holds the others
 * too, and where in their properties' values errors are: an object, the key in it and the error's
 * index.
 */
export type WireRecord = [
  type: number | string,
  message: string | undefined,
  stack: string,
  properties?: unknown[] | undefined,
  others?: WireRecord[],
  links?: unknown[],
];

export const kClasses = [
  PlainError,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
  PlainAggregateError as unknown as ErrorConstructor,
] as const;
export const kAggregate = kClasses.length - 1;

const kErrorPrototype = PlainError.prototype;
const kDOMExceptionPrototype = PlainDOMException.prototype as object;
const { isNativeError } = types;

/** Whether a value is an error, of whatever realm, or inherits from one. */
export function isError(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (isNativeError(value)) return true;
  try {
    return ObjectIsPrototypeOf(kErrorPrototype, value) || isDOMException(value);
  } catch {
    return false;
  }
}

/** Whether an object inherits from DOMException. Throws what a proxy throws. */
export function isDOMException(value: object): boolean {
  return ObjectIsPrototypeOf(kDOMExceptionPrototype, value);
}
