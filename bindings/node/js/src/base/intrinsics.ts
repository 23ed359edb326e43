// The functions of the runtime that the package calls, taken when it loads.
//
// User code may replace any global, and any method of a built-in prototype: fake timers do so in
// tests, polyfills and instrumentation in production. What is taken here stays what it was, on
// either side of the pool. A lint rule forbids the globals everywhere else in the package.
//
// `uncurry` turns a method into a function of its receiver, as Node's own internals do. `SafeMap`
// and `SafeSet` carry their methods themselves. Arrays are walked by index and grown by assignment,
// since iteration and `push` look their methods up in `Array.prototype`.

import * as perfHooks from 'node:perf_hooks';
import * as nodeTimers from 'node:timers';
import { types } from 'node:util';

type Method<T, A extends unknown[], R> = (this: T, ...args: A) => R;

const { bind, call } = Function.prototype;
/** A method as a function whose first argument is the receiver. */
export const uncurry = bind.bind(call) as <T, A extends unknown[], R>(
  method: Method<T, A, R>,
) => (receiver: T, ...args: A) => R;

// Timers: Node's, which have `ref` and `unref` also where the globals are a browser's.
export const setTimeout = nodeTimers.setTimeout;
export const clearTimeout = nodeTimers.clearTimeout;
export const setInterval = nodeTimers.setInterval;
export const clearInterval = nodeTimers.clearInterval;
export const setImmediate = nodeTimers.setImmediate;

const { performance } = perfHooks;
const clock = Object.getPrototypeOf(performance) as Partial<typeof performance>;
/**
 * ms on this thread's monotonic clock, from an origin of its own. Fake clocks put a `now` on the
 * object itself; its prototype's is the runtime's also where the package is loaded under one.
 */
export const now: () => number = (clock.now ?? performance.now).bind(performance);
/** Seconds on a monotonic clock that all threads share. No fake clock replaces it. */
export const uptime: () => number = process.uptime.bind(process);
const hrtime = process.hrtime.bigint.bind(process.hrtime);
const { Number: numberOf } = globalThis;
/** ms on a monotonic clock that the processes of a machine share. */
export const monotonic = (): number => numberOf(hrtime()) / 1e6;
export const nextTick: typeof process.nextTick = process.nextTick.bind(process);
/** Runs a callback as a microtask. What it throws is an uncaught exception. */
export const queueMicrotask = globalThis.queueMicrotask.bind(globalThis);
/** Missing in some test environments; whoever calls it says what to do then. */
export const structuredClone = globalThis.structuredClone as
  typeof globalThis.structuredClone | undefined;

export const AtomicsAdd = Atomics.add.bind(Atomics) as typeof Atomics.add;
export const AtomicsLoad = Atomics.load.bind(Atomics) as typeof Atomics.load;
export const AtomicsStore = Atomics.store.bind(Atomics) as typeof Atomics.store;
export const AtomicsWait = Atomics.wait.bind(Atomics) as typeof Atomics.wait;
export const AtomicsNotify = Atomics.notify.bind(Atomics) as typeof Atomics.notify;
export const AtomicsExchange = Atomics.exchange.bind(Atomics) as typeof Atomics.exchange;
export const AtomicsCompareExchange = Atomics.compareExchange.bind(
  Atomics,
) as typeof Atomics.compareExchange;

export const { apply: ReflectApply } = Reflect;
export const {
  assign: ObjectAssign,
  create: ObjectCreate,
  defineProperty: ObjectDefineProperty,
  freeze: ObjectFreeze,
  getOwnPropertyDescriptor: ObjectGetOwnPropertyDescriptor,
  getPrototypeOf: ObjectGetPrototypeOf,
  hasOwn: ObjectHasOwn,
  keys: ObjectKeys,
} = Object;
export const ObjectPrototype = Object.prototype;
export const { isArray: ArrayIsArray } = Array;
export const ArrayPrototype = Array.prototype;
export const { isView: ArrayBufferIsView } = ArrayBuffer;
export const { fromCharCode: StringFromCharCode } = String;
export const { imul: MathImul } = Math;
type Bytes = Buffer & {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number, length: number): number;
  ucs2Slice(start: number, end: number): string;
  ucs2Write(text: string, offset: number, length: number): number;
};
export const BufferLatin1Slice = uncurry((Buffer.prototype as Bytes).latin1Slice);
export const BufferLatin1Write = uncurry((Buffer.prototype as Bytes).latin1Write);
export const BufferUcs2Slice = uncurry((Buffer.prototype as Bytes).ucs2Slice);
export const BufferUcs2Write = uncurry((Buffer.prototype as Bytes).ucs2Write);
export const RegExpExec = uncurry(RegExp.prototype.exec);
export const StringCharCodeAt = uncurry(String.prototype.charCodeAt);

