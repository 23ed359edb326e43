// Errors cross threads whole: the wire form by itself. `errors-pool.test.mjs` has what callers see.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { inspect } from 'node:util';
import vm from 'node:vm';

const require = createRequire(import.meta.url);
const { encodeThrown, fromWire, toWire } = require('../../dist/wire/errors/decoder.js');
const { kThrewError } = require('../../dist/wire/messages.js');

/** What a thrown value is on the other side. */
function cross(error) {
  const [code, value] = structuredClone(toWire(error));
  return fromWire(code, value);
}

function descriptorOf(object, key) {
  const { value, ...flags } = Object.getOwnPropertyDescriptor(object, key) ?? {};
  return flags;
}

const kHidden = { writable: true, enumerable: false, configurable: true };
const kVisible = { writable: true, enumerable: true, configurable: true };

// Classes and names

for (const Class of [
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
]) {
  test(`${Class.name} arrives as one`, () => {
    const error = new Class('message');
    const arrived = cross(error);
    assert.equal(Object.getPrototypeOf(arrived), Class.prototype);
    assert.equal(arrived.name, Class.name);
    assert.equal(arrived.message, 'message');
    assert.equal(arrived.stack, error.stack);
    assert.deepEqual(Reflect.ownKeys(arrived).sort(), ['message', 'stack']);
  });
}

test('stack and message are as the constructor makes them', () => {
  const arrived = cross(new Error('message'));
  assert.deepEqual(descriptorOf(arrived, 'stack'), kHidden);
  assert.deepEqual(descriptorOf(arrived, 'message'), kHidden);
  assert.equal(Object.hasOwn(cross(new Error()), 'message'), false);
  assert.equal(Object.hasOwn(cross(new Error('')), 'message'), true);
});

test('an AggregateError arrives with its errors, whole', () => {
  const shared = Object.assign(new RangeError('one'), { code: 'E_ONE' });
  const error = new AggregateError([shared, 'text', null, shared, { a: 1 }], 'several');
  const arrived = cross(error);
  assert.ok(arrived instanceof AggregateError);
  assert.equal(arrived.message, 'several');
  assert.deepEqual(descriptorOf(arrived, 'errors'), kHidden);
  const [first, text, nothing, again, object] = arrived.errors;
  assert.ok(first instanceof RangeError);
  assert.equal(first.code, 'E_ONE');
  assert.equal(first.stack, shared.stack);
  assert.equal(again, first);
  assert.deepEqual([text, nothing, object], ['text', null, { a: 1 }]);
  assert.equal(arrived.errors.length, 5);
});

test('what cannot be cloned among the errors leaves the others in their places', () => {
  const arrived = cross(
    new AggregateError([new Error('a'), () => {}, new Error('b'), new Proxy({}, {})]),
  );
  assert.equal(arrived.errors.length, 4);
  assert.deepEqual(
    arrived.errors.map((error) => error?.message),
    ['a', undefined, 'b', undefined],
  );
});

test('a DOMException arrives as one, with the code of its name', () => {
  const error = new DOMException('stop', 'AbortError');
  error.extra = 7;
  const arrived = cross(error);
  assert.ok(arrived instanceof DOMException);
  assert.deepEqual(
    [arrived.name, arrived.code, arrived.message, arrived.extra],
    ['AbortError', 20, 'stop', 7],
  );
  assert.equal(arrived.stack, error.stack);
  assert.deepEqual(descriptorOf(arrived, 'stack'), kHidden);
  assert.equal(cross(new DOMException('x', 'OwnName')).name, 'OwnName');
});

test('what only pretends to be a DOMException still arrives as an error', () => {
  const error = Object.create(DOMException.prototype);
  assert.ok(cross(error) instanceof Error);
});

test('a subclass arrives as the nearest built-in class, with its name wherever that is from', () => {
  class Own extends RangeError {
    name = 'OwnName';
  }
  class FromPrototype extends TypeError {
    get name() {
      return 'PrototypeName';
    }
  }
  class Further extends FromPrototype {}
  const own = cross(new Own('x'));
  assert.equal(Object.getPrototypeOf(own), RangeError.prototype);
  assert.equal(own.name, 'OwnName');
  assert.deepEqual(descriptorOf(own, 'name'), kVisible);
  const further = cross(new Further('y'));
  assert.equal(Object.getPrototypeOf(further), TypeError.prototype);
  assert.equal(further.name, 'PrototypeName');
  assert.deepEqual(descriptorOf(further, 'name'), kHidden);
  assert.equal(String(further), 'PrototypeName: y');
});

