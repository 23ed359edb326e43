// The arithmetic behind every figure.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, percentile, poissonTimes, randomSource, summary } from '../lib/stats.mjs';
import { summarise } from '../lib/summarise.mjs';

/** By definition: the smallest sample that at least p % of the samples do not exceed. */
function naivePercentile(samples, p) {
  const enough = (value) =>
    samples.filter((one) => one <= value).length >= (p / 100) * samples.length;
  return Math.min(...samples.filter(enough));
}

test('percentile agrees with its definition', () => {
  const random = randomSource(7);
  for (let size = 1; size < 60; size++) {
    const samples = Array.from({ length: size }, () => Math.floor(random() * 20));
    for (const p of [0, 1, 50, 90, 99, 100]) {
      assert.equal(percentile(samples, p), naivePercentile(samples, p), `p${p} of ${samples}`);
    }
  }
});

test('percentile and median refuse to make a figure of nothing', () => {
  assert.throws(() => percentile([], 50), RangeError);
  assert.throws(() => median([]), RangeError);
});

test('median of an even number of values is the mean of the middle two', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([10, 9, 100]), 10);
});

test('one round of three that never ended leaves a finite median and an infinite maximum', () => {
  assert.deepEqual(summary([20, Infinity, 21]), { median: 21, min: 20, max: Infinity });
  assert.equal(median([20, Infinity, Infinity]), Infinity);
});

test('the same seed gives the same arrivals, at the asked-for rate, in order', () => {
  const times = poissonTimes(4000, 5000, randomSource(3));
  assert.deepEqual(times, poissonTimes(4000, 5000, randomSource(3)));
  assert.notDeepEqual(times, poissonTimes(4000, 5000, randomSource(4)));
  // 20,000 are expected, with a standard deviation of 141.
  assert.ok(Math.abs(times.length - 20_000) < 1000, `${times.length} arrivals`);
  assert.ok(times.every((at, i) => at >= (times[i - 1] ?? 0) && at < 5000));
});

test('gaps between arrivals are exponential, not regular', () => {
  const times = poissonTimes(1000, 20_000, randomSource(5));
  const gaps = times.slice(1).map((at, i) => at - times[i]);
  const mean = gaps.reduce((sum, gap) => sum + gap) / gaps.length;
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
  assert.ok(Math.abs(deviation / mean - 1) < 0.1, `deviation ${deviation}, mean ${mean}`);
});

test('cells that were not measured leave no trace in the medians', () => {
  const cell = (round, outcome, rate) => ({
    scenario: 's',
    pool: 'p',
    round,
    outcome,
    figures: rate && { rate },
  });
  assert.deepEqual(summarise([cell(1, 'ok', 5), cell(2, 'hung'), cell(3, 'ok', 7)]), {
    s: { p: { rate: { median: 6, min: 5, max: 7 } } },
  });
  assert.deepEqual(summarise([cell(1, 'failed')]), {});
});
