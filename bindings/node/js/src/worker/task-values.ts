// Values that go with a task, beside its payload: what `run()` was given as `context`.
//
// While the handler runs, and in whatever asynchronous code it starts, `contextValues()` gives them
// back, by an AsyncLocalStorage. That is kept at a registered symbol of the global object: a
// worker's own copy of the package, and the user's, may be different ones. It is made when the
// first task with values comes, so that a worker without any pays nothing.

import { AsyncLocalStorage } from 'node:async_hooks';
import { ObjectDefineProperty } from '../base/intrinsics.js';

/** The `context` of a call. */
export type ContextValues = Readonly<Record<string, unknown>>;

const kStorage = Symbol.for('cenote.contextValues');

type Storage = AsyncLocalStorage<ContextValues>;
type Globals = { readonly [kStorage]?: Storage };

function makeStorage(): Storage {
  const storage: Storage = new AsyncLocalStorage();
  ObjectDefineProperty(globalThis, kStorage, {
    __proto__: null,
    value: storage,
    enumerable: false,
    configurable: true,
  } as PropertyDescriptor);
  return storage;
}

/**
 * The values that the caller gave as `context` to the `run()` whose handler this code belongs to.
 * `undefined` where there is no such call, or it gave none.
 *
 * ```js
 * const { contextValues } = require('cenote');
 * module.exports = (order) => log(`order ${order}`, contextValues()?.traceId);
 * ```
 */
export function contextValues(): ContextValues | undefined {
  return (globalThis as Globals)[kStorage]?.getStore();
}

/** Has code, and what it starts, see the values of a call. */
export function callWithValues<T>(values: ContextValues | undefined, call: () => T): T {
  if (values === undefined) return call();
  return ((globalThis as Globals)[kStorage] ?? makeStorage()).run(values, call);
}