test("a subclass without a name of its own appears in the first line, above the worker's frames", () => {
  class ParseError extends Error {}
  class Failure extends TypeError {}
  for (const [error, line] of [
    [new ParseError('x'), 'ParseError: x'],
    [new Failure('y'), 'Failure [TypeError]: y'],
    [new Failure(), 'Failure [TypeError]'],
  ]) {
    const arrived = cross(error);
    assert.equal(arrived.name, Object.getPrototypeOf(error.constructor).name);
    assert.equal(arrived.stack, `${line}${error.stack.slice(error.stack.indexOf('\n'))}`);
    // So Node shows it as it shows the worker's.
    assert.ok(inspect(arrived).startsWith(`${line}\n`));
  }
});

test('errors of another realm arrive as errors of this one', () => {
  for (const name of ['Error', 'RangeError', 'AggregateError']) {
    const argument = name === 'AggregateError' ? '[new URIError("in")], ' : '';
    const error = vm.runInNewContext(
      `Object.assign(new ${name}(${argument}"far"), { code: "E_FAR" })`,
    );
    assert.equal(error instanceof Error, false);
    const arrived = cross(error);
    assert.equal(Object.getPrototypeOf(arrived), globalThis[name].prototype);
    assert.deepEqual([arrived.message, arrived.code, arrived.stack], ['far', 'E_FAR', error.stack]);
    if (name === 'AggregateError') assert.ok(arrived.errors[0] instanceof URIError);
  }
  const subclass = vm.runInNewContext(
    'class TypeError2 extends TypeError {}; new TypeError2("sub")',
  );
  assert.equal(Object.getPrototypeOf(cross(subclass)), TypeError.prototype);
  const impostor = vm.runInNewContext(
    '({ make(Base) { class TypeError extends Base {}; return new TypeError() } })',
  );
  assert.equal(Object.getPrototypeOf(cross(impostor.make(RangeError))), RangeError.prototype);
});

test('an object that only inherits from Error arrives as an error', () => {
  function Old(message) {
    this.message = message;
    Error.captureStackTrace(this, Old);
  }
  Old.prototype = Object.create(Error.prototype, { name: { value: 'Old' } });
  const arrived = cross(new Old('style'));
  assert.ok(arrived instanceof Error);
  assert.deepEqual([arrived.name, arrived.message], ['Old', 'style']);
  assert.match(arrived.stack, /errors-whole/);
});

// Properties

test('code arrives wherever it is defined', () => {
  class Coded extends Error {
    get code() {
      return 'E_GETTER';
    }
  }
  assert.equal(cross(new Coded('x')).code, 'E_GETTER');
  assert.deepEqual(descriptorOf(cross(new Coded('x')), 'code'), kHidden);
  const hidden = Object.defineProperty(new Error('x'), 'code', { value: 17 });
  assert.equal(cross(hidden).code, 17);
  const visible = Object.assign(new Error('x'), { code: 'E_OWN' });
  assert.deepEqual(descriptorOf(cross(visible), 'code'), kVisible);
  assert.equal('code' in cross(new Error('x')), false);
});

test("Node's own errors arrive with what Node gives them", () => {
  for (const provoke of [
    () => Buffer.alloc('many'),
    () => require('node:fs').readFileSync('/does/not/exist'),
  ]) {
    let error;
    try {
      provoke();
    } catch (thrown) {
      error = thrown;
    }
    const arrived = cross(error);
    assert.deepEqual({ ...arrived }, { ...error });
    assert.ok(arrived.code.length > 0);
    assert.deepEqual([arrived.name, arrived.message], [error.name, error.message]);
    assert.equal(arrived.stack, error.stack);
  }
});

test('own enumerable properties arrive, in their order, and hidden or symbol ones do not', () => {
  const error = new Error('x');
  Object.assign(error, {
    text: 'a',
    number: 1n,
    nothing: undefined,
    date: new Date(0),
    bytes: new Uint8Array([1, 2]),
  });
  error.map = new Map([[1, { two: 2 }]]);
  Object.defineProperty(error, 'hidden', { value: 1 });
  error[Symbol('secret')] = 1;
  const arrived = cross(error);
  assert.deepEqual(Object.keys(arrived), ['text', 'number', 'nothing', 'date', 'bytes', 'map']);
  assert.deepEqual({ ...arrived }, { ...Object.fromEntries(Object.entries(error)) });
  assert.equal('hidden' in arrived, false);
});

