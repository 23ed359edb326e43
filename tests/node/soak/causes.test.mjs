// A chain of causes arrives whole, or as far as the limit.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const require = createRequire(import.meta.url);
const { fromWire, toWire } = require('../../../dist/wire/errors/decoder.js');

/** What a thrown value is on the other side. */
function cross(error) {
  const [code, value] = structuredClone(toWire(error));
  return fromWire(code, value);
}

test('a chain of 500 causes arrives; one of 100000 arrives as far as the limit', () => {
  const chain = (length) => {
    let error = new Error('last');
    for (let i = 1; i < length; i++) error = new Error(String(length - i), { cause: error });
    return error;
  };
  const depth = (error) => {
    let count = 1;
    while (error.cause !== undefined) {
      error = error.cause;
      count++;
    }
    return [count, error.message];
  };
  assert.deepEqual(depth(cross(chain(500))), [500, 'last']);
  assert.deepEqual(depth(cross(chain(100_000))), [1000, '1000']);
});
