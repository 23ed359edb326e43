// What user code may do to built-in prototypes, for the time of one call.

// Not `name` and `toString`, which the clone of an error, and its refusal of an object, go by.
const kNames = ['a', 'k0', 'k1', 'get', 'set', 'value', 'enumerable', '0', '1'];
const kMethods = [
  [Array.prototype, ['push', 'pop', 'slice', 'forEach', 'map', 'indexOf', Symbol.iterator]],
  [String.prototype, ['charCodeAt', 'slice', 'indexOf', Symbol.iterator]],
  [RegExp.prototype, ['exec', 'test', Symbol.match, Symbol.replace]],
  [Map.prototype, ['get', 'set', 'has', 'forEach', Symbol.iterator]],
  [Set.prototype, ['add', 'has', 'forEach', Symbol.iterator]],
  [Object.prototype, ['hasOwnProperty', 'valueOf', '__defineGetter__']],
  [Buffer.prototype, ['latin1Write', 'latin1Slice', 'ucs2Write', 'ucs2Slice']],
];
const define = Object.defineProperty;
const describe = Object.getOwnPropertyDescriptor;
const remove = Reflect.deleteProperty;

/** What is done, as [object, key, descriptor], for names that are reported to `touch`. */
function changes(touch) {
  const list = [];
  const add = (object, key, descriptor) => {
    list.push([object, key, { __proto__: null, configurable: true, ...descriptor }]);
  };
  for (const [object, keys] of kMethods) {
    for (const key of keys) add(object, key, { value: () => touch(key), writable: true });
  }
  for (const key of kNames) {
    const accessor = { get: () => touch(key), set: () => touch(key), enumerable: true };
    add(Object.prototype, key, accessor);
    add(Array.prototype, key, accessor);
  }
  // Data can be read without a trace, and shows only in what arrives.
  add(Object.prototype, 'k2', { value: 'inherited', enumerable: true });
  add(Array.prototype, '2', { value: 'inherited', enumerable: true });
  return list;
}

/** Calls back while prototypes have accessors and methods that add to `touched` when used. */
export function withPollution(touched, call) {
  const list = changes((name) => {
    define(touched, touched.length, { __proto__: null, value: name, enumerable: true });
  });
  const before = list.map(([object, key]) => describe(object, key));
  try {
    for (let i = 0; i < list.length; i++) define(list[i][0], list[i][1], list[i][2]);
    return call();
  } finally {
    for (let i = list.length - 1; i >= 0; i--) {
      remove(list[i][0], list[i][1]);
      if (before[i] !== undefined) define(list[i][0], list[i][1], before[i]);
    }
  }
}