test('each property that cannot be read or cloned is left out, and no other', () => {
  const error = Object.assign(new Error('x'), {
    before: { a: 1 },
    method() {},
    symbol: Symbol('s'),
    proxy: new Proxy({}, {}),
    promise: Promise.resolve(),
    deep: { list: [{ call() {} }] },
    weak: new WeakMap(),
    throwing: {
      get inside() {
        throw new Error('inside');
      },
    },
    after: [2],
  });
  Object.defineProperty(error, 'getter', {
    enumerable: true,
    get() {
      throw new Error('getter');
    },
  });
  error.withErrors = { reason: new Error('y'), call() {} };
  error.reason = new Error('z');
  const arrived = cross(error);
  assert.deepEqual(Object.keys(arrived), ['before', 'after', 'reason']);
  assert.deepEqual([arrived.before, arrived.after], [{ a: 1 }, [2]]);
  assert.equal(arrived.reason.message, 'z');
});

test('a getter arrives as the value that it had, and is not called again', () => {
  let calls = 0;
  const error = Object.defineProperty(new Error('x'), 'count', {
    enumerable: true,
    get: () => ++calls,
  });
  const inner = {
    get count() {
      return ++calls;
    },
  };
  error.inner = inner;
  const record = encodeThrown(error);
  const until = calls;
  const arrived = fromWire(kThrewError, structuredClone(record));
  assert.equal(calls, until);
  assert.equal(arrived.count, 1);
  assert.equal(typeof arrived.inner.count, 'number');
});

test('a getter that fails only sometimes does not make the record uncloneable', () => {
  for (let good = 0; good < 6; good++) {
    let calls = 0;
    const moody = {
      get it() {
        if (calls++ >= good) throw new Error('no more');
        return 1;
      },
    };
    const arrived = cross(
      Object.assign(new Error('x'), { moody, other: 1, reason: new Error('y') }),
    );
    assert.equal(arrived.other, 1);
    assert.equal(arrived.reason.message, 'y');
  }
});

test('errors in properties arrive whole, also inside of arrays and objects, and stay the same ones', () => {
  const inner = Object.assign(new TypeError('inner'), { code: 'E_INNER' });
  const error = new Error('outer');
  Object.assign(error, { inner, list: [1, inner], deep: { a: [{ inner }], b: 2 }, self: [error] });
  const arrived = cross(error);
  assert.ok(arrived.inner instanceof TypeError);
  assert.equal(arrived.inner.code, 'E_INNER');
  assert.equal(arrived.inner.stack, inner.stack);
  assert.equal(arrived.list[0], 1);
  assert.equal(arrived.list[1], arrived.inner);
  assert.equal(arrived.deep.a[0].inner, arrived.inner);
  assert.equal(arrived.deep.b, 2);
  assert.equal(arrived.self[0], arrived);
  // The worker's own are untouched.
  assert.equal(error.list[1], inner);
});

test('an error that holds nothing but itself in an array keeps the cycle', () => {
  const error = new Error('alone');
  error.list = [error];
  const arrived = cross(error);
  assert.equal(arrived.list[0], arrived);
});

test('objects that form a cycle with errors in it arrive so', () => {
  const ring = { reason: new Error('x') };
  ring.ring = ring;
  const arrived = cross(Object.assign(new Error('y'), { ring, again: ring }));
  assert.equal(arrived.ring.ring, arrived.ring);
  assert.equal(arrived.again, arrived.ring);
  assert.ok(arrived.ring.reason instanceof Error);
});

