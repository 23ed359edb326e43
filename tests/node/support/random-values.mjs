// Random values, and what is the same in two of them.
//
// A seed always gives the same value, but of new objects: so one can be cloned and the other sent,
// and their getters count alike.

import assert from 'node:assert/strict';
import { types } from 'node:util';

/** Numbers from 0 to 1, the same for the same seed. */
export function randomOf(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Point {
  constructor(x) {
    this.x = x;
  }
  get double() {
    return this.x * 2;
  }
}
class List extends Array {}

const kKeys = [
  'a',
  'b',
  'c',
  'name',
  'value',
  '0',
  '1',
  '10',
  '4294967295',
  '-1',
  '',
  'constructor',
  'toString',
  '__proto__',
  '__defineGetter__',
  'length',
  'callee',
  'größe',
  'Ж',
  'a key of some length, in the area',
];
const kNumbers = [
  0,
  -0,
  1,
  -1,
  NaN,
  Infinity,
  -Infinity,
  0.5,
  2 ** 27 - 1,
  2 ** 27,
  -(2 ** 27),
  -(2 ** 27) - 1,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 32,
  2 ** 53,
  Number.MIN_VALUE,
  Number.MAX_VALUE,
];
const kLengths = [
  0, 1, 3, 4, 5, 15, 16, 17, 24, 25, 26, 100, 250, 254, 255, 500, 507, 508, 509, 600,
];

/**
 * A value: `{ value, reads }`, where `reads` becomes the list of getters that were called. What it
 * may hold is chosen by the seed as well: getters that change the value only where all of it is
 * plain, and with getters nothing that holds others and is not plain, as that is read behind them.
 */
export function randomValue(seed, { mayMutate = true } = {}) {
  const random = randomOf(seed);
  const below = (count) => Math.floor(random() * count);
  const pick = (list) => list[below(list.length)];
  const chance = (p) => random() < p;

  // Whatever is defined on prototypes.
  const reads = Object.setPrototypeOf([], null);
  const objects = [];
  const isExotic = chance(0.3);
  const getters = chance(0.35) ? pick([0.05, 0.2, 0.5]) : 0;
  // A getter that changes what a clone reads later, where the order of reading is the same.
  const mutates = mayMutate && getters > 0 && !isExotic && chance(0.5);
  const shares = chance(0.3) ? 0.15 : 0;
  const size = pick([1, 2, 4, 8, 20]);
  let left = size;
  let getterCount = 0;

  const text = () => {
    const length = chance(0.8) ? below(12) : pick(kLengths);
    const unit = pick(['a', 'é', 'aé', 'Ж', 'a\ud800', '\udc00b', '😀', 'xyz\u00ff', 'ab\u0100']);
    const made = unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
    // A rope, or a slice of another.
    return chance(0.2) ? `${made}${below(10)}` : chance(0.1) ? made.slice(1) : made;
  };
  const primitive = () => {
    const kind = below(16);
    if (kind < 5) return text();
    if (kind < 8) return below(2000) - 1000;
    if (kind < 10) return pick(kNumbers);
    if (kind === 10) return (random() - 0.5) * 2 ** below(60);
    if (kind === 11) return null;
    if (kind === 12) return undefined;
    if (kind < 15) return chance(0.5);
    return isExotic && chance(0.5) ? BigInt(below(1000)) : true;
  };
  const uncloneable = () =>
    pick([
      () => () => 1,
      () => Symbol('s'),
      () => function named() {},
      () => new Proxy({}, {}),
      // With these a getter behind them is called before the clone fails.
      ...(getters > 0 ? [] : [() => new WeakMap(), () => Promise.resolve(), detached]),
    ])();

  /** A key, often a new one. */
  const keyOf = () => (chance(0.6) ? `k${below(8)}` : pick(kKeys));

  const define = (object, key, make) => {
    if (chance(getters)) {
      const id = getterCount++;
      // One that removes itself and is undefined, or a function, looks as if removed before.
      const result = make() ?? null;
      const change = mutates && typeof result !== 'function' && chance(0.5) ? mutation() : null;
      const fails = chance(0.02);
      Object.defineProperty(object, key, {
        get() {
          reads[reads.length] = id;
          change?.();
          if (fails) throw new RangeError('getter');
          return result;
        },
        enumerable: Array.isArray(object) || chance(0.95),
        configurable: true,
      });
      return;
    }
    Object.defineProperty(object, key, {
      value: make(),
      writable: chance(0.95),
      enumerable: Array.isArray(object) || chance(0.97),
      configurable: true,
    });
  };
  /** A change of some plain object that was begun. */
  const mutation = () => {
    const target = pick(objects);
    const key = keyOf();
    const value = primitive();
    const own = Object.keys(target);
    const known = own.length > 0 ? pick(own) : key;
    if (Array.isArray(target)) return () => void Reflect.set(target, 0, value);
    const describe = { value, writable: true, enumerable: true, configurable: true };
    return pick([
      () => void Reflect.defineProperty(target, key, describe),
      () => void Reflect.defineProperty(target, known, describe),
      () => void Reflect.deleteProperty(target, known),
      () => void Reflect.deleteProperty(target, key),
    ]);
  };

  const plain = (count, prototype = Object.prototype) => {
    const object = Object.create(prototype);
    objects.push(object);
    for (let i = 0; i < count; i++) define(object, keyOf(), any);
    return object;
  };
  const array = (count) => {
    const isOdd = isExotic && getters === 0;
    const list = isOdd && chance(0.1) ? new List() : [];
    objects.push(list);
    for (let i = 0; i < count; i++) list[i] = any();
    if (count > 0 && chance(getters)) define(list, below(count), any);
    if (isOdd && chance(0.2)) list[pick(['named', 'x y', '-1'])] = any();
    if (isOdd && chance(0.2)) list.length += pick([1, 3, 100]);
    if (isOdd && chance(0.1)) delete list[below(count)];
    return list;
  };
  const replaced = (object) =>
    chance(0.2) ? Object.setPrototypeOf(object, pick([Object.prototype, null])) : object;
  const exotic = () => {
    const made = pick([...(getters > 0 ? [] : holders), ...leaves])();
    return typeof made === 'object' && chance(0.3) && Object.isExtensible(made)
      ? replaced(made)
      : made;
  };
  const holders = [
    function () {
      return arguments;
    },
    () => new Map([[any(), any()]]),
    () => new Set([any(), 1]),
    () => plain(2, Point.prototype),
    () => new Point(below(9)),
    () => plain(1, Object.create({ inherited: 1 })),
    () => Object.assign(new Error('m', { cause: any() }), { stack: undefined }),
  ];
  const leaves = [
    () => new Map(),
    () => new Date(below(2 ** 31)),
    () => new Date(NaN),
    () => /a+/giu,
    () => Object.assign(new RangeError(text()), { stack: 'a stack' }),
    () => Object.assign(new Error('m', { cause: primitive() }), { stack: undefined }),
    () => pick([new Number(1), new String('s'), new Boolean(false), Object(1n)]),
    () => new Uint8Array([1, 2, 3]),
    () => Buffer.alloc(4, 'text').subarray(1),
    () => new Float64Array(new ArrayBuffer(64), 8, 2),
    () => new DataView(new ArrayBuffer(16), 4, 8),
    () => new ArrayBuffer(8, chance(0.5) ? { maxByteLength: 32 } : undefined),
    () => new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 })),
    () => new SharedArrayBuffer(8),
    () => new Int32Array(new SharedArrayBuffer(16)),
    () => plain(2, null),
    () => Object.freeze(plain(2)),
    () => Object.freeze(array(2)),
    () => Object.seal(array(2)),
    uncloneable,
  ];
  const any = () => {
    if (left-- <= 0) return primitive();
    if (objects.length > 0 && chance(shares)) return pick(objects);
    const kind = random();
    if (kind < 0.4) return primitive();
    if (isExotic && kind < 0.55) return exotic();
    if (kind > 0.99) return uncloneable();
    return kind < 0.8 ? plain(below(5)) : array(below(5));
  };

  const root = random();
  const value =
    root < 0.1 ? primitive() : root < 0.7 ? plain(below(5)) : root < 0.9 ? array(below(5)) : any();
  return { value, reads };
}

