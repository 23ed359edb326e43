// `Promise.all` without code of the user's: it calls no iterator and no `then`.

import { append, PromiseThen, SafePromise } from './intrinsics.js';

/** `Promise.all` of promises of the runtime's own. */
export function allOf(promises: readonly Promise<unknown>[]): Promise<unknown[]> {
  return new SafePromise((resolve, reject) => {
    const values: unknown[] = [];
    let left = promises.length;
    if (left === 0) resolve(values);
    for (let i = 0; i < promises.length; i++) {
      append(values, undefined);
      const fulfilled = (value: unknown): void => {
        values[i] = value;
        if (--left === 0) resolve(values);
      };
      void PromiseThen(promises[i]!, fulfilled, reject);
    }
  });
}