test('property names are only names: no prototype changes', () => {
  const error = new TypeError('x');
  const evil = JSON.parse(
    '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}',
  );
  for (const key of Object.keys(evil)) {
    Object.defineProperty(error, key, {
      value: evil[key],
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  const nested = JSON.parse('{"__proto__": {"polluted": 1}}');
  nested.reason = new Error('y');
  error.nested = nested;
  const arrived = cross(error);
  assert.equal(Object.getPrototypeOf(arrived), TypeError.prototype);
  assert.equal(Object.getPrototypeOf(arrived.nested), Object.prototype);
  assert.equal(arrived.polluted, undefined);
  assert.equal({}.polluted, undefined);
  assert.deepEqual(Object.getOwnPropertyDescriptor(arrived, '__proto__').value, { polluted: 1 });
  assert.deepEqual(Object.getOwnPropertyDescriptor(arrived.nested, '__proto__').value, {
    polluted: 1,
  });
});

// Causes

test('a cause of any kind arrives, hidden as the constructor makes it', () => {
  for (const cause of ['text', undefined, null, { a: 1 }, 7n]) {
    const arrived = cross(new Error('x', { cause }));
    assert.deepEqual(arrived.cause, cause);
    assert.deepEqual(descriptorOf(arrived, 'cause'), kHidden);
  }
  assert.equal('cause' in cross(new Error('x')), false);
  assert.equal('cause' in cross(new Error('x', { cause: () => {} })), false);
  const abort = cross(new Error('x', { cause: new DOMException('stop', 'AbortError') }));
  assert.equal(abort.cause.name, 'AbortError');
  assert.ok(abort.cause instanceof DOMException);
});

test('cycles of causes survive', () => {
  const self = new Error('self');
  self.cause = self;
  const arrived = cross(self);
  assert.equal(arrived.cause, arrived);
  const a = new Error('a');
  const b = new RangeError('b', { cause: a });
  a.cause = b;
  const first = cross(a);
  assert.equal(first.cause.message, 'b');
  assert.ok(first.cause instanceof RangeError);
  assert.equal(first.cause.cause, first);
});

test('of very many errors the first arrive, and the list ends there', () => {
  const error = new AggregateError(
    Array.from({ length: 20_000 }, (_, i) => new Error(String(i))),
    'many',
  );
  const arrived = cross(error);
  assert.equal(arrived.errors.length, 999);
  assert.equal(arrived.errors.at(-1).message, '998');
  const sparse = new AggregateError([], 'sparse');
  sparse.errors[4e9] = new Error('far');
  assert.equal(cross(sparse).errors[4e9].message, 'far');
});

test('a deeply nested property is cloned or left out', () => {
  let deep = {};
  for (let i = 0; i < 200_000; i++) deep = { deep };
  assert.equal(cross(Object.assign(new Error('x'), { deep, other: 1 })).other, 1);
});

// What is hostile, and what is no error

test('encoding never throws, and its result can be cloned', () => {
  const throwing = () => {
    throw new Error('trap');
  };
  const traps = Object.fromEntries(
    Object.getOwnPropertyNames(Reflect).map((name) => [name, throwing]),
  );
  const revoked = Proxy.revocable(new Error('x'), {});
  revoked.revoke();
  const noPrototype = new Error('bare');
  Object.setPrototypeOf(noPrototype, null);
  const endless = new Proxy(new Error('endless'), {
    get: (target, key) => (key === 'cause' ? endlessly() : target[key]),
  });
  const endlessly = () => new Proxy(endless, {});
  const everything = new Error('x');
  for (const key of ['stack', 'name', 'message', 'code', 'cause', 'errors']) {
    Object.defineProperty(everything, key, { get: throwing, enumerable: true });
  }
  const odd = Object.assign(new Error('x'), {
    name: 5,
    message: { a: 1 },
    stack: [() => {}],
    code: Symbol('c'),
  });
  const values = [noPrototype, endless, everything, odd, Object.freeze(new Error('frozen'))];
  for (const value of [...values, new Error('x', { cause: new Proxy(new Error('y'), traps) })]) {
    const arrived = cross(value);
    assert.ok(arrived instanceof Error);
    assert.equal(typeof arrived.stack, 'string');
    assert.deepEqual(descriptorOf(arrived, 'stack'), kHidden);
  }
  assert.equal(encodeThrown(revoked.proxy), revoked.proxy);
  assert.doesNotThrow(() => encodeThrown(new Proxy(new Error('x'), traps)));
});

test('an error without a stack gets its first line', () => {
  const error = new RangeError('x');
  delete error.stack;
  assert.equal(cross(error).stack, 'RangeError: x');
  const limit = Error.stackTraceLimit;
  assert.equal(typeof limit, 'number');
  cross(new Error('y'));
  assert.equal(Error.stackTraceLimit, limit);
});

test('anything that is no error is left as it is', () => {
  for (const value of ['text', 0, null, undefined, { stack: 'x', message: 'y' }, [new Date(0)]]) {
    const [code, posted] = toWire(value);
    assert.notEqual(code, kThrewError);
    assert.equal(posted, value);
    assert.equal(fromWire(code, posted), value);
  }
});
