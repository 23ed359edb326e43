// How what a worker's code throws crosses to the pool's side.
//
// A structured clone makes of an error an `Error` with a message and a stack, of a DOMException on
// some versions of Node nothing at all. Here an error crosses whole: its built-in class, name,
// message and stack, `code`, `cause` and `errors` wherever they are defined, and its own enumerable
// properties. Everything else that is thrown is left to the structured clone.
//
// Guarantees: errors that are the same, or form a cycle, still are and do; no property of an error,
// whatever its name, changes a prototype; the stack is a property of the error's own, as V8 makes
// it. Neither half throws, whatever has become of the globals: what cannot be read is what the task
// rejects with.

import {
  bareList,
  define,
  ObjectCreate,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectSetPrototypeOf,
  PlainAggregateError,
  PlainDOMException,
  PlainError,
} from '../../base/intrinsics.js';
import { encodeThrown } from './encoder.js';
import { isError, kAggregate, kClasses, kIsError, kVisible, type WireRecord } from './record.js';
import { kThrew, kThrewError } from '../messages.js';

export { encodeThrown };

/** What is thrown as it crosses: its code, and what is posted. */
export function toWire(error: unknown): [code: number, value: unknown] {
  return isError(error) ? [kThrewError, encodeThrown(error)] : [kThrew, error];
}

/** The other half of {@link toWire}. What goes wrong here is what the task is rejected with. */
export function fromWire(code: number, value: unknown): unknown {
  if (code !== kThrewError) return value;
  try {
    return decode(value as WireRecord);
  } catch (error) {
    return error;
  }
}

/** An item of a list that came from the other side, where it has one. */
function item(list: readonly unknown[], index: number): unknown {
  return index < list.length ? list[index] : undefined;
}

function decode(root: WireRecord): object {
  const others = item(root, 4) as WireRecord[] | undefined;
  const links = item(root, 5) as unknown[] | undefined;
  const errors = bareList<object>();
  const restore = withoutTraces();
  try {
    errors[0] = build(root);
    if (others !== undefined)
      for (let i = 0; i < others.length; i++) errors[i + 1] = build(others[i]!);
  } finally {
    restore();
  }
  furnish(errors[0], root, errors);
  if (others !== undefined)
    for (let i = 0; i < others.length; i++) furnish(errors[i + 1]!, others[i]!, errors);
  for (let i = 0; links !== undefined && i < links.length; i += 3) {
    define(links[i] as object, links[i + 1] as string, errors[links[i + 2] as number], true);
  }
  return errors[0];
}

/**
 * From now on errors are made without traces of their own, which nobody wants. Returns what ends
 * that.
 */
function withoutTraces(): () => void {
  // Error.prepareStackTrace, which may throw, is called even for a trace of no lines. Where it
  // cannot be set aside, `build` does without an error of V8's.
  const limit = override('stackTraceLimit', 0);
  const format = override('prepareStackTrace', undefined);
  return () => {
    if (limit !== null) ObjectDefineProperty(PlainError, 'stackTraceLimit', limit);
    if (format !== null) ObjectDefineProperty(PlainError, 'prepareStackTrace', format);
  };
}

/** Sets a property of Error where that is a plain one; returns what it was, or null. */
function override(
  key: 'stackTraceLimit' | 'prepareStackTrace',
  value: unknown,
): PropertyDescriptor | null {
  try {
    const before = ObjectGetOwnPropertyDescriptor(PlainError, key);
    if (before?.writable !== true) return null;
    ObjectDefineProperty(PlainError, key, { __proto__: null, value } as PropertyDescriptor);
    // It goes back as it was, whatever is on the prototype of descriptors.
    return ObjectSetPrototypeOf(before, null) as PropertyDescriptor;
  } catch {
    return null;
  }
}

/** An iterable of nothing that no prototype has a part in. */
const kDone = { __proto__: null, done: true, value: undefined };
const kNoErrors = {
  __proto__: null,
  [Symbol.iterator]: () => ({ __proto__: null, next: () => kDone }),
};

function build(record: WireRecord): object {
  const type = record[0];
  const message = record[1];
  const stack = record[2];
  try {
    let error: object;
    if (typeof type === 'string') error = new PlainDOMException(message, type);
    else if (type === kAggregate) error = new PlainAggregateError(kNoErrors as never, message);
    else error = new kClasses[type]!(message);
    define(error, 'stack', stack, false);
    return error;
  } catch {
    // An Error.prepareStackTrace that throws and cannot be set aside: an error in all but V8's
    // mark.
    const isDOMException = typeof type === 'string';
    const plain = isDOMException ? PlainDOMException : (kClasses[type] ?? PlainError);
    const error = ObjectCreate(plain.prototype as object) as object;
    // A DOMException's getters refuse what is none.
    if (isDOMException) define(error, 'name', type, false);
    if (isDOMException) define(error, 'code', 0, false);
    if (isDOMException || message !== undefined) define(error, 'message', message ?? '', false);
    define(error, 'stack', stack, false);
    return error;
  }
}

function furnish(error: object, record: WireRecord, errors: readonly object[]): void {
  const properties = item(record, 3) as unknown[] | undefined;
  for (let i = 0; properties !== undefined && i < properties.length; i += 3) {
    const bits = properties[i + 1] as number;
    const value = properties[i + 2];
    const isIndex = (bits & kIsError) !== 0;
    define(
      error,
      properties[i] as string,
      isIndex ? errors[value as number] : value,
      (bits & kVisible) !== 0,
    );
  }
}
