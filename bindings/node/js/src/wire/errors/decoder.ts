// How what a worker's code throws crosses to the pool's side.
//
// A structured clone makes of an error an `Error` with a message and a stack, of a DOMException on some versions of
// Node nothing at all. Here an error crosses whole: its built-in class, name, message and stack, `code`, `cause` and
// `errors` wherever they are defined, and its own enumerable properties. Everything else that is thrown is left to
// the structured clone.
//
// Guarantees: errors that are the same, or form a cycle, still are and do; no property of an error, whatever its name,
// changes a prototype; the stack is a property of the error's own, as V8 makes it.

import { encodeThrown } from './encoder.js';
import {
  define,
  isError,
  kAggregate,
  kClasses,
  kIsError,
  kVisible,
  type WireRecord,
} from './record.js';
import { kThrew, kThrewError } from '../messages.js';

export { rejectWithCallerStack } from '../../owner/caller-stack.js';
export { encodeThrown };

/** What is thrown as it crosses: its code, and what is posted. */
export function toWire(error: unknown): [code: number, value: unknown] {
  return isError(error) ? [kThrewError, encodeThrown(error)] : [kThrew, error];
}

/** The other half of {@link toWire}. */
export function fromWire(code: number, value: unknown): unknown {
  return code === kThrewError ? decode(value as WireRecord) : value;
}

function decode(root: WireRecord): object {
  const [, , , properties, others, places] = root;
  const error = withoutTraces(() => build(root));
  if (properties === undefined) return error;
  const errors = [error];
  if (others !== undefined)
    withoutTraces(() => others.forEach((record) => errors.push(build(record))));
  furnish(error, root, errors);
  others?.forEach((record, i) => furnish(errors[i + 1]!, record, errors));
  for (let i = 0; places !== undefined && i < places.length; i += 3) {
    define(places[i] as object, places[i + 1] as string, errors[places[i + 2] as number], true);
  }
  return error;
}

/** Calls a function that makes errors whose own traces nobody wants. */
function withoutTraces<T>(make: () => T): T {
  const limit = Error.stackTraceLimit;
  // Intrinsics may be frozen, in which case this fails, and does no harm.
  Reflect.set(Error, 'stackTraceLimit', 0);
  try {
    return make();
  } finally {
    Reflect.set(Error, 'stackTraceLimit', limit);
  }
}

function build([type, message, stack]: WireRecord): object {
  let error: object;
  if (typeof type === 'string') error = new DOMException(message, type);
  else if (type === kAggregate) error = new AggregateError([], message);
  else error = new kClasses[type]!(message);
  define(error, 'stack', stack, false);
  return error;
}

function furnish(error: object, [, , , properties]: WireRecord, errors: readonly object[]): void {
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
