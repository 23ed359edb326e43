// Scenarios refuse an answer that is not the task's, and tell their parts apart.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidResult } from '../lib/check.mjs';
import { monotonicMs } from '../lib/clock.mjs';
import { coldAndWarm } from '../lib/cold-warm.mjs';
import { kinds } from '../lib/values.mjs';
import { scenarios } from '../scenarios/index.mjs';

const loadOf = (name) => kinds.find((kind) => kind.name === name).load(2);

test('a value that comes back as it was sent is right', () => {
  for (const { name, load } of kinds) {
    const { make, verify } = load(2);
    for (const [slot, id] of [0, 1, 1, 0].entries()) {
      verify(structuredClone(make(slot % 2, id)), slot % 2, id);
    }
    assert.throws(() => verify(structuredClone(make(0, 7)), 0, 8), InvalidResult, name);
  }
});

test('a large value is looked at where it ends', () => {
  const bytes = loadOf('1k');
  const cut = structuredClone(bytes.make(0, 7)).fill(0, 1020);
  assert.throws(() => bytes.verify(cut, 0, 7), InvalidResult);
  const nested = loadOf('10k');
  const torn = structuredClone(nested.make(0, 7));
  torn.items.at(-1).stock[1].count = 6;
  assert.throws(() => nested.verify(torn, 0, 7), InvalidResult);
});

test('values are as large as their names say', () => {
  const size = (name) => JSON.stringify(loadOf(name).make(0, 123_456)).length;
  assert.ok(Math.abs(size('10k') - 10_240) < 512, `${size('10k')} bytes`);
  assert.equal(loadOf('1k').make(0, 1).byteLength, 1024);
  assert.equal(Object.keys(loadOf('flat').make(0, 1)).length, 10);
});

test('cold comes first, and only what counts is measured', async () => {
  const seen = [];
  let inPart = 'none';
  const figures = await coldAndWarm({
    scale: 1,
    async measured(body, part) {
      inPart = part;
      const result = await body();
      inPart = 'none';
      return result;
    },
    async work(ms) {
      assert.ok(ms > 0);
      return seen.push(inPart);
    },
  });
  assert.deepEqual(seen, ['none', 'cold', 'none', 'warm']);
  assert.deepEqual(figures, { coldPerSecond: 2, warmPerSecond: 4 });
});

test('a result that was there before its task ended is no result', async () => {
  const late = scenarios.find(({ name }) => name === 'late');
  const measure = (aheadMs) =>
    late.run({
      run: async ({ id }) => ({ id, endedMs: monotonicMs() + aheadMs }),
      round: 1,
      scale: 0.001,
    });
  assert.deepEqual(Object.keys(await measure(0)), Object.keys(late.metrics));
  await assert.rejects(measure(1e6), InvalidResult);
});
