// Bars are judged from the medians, in the right direction, against the right opponent.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bars, judge } from '../lib/bars.mjs';
import { scenarios } from '../scenarios/index.mjs';
import { pools } from '../pools.mjs';

const peers = ['piscina', 'poolifier'];
const figures = (metric, values) =>
  Object.fromEntries(
    Object.entries(values).map(([pool, value]) => [
      pool,
      { [metric]: { median: value, min: value, max: value } },
    ]),
  );

test('a rate is held against the fastest peer, a latency against the quickest', () => {
  const rate = { s: figures('x', { cenote: 100, piscina: 10, poolifier: 25 }) };
  const best = judge({ scenario: 's', metric: 'x', atLeast: 5, times: 'best peer' }, rate, peers);
  assert.deepEqual([best.against, best.figure, best.met], ['poolifier', 4, false]);
  const latency = { s: figures('x', { cenote: 5, piscina: 20, poolifier: 25 }) };
  const quickest = judge(
    { scenario: 's', metric: 'x', atMost: 0.25, times: 'best peer' },
    latency,
    peers,
  );
  assert.deepEqual([quickest.against, quickest.figure, quickest.met], ['piscina', 0.25, true]);
});

test('another form of cenote is no peer', () => {
  const rate = { s: figures('x', { cenote: 100, 'cenote-spin0': 90, piscina: 10 }) };
  assert.equal(
    judge({ scenario: 's', metric: 'x', atLeast: 5, times: 'best peer' }, rate, peers).against,
    'piscina',
  );
});

test('a missed bar says by how much of the limit', () => {
  const rate = { s: figures('x', { cenote: 90, piscina: 10 }) };
  const low = judge({ scenario: 's', metric: 'x', atLeast: 12, times: 'piscina' }, rate, peers);
  assert.deepEqual([low.met, low.missedBy], [false, 0.25]);
  const high = judge({ scenario: 's', metric: 'x', atMost: 60 }, rate, peers);
  assert.deepEqual([high.met, high.missedBy], [false, 0.5]);
});

test('a timer that never fired misses its bar', () => {
  const never = { s: figures('x', { cenote: Infinity }) };
  assert.equal(judge({ scenario: 's', metric: 'x', atMost: 25 }, never, peers).met, false);
});

test('without the figures of either side there is no verdict', () => {
  const bar = { scenario: 's', metric: 'x', atLeast: 12, times: 'piscina' };
  assert.deepEqual(judge(bar, { s: figures('x', { cenote: 1 }) }, peers), { measured: false });
  assert.deepEqual(judge(bar, { s: figures('x', { piscina: 1 }) }, peers), { measured: false });
  assert.deepEqual(judge(bar, {}, peers), { measured: false });
});

test('every bar names a figure, a pool and an opponent that exist', () => {
  const names = pools.map(({ name }) => name);
  for (const bar of bars) {
    const scenario = scenarios.find(({ name }) => name === bar.scenario);
    assert.ok(scenario?.metrics[bar.metric], `${bar.scenario} ${bar.metric}`);
    if (bar.worst) assert.ok(scenario.metrics[bar.worst], bar.worst);
    if (bar.pool) assert.ok(names.includes(bar.pool), bar.pool);
    if (bar.times && bar.times !== 'best peer') assert.ok(names.includes(bar.times), bar.times);
  }
});
