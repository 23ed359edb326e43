// Values that were wrong once, or nearly, or that lie at a limit of the writer.

/** By name: what makes a value anew. */
export const examples = {
  'an array with as many named properties as holes': () => {
    const list = [1, , 3]; // eslint-disable-line no-sparse-arrays
    list.named = 2;
    return list;
  },
  'a getter that makes data of itself': () => ({
    get a() {
      Object.defineProperty(this, 'a', { value: 2, enumerable: true });
      return 1;
    },
    m: new Map(),
  }),
  'a getter that changes what was read, and removes itself': () => ({
    a: 1,
    get b() {
      this.a = 2;
      delete this.b;
      return 1;
    },
    m: new Map(),
  }),
  'a getter that adds to what is being read': () => ({
    get b() {
      this.c = 2;
      Object.defineProperty(this, 'b', { value: 1, enumerable: true });
      return 1;
    },
    m: new Map(),
  }),
  'a getter that makes a hole': () => {
    const list = [0, 1, 2];
    return Object.defineProperty(list, 0, {
      get: () => Reflect.deleteProperty(list, 1),
      enumerable: true,
      configurable: true,
    });
  },
  'a getter behind what cannot be cloned': () => ({
    f() {},
    get a() {
      throw new Error('read');
    },
  }),
  'a getter before and behind what cannot be cloned': () => ({
    get z() {
      return 1;
    },
    s: Symbol('s'),
    get a() {
      throw new Error('read');
    },
  }),
  'a getter that removes a property with an inherited namesake': () => ({
    get a() {
      delete this.toString;
      delete this.__proto__;
      return 1;
    },
    toString: 1,
    ['__proto__']: 2,
  }),
  'an object that occurs twice, beside a getter': () => {
    const twice = { a: 1 };
    return {
      twice,
      get g() {
        return twice;
      },
      list: [twice],
    };
  },
  'a cycle with a getter': () => {
    const value = {
      get a() {
        return value;
      },
    };
    return value;
  },
  'a map that inherits as a plain object': () =>
    Object.setPrototypeOf(new Map([[1, 2]]), Object.prototype),
  'a map that inherits nothing': () => Object.setPrototypeOf(new Map([[1, 2]]), null),
  'bytes that inherit as a plain object': () =>
    Object.setPrototypeOf(new Uint8Array(3), Object.prototype),
  'a boxed string that inherits as a plain object': () =>
    Object.setPrototypeOf(new String('ab'), Object.prototype),
  'a promise that inherits as a plain object': () =>
    Object.setPrototypeOf(Promise.resolve(), Object.prototype),
  'an error that inherits as a plain object': () =>
    Object.setPrototypeOf(Object.assign(new Error('m'), { stack: 's' }), Object.prototype),
  'the arguments of a function': () => (function () { return arguments; })(1, 2), // prettier-ignore
  'a proxy': () => ({ p: new Proxy([1], {}) }),
  'deep nesting': () => {
    let value = {};
    for (let i = 0; i < 400; i++)
      value =
        i === 200
          ? {
              get g() {
                return 1;
              },
              value,
            }
          : [value];
    return value;
  },
  'two thousand objects, some of which occur twice': () => {
    const all = Array.from({ length: 2000 }, (_, i) => ({ i, list: [i] }));
    return { all, again: [all[0], all[511], all[512], all[1999], all[700].list, all] };
  },
  'two thousand objects, and a getter among them': () => {
    const all = Array.from({ length: 2000 }, (_, i) => ({ i }));
    const get = () => all[1500];
    return [
      all,
      Object.defineProperty({}, 'g', { get, enumerable: true }),
      /x/,
      Object.assign(new Error('m'), { stack: 's' }),
    ];
  },
  'what lies deeper than the writer goes': () => {
    const bottom = { value: new Map() };
    let value = bottom;
    for (let i = 0; i < 700; i++) value = i % 2 === 0 ? [value] : { value };
    return { value, bottom };
  },
  'long texts': () => ['a'.repeat(200_000), 'Ж'.repeat(150_000), 'é'.repeat(131_072), 'end'],
  'large bytes twice, and views of them': () => {
    const buffer = new ArrayBuffer(100_000);
    new Uint8Array(buffer).set([1, 2, 3], 50_000);
    const views = [new Uint8Array(buffer, 50_000, 9), new Float64Array(buffer), buffer];
    return { views, other: Buffer.alloc(16_384, 1), last: new DataView(buffer, 4) };
  },
  'large bytes and what is cloned': () => [
    Buffer.alloc(20_000, 7),
    Object.assign(new Error('m', { cause: 1 }), { stack: 's' }),
  ],
  'views of every class': () =>
    [
      ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array],
      ...[Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array],
    ].map((View) => new View(View.name.startsWith('Big') ? [1n, 2n] : [1, 2, 300])),
  'an empty buffer and views of it': () => {
    const empty = new ArrayBuffer(0);
    return [empty, new Uint8Array(empty), new DataView(empty), new Uint8Array(0), Buffer.alloc(0)];
  },
  'an object with a thousand properties': () =>
    Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`property ${i}`, i])),
  'keys of every kind': () =>
    JSON.parse('{"2":1,"__proto__":{"__proto__":2},"a b":3,"":4,"\\u2028":5,"\\ud800":6,"1":7}'),
  'big integers': () => [
    0n,
    -1n,
    2n ** 63n - 1n,
    -(2n ** 63n),
    2n ** 63n,
    -(2n ** 200n),
    10n ** 40n,
  ],
  'dates and expressions': () => [
    new Date(NaN),
    new Date(-1),
    /(?:)/,
    new RegExp('a/b\n', 'dgimsuy'),
    Object.defineProperty(Object.assign(/x/g, { lastIndex: 3 }), 'global', { value: false }),
  ],
  'maps and sets in one another': () => {
    const map = new Map([[{ a: 1 }, new Set([1, -0, NaN])]]);
    map.set(map, new Set([map])).set('s', [map]);
    return map;
  },
  'a map that a getter of its key changes': () => {
    const map = new Map();
    const get = () => map.set('later', 1).size;
    return map.set(Object.defineProperty({}, 'g', { get, enumerable: true }), 2).set('end', 3);
  },
  'a proxy in an array that refers back, before what cannot be cloned': () => {
    const value = { list: [], fail: Symbol('s') };
    value.list = Object.assign([value], { named: new Proxy({}, {}) });
    return value;
  },
  'a getter of the name of the prototype, which removes itself': () => {
    const get = () => Reflect.deleteProperty(value, '__proto__');
    const value = { a: 1 };
    const property = { get, enumerable: true, configurable: true };
    return Object.defineProperty(value, '__proto__', property);
  },
  'many numbers': () => ({ list: Array.from({ length: 1000 }, (_, i) => i / 3), text: 'end' }),
  'many numbers behind a getter': () => {
    const list = Array.from({ length: 100 }, (_, i) => i);
    return Object.defineProperty(list, 0, { get: () => (list[1] = 'changed'), enumerable: true });
  },
};
