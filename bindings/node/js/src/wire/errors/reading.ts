// Reads errors that may be anything: proxies, with getters that throw, of another realm, of
// somebody's own class.
//
// Nothing in here throws, except where it says so.

import { types } from 'node:util';
import {
  ArrayIsArray,
  bareList,
  FunctionToString,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectKeys,
  SafeMap,
  SafeSet,
  StringIncludes,
  StringSlice,
  StringStartsWith,
} from '../../base/intrinsics.js';
import { isDOMException, isError, kClasses } from './record.js';

/** How much of a property's value is searched for errors, in objects and in properties. */
const kContainersMax = 1000;
const kEntriesMax = 10_000;
const kPrototypesMax = 100;

export const kNames = kClasses.map(({ name }) => name);
const kClassOf = new SafeMap<object | null, number>();
for (let i = 0; i < kClasses.length; i++) kClassOf.set(kClasses[i]!.prototype, i);
const { isProxy } = types;

/** A property's value, or `undefined` if it throws. */
export function read(object: object, key: string): unknown {
  try {
    return (object as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

export function isOwn(object: object, key: string): boolean {
  try {
    return ObjectHasOwn(object, key);
  } catch {
    return false;
  }
}

export function has(object: object, key: string): boolean {
  try {
    return key in object;
  } catch {
    return false;
  }
}

export function keysOf(object: object): string[] {
  try {
    return ObjectKeys(object);
  } catch {
    return [];
  }
}

/** The index of the built-in class that is nearest, or a DOMException's name. */
export function typeOf(error: object): number | string {
  try {
    let prototype = ObjectGetPrototypeOf(error) as object | null;
    const plain = kClassOf.get(prototype);
    if (plain !== undefined) return plain;
    // What only inherits from DOMException.prototype throws at its `name`.
    if (isDOMException(error)) return String((error as { name: unknown }).name);
    for (let i = 0; prototype !== null && i < kPrototypesMax; i++) {
      const type = kClassOf.get(prototype) ?? foreignClass(prototype);
      if (type !== undefined) return type;
      prototype = ObjectGetPrototypeOf(prototype) as object | null;
    }
  } catch {
    // A proxy's traps may throw.
  }
  return 0;
}

function indexOfName(name: string): number {
  for (let i = 0; i < kNames.length; i++) if (kNames[i] === name) return i;
  return -1;
}

/** The index of the built-in class of another realm that a prototype belongs to. */
function foreignClass(prototype: object): number | undefined {
  const constructor: unknown = ObjectGetOwnPropertyDescriptor(prototype, 'constructor')?.value;
  if (typeof constructor !== 'function') return undefined;
  const index = indexOfName(constructor.name);
  // A class of the user's may have the name of a built-in one.
  const native =
    index >= 0 && StringIncludes(FunctionToString(constructor as () => unknown), '[native code]');
  return native ? index : undefined;
}

/**
 * The stack. A class that gives its instances no name appears in its first line, as it does where
 * Node prints it.
 */
export function stackOf(error: object, type: number | string): string {
  const stack = read(error, 'stack');
  const given = read(error, 'name');
  const name = typeof given === 'string' ? given : 'Error';
  if (typeof stack !== 'string') {
    const message = read(error, 'message');
    return typeof message === 'string' && message !== '' ? `${name}: ${message}` : name;
  }
  if (typeof type === 'string' || name !== kNames[type] || !StringStartsWith(stack, name))
    return stack;
  const behind = stack[name.length];
  if (behind !== undefined && behind !== ':' && behind !== '\n') return stack;
  const className = classNameOf(error);
  if (className === '' || className === name) return stack;
  return `${StringIncludes(className, name) ? className : `${className} [${name}]`}${StringSlice(stack, name.length)}`;
}

function classNameOf(error: object): string {
  try {
    const prototype = ObjectGetPrototypeOf(error) as object | null;
    if (prototype === null || kClassOf.has(prototype)) return '';
    const { constructor } = prototype;
    return typeof constructor === 'function' && typeof constructor.name === 'string'
      ? constructor.name
      : '';
  } catch {
    return '';
  }
}

/**
 * The arrays and plain objects in a value, if errors are among what they hold and it is not too
 * much to look at. Throws what a getter throws.
 */
export function containersOfErrors(value: object): object[] | null {
  if (!isContainer(value)) return null;
  const seen = new SafeSet<object>();
  const found = bareList<object>();
  let entries = 0;
  let errors = 0;
  seen.add(value);
  found[0] = value;
  // The list grows while it is gone through.
  for (let at = 0; at < found.length; at++) {
    const container = found[at]!;
    const keys = ObjectKeys(container);
    for (let i = 0; i < keys.length; i++) {
      if (++entries > kEntriesMax) return null;
      const item = (container as Record<string, unknown>)[keys[i]!];
      if (typeof item !== 'object' || item === null) continue;
      if (isError(item)) errors++;
      else if (!seen.has(item) && isContainer(item)) {
        seen.add(item);
        found[found.length] = item;
      }
    }
    if (found.length > kContainersMax) return null;
  }
  return errors > 0 ? found : null;
}

function isContainer(value: object): boolean {
  if (isProxy(value)) return false;
  if (ArrayIsArray(value)) return true;
  const prototype = ObjectGetPrototypeOf(value) as object | null;
  return prototype === null || ObjectGetPrototypeOf(prototype) === null;
}