function detached() {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

const kTags = [
  'isMap',
  'isSet',
  'isDate',
  'isRegExp',
  'isNativeError',
  'isBoxedPrimitive',
  'isArrayBuffer',
  'isSharedArrayBuffer',
  'isTypedArray',
  'isDataView',
].map((name) => types[name]);

const bytesOf = (buffer) => [...new Uint8Array(buffer)];

/** Fails unless two values are the same, object by object, in all that can be seen of them. */
export function assertSame(actual, expected) {
  const partners = new Map();
  const taken = new Set();
  const visit = (a, b, path) => {
    if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) {
      if (!Object.is(a, b)) assert.fail(`${path}: ${String(a)} is not ${String(b)}`);
      return;
    }
    if (partners.has(b) || taken.has(a)) {
      if (partners.get(b) !== a) assert.fail(`${path}: another identity`);
      return;
    }
    partners.set(b, a);
    taken.add(a);
    const same = (what, x, y) => assert.deepEqual(x, y, `${path}: ${what}`);
    if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) assert.fail(`${path}: prototype`);
    if (Array.isArray(a) !== Array.isArray(b)) assert.fail(`${path}: kind`);
    for (const is of kTags) if (is(a) !== is(b)) assert.fail(`${path}: ${is.name}`);
    if (types.isMap(a)) visitAll([...a].flat(), [...b].flat(), path);
    else if (types.isSet(a)) visitAll([...a], [...b], path);
    else if (types.isDate(a)) same('time', Number(a), Number(b));
    else if (types.isRegExp(a)) same('pattern', String(a), String(b));
    else if (types.isBoxedPrimitive(a)) same('boxed', a.valueOf(), b.valueOf());
    else if (types.isTypedArray(a) || types.isDataView(a)) {
      same('place', [a.byteOffset, a.byteLength], [b.byteOffset, b.byteLength]);
      visit(a.buffer, b.buffer, `${path}.buffer`);
    } else if (types.isAnyArrayBuffer(a)) {
      same('bytes', bytesOf(a), bytesOf(b));
      same('limit', a.maxByteLength, b.maxByteLength);
    }
    const keys = Reflect.ownKeys(a);
    const others = Reflect.ownKeys(b);
    if (keys.length !== others.length || keys.some((key, i) => key !== others[i])) {
      assert.fail(`${path}: keys ${keys.map(String)} are not ${others.map(String)}`);
    }
    for (const key of keys) {
      if (types.isTypedArray(a)) break;
      const x = Object.getOwnPropertyDescriptor(a, key);
      const y = Object.getOwnPropertyDescriptor(b, key);
      for (const name of ['writable', 'enumerable', 'configurable', 'get', 'set']) {
        if (x[name] !== y[name]) assert.fail(`${path}.${String(key)}: ${name}`);
      }
      visit(x.value, y.value, `${path}.${String(key)}`);
    }
  };
  const visitAll = (a, b, path) => {
    if (a.length !== b.length) assert.fail(`${path}: size`);
    for (let i = 0; i < a.length; i++) visit(a[i], b[i], `${path}(${i})`);
  };
  visit(actual, expected, 'value');
}

/** All objects that a value holds. */
export function objectsIn(value, found = new Set()) {
  if (typeof value !== 'object' || value === null || found.has(value)) return found;
  found.add(value);
  if (types.isMap(value)) for (const item of [...value].flat()) objectsIn(item, found);
  if (types.isSet(value)) for (const item of value) objectsIn(item, found);
  if (types.isTypedArray(value)) return objectsIn(value.buffer, found);
  for (const key of Reflect.ownKeys(value)) objectsIn(value[key], found);
  return found;
}