type LengthGetter = Method<ArrayBufferView | ArrayBufferLike, [], number>;
function lengthGetter(prototype: object): (receiver: ArrayBufferView | ArrayBufferLike) => number {
  return uncurry(Object.getOwnPropertyDescriptor(prototype, 'byteLength')!.get as LengthGetter);
}
const lengthOfTypedArray = lengthGetter(Object.getPrototypeOf(Uint8Array.prototype) as object);
const lengthOfDataView = lengthGetter(DataView.prototype);
/** Throws where it is another kind of memory. */
export const lengthOfArrayBuffer = lengthGetter(ArrayBuffer.prototype);
const lengthOfShared = lengthGetter(SharedArrayBuffer.prototype);
/** The bytes of a view or a buffer, whatever properties of its own it has. 0 if it is detached. */
export function byteLength(value: ArrayBufferView | ArrayBufferLike): number {
  try {
    if (types.isTypedArray(value)) return lengthOfTypedArray(value);
    if (types.isDataView(value)) return lengthOfDataView(value);
    return types.isSharedArrayBuffer(value) ? lengthOfShared(value) : lengthOfArrayBuffer(value);
  } catch {
    // A view of a buffer that was detached.
    return 0;
  }
}

const { Promise: PlainPromise } = globalThis;
export const PromiseResolve = PlainPromise.resolve.bind(PlainPromise) as typeof Promise.resolve;
const then = uncurry(PlainPromise.prototype.then as Method<Promise<unknown>, unknown[], unknown>);
/** `promise.then(…)`, whatever has become of `then`. Only of a native promise. */
export const PromiseThen = then as <T, R1 = T, R2 = never>(
  promise: Promise<T>,
  onFulfilled?: ((value: T) => R1 | PromiseLike<R1>) | null,
  onRejected?: ((reason: unknown) => R2 | PromiseLike<R2>) | null,
) => Promise<R1 | R2>;

const kResolved = PlainPromise.resolve();
/**
 * Runs a callback of ours as a microtask. It must not throw. Cheaper than the runtime's own, which
 * makes an async resource for each call.
 */
export function soon(callback: () => void): void {
  void PromiseThen(kResolved, callback);
}

/** Gives a subclass of a collection its own copies of the methods that it inherits. */
function keepMethods(
  subclass: { readonly prototype: object },
  base: { readonly prototype: object },
): void {
  for (const key of Reflect.ownKeys(base.prototype)) {
    if (key === 'constructor') continue;
    const descriptor = Object.getOwnPropertyDescriptor(base.prototype, key)!;
    Object.defineProperty(subclass.prototype, key, { __proto__: null, ...descriptor } as never);
  }
}

/** A map whose methods stay what they were. Iterate it by `forEach`. */
export class SafeMap<K, V> extends Map<K, V> {
  /**
   * Said in full: V8 in Node 20 spreads the arguments of a constructor that is not, by
   * Array.prototype.
   */
  constructor() {
    super();
  }
}
keepMethods(SafeMap, Map);
/** A set whose methods stay what they were. Iterate it by `forEach`. */
export class SafeSet<T> extends Set<T> {
  constructor() {
    super();
  }
}
keepMethods(SafeSet, Set);
export class SafeWeakMap<K extends object, V> extends WeakMap<K, V> {
  constructor() {
    super();
  }
}
keepMethods(SafeWeakMap, WeakMap);

// What `wait/` reads of shared words and of a start that failed.
export const typedArray = ObjectGetPrototypeOf(Int32Array.prototype) as object;
export const getterOf = <T, R>(prototype: object, name: PropertyKey) =>
  uncurry(Object.getOwnPropertyDescriptor(prototype, name)!.get as Method<T, [], R>);
export const TypedArrayBuffer = getterOf<Int32Array | Uint8Array, ArrayBufferLike>(
  typedArray,
  'buffer',
);
export const TypedArrayByteOffset = getterOf<Int32Array | Uint8Array, number>(
  typedArray,
  'byteOffset',
);
export const PlainFloat64Array = Float64Array;
export const { MAX_SAFE_INTEGER } = Number;
export const StringIndexOf = uncurry(String.prototype.indexOf);
export const StringSlice = uncurry(String.prototype.slice);
export const emitWarning = process.emitWarning.bind(process);
/** Node's own, or what stood in its place when the package was loaded. */
export const PlainAbortController = globalThis.AbortController;
export const AbortControllerAbort = uncurry(PlainAbortController.prototype.abort);
export const AbortControllerSignal = uncurry(
  Object.getOwnPropertyDescriptor(PlainAbortController.prototype, 'signal')!.get as (
    this: AbortController,
  ) => AbortSignal,
);

export const StringEndsWith = uncurry(String.prototype.endsWith);
export const StringIncludes = uncurry(String.prototype.includes);

/** The built-in errors, before anybody replaces a global. */
export const {
  Error: PlainError,
  AggregateError: PlainAggregateError,
  DOMException: PlainDOMException,
} = globalThis;
export const ErrorCaptureStackTrace = PlainError.captureStackTrace as
  typeof PlainError.captureStackTrace | undefined;
