// The layout of the loop words: JavaScript's side against that of the addon, name for name.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { watched } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const dist = dirname(require.resolve('cenote'));
const { layout } = require(join(dist, 'native', 'binding.js'));
const words = require(join(dist, 'wait', 'words.js'));
const { readStages } = require(join(dist, 'wait', 'loop.js'));

test('every number of the loop words is the same on both sides', watched, () => {
  const { kStageNames, ...numbers } = words;
  assert.deepEqual(numbers, layout().numbers);
  assert.ok(Object.keys(numbers).length > 10, 'the two sides share more than ten numbers');
});

test('the stage counters have the same order on both sides', watched, () => {
  assert.deepEqual([...words.kStageNames], layout().stages);
});

test('each stage counter is read from the place of its name', watched, () => {
  const { kLoopWords, kStages, kStageNames } = words;
  const memory = new Int32Array(new SharedArrayBuffer(4 * kLoopWords));
  const values = new Float64Array(memory.buffer);
  kStageNames.forEach((_, index) => (values[kStages + index] = 100 + index));
  const expected = kStageNames.map((name, index) => [name, 100 + index]);
  assert.deepEqual(Object.entries(readStages(memory)), expected);
});