export const FunctionToString = uncurry(Function.prototype.toString);
export const { setPrototypeOf: ObjectSetPrototypeOf } = Object;
export const ObjectIsPrototypeOf = uncurry(Object.prototype.isPrototypeOf) as (
  prototype: object,
  object: object,
) => boolean;
export const ObjectIsEnumerable = uncurry(Object.prototype.propertyIsEnumerable);
export const StringStartsWith = uncurry(String.prototype.startsWith);
export const StringTrimStart = uncurry(String.prototype.trimStart);
export const { isSafeInteger: NumberIsSafeInteger } = Number;
export const PlainNumber = Number;
export const PromisePrototype = PlainPromise.prototype;
/** `Promise.prototype.then` itself, to be put where somebody looks for a `then`. */
export const PromisePrototypeThen = PlainPromise.prototype.then;

class BareList<T> extends Array<T> {
  constructor() {
    super();
  }
}
ObjectSetPrototypeOf(BareList.prototype, null);
/**
 * An empty list that items are added to by index. It inherits from no prototype that users know: an
 * assignment to an index that an array does not have calls a setter of `Array.prototype` or
 * `Object.prototype`. As cheap as `[]`, other than an array whose prototype is changed.
 */
export function bareList<T>(): T[] {
  return new BareList<T>();
}
/** Adds an item to an array that users get, whatever its prototypes have at that index. */
export function append<T>(array: T[], item: T): void {
  const descriptor = { value: item, writable: true, enumerable: true, configurable: true };
  ObjectDefineProperty(array, array.length, { __proto__: null, ...descriptor } as never);
}
export class SafeWeakSet<T extends object> extends WeakSet<T> {
  constructor() {
    super();
  }
}
keepMethods(SafeWeakSet, WeakSet);

export const { clz32: MathClz32, random: MathRandom, sqrt: MathSqrt } = Math;
export const {
  ceil: MathCeil,
  floor: MathFloor,
  max: MathMax,
  min: MathMin,
  round: MathRound,
} = Math;
/** The runtime's promises, whatever has become of the global. */
export const SafePromise = PlainPromise;
export const PromiseReject = PlainPromise.reject.bind(PlainPromise) as typeof Promise.reject;

/** Takes an element out of an array, if it is there. */
export function removeFrom<T>(array: T[], element: T): boolean {
  for (let i = 0; i < array.length; i++) {
    if (array[i] !== element) continue;
    for (let j = i + 1; j < array.length; j++) array[j - 1] = array[j]!;
    array.length--;
    return true;
  }
  return false;
}

/** Gives an object a property of its own. `__proto__` is a name like any other here. */
export function define(
  object: object,
  key: PropertyKey,
  value: unknown,
  enumerable: boolean,
): void {
  ObjectDefineProperty(object, key, {
    __proto__: null,
    value,
    writable: true,
    configurable: true,
    enumerable,
  } as PropertyDescriptor);
}

type Pairs = Iterator<readonly [unknown, unknown]>;
const pairsOfMap = uncurry(Map.prototype.entries as Method<Map<unknown, unknown>, [], Pairs>);
const pairsOfSet = uncurry(Set.prototype.entries as Method<Set<unknown>, [], Pairs>);
const nextOfMap = uncurry(
  (new Map().entries() as Pairs).next as Method<
    Pairs,
    [],
    IteratorResult<readonly [unknown, unknown]>
  >,
);
const nextOfSet = uncurry(
  (new Set().entries() as Pairs).next as Method<
    Pairs,
    [],
    IteratorResult<readonly [unknown, unknown]>
  >,
);
const sizeOfMap = uncurry(
  Object.getOwnPropertyDescriptor(Map.prototype, 'size')!.get as Method<
    Map<unknown, unknown>,
    [],
    number
  >,
);
const sizeOfSet = uncurry(
  Object.getOwnPropertyDescriptor(Set.prototype, 'size')!.get as Method<Set<unknown>, [], number>,
);
/** How many a map or a set has, and its first keys and values, so many pairs at most, in a row. */
export function firstPairs(
  of: Map<unknown, unknown> | Set<unknown>,
  most: number,
): { readonly size: number; readonly items: readonly unknown[] } {
  const items = bareList<unknown>();
  const isMap = types.isMap(of);
  const pairs = isMap ? pairsOfMap(of as Map<unknown, unknown>) : pairsOfSet(of as Set<unknown>);
  for (let i = 0; i < most; i++) {
    const next = isMap ? nextOfMap(pairs) : nextOfSet(pairs);
    if (next.done === true) break;
    items[2 * i] = next.value[0];
    items[2 * i + 1] = isMap ? next.value[1] : undefined;
  }
  const size = isMap ? sizeOfMap(of as Map<unknown, unknown>) : sizeOfSet(of as Set<unknown>);
  return { size, items };
}
