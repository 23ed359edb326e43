// Bars are judged from the medians, in the right direction, against the right opponent.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bars, barsTable, four, judge } from '../lib/bars.mjs';
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

test('the best of the four is none of the others, however fast', () => {
  const bar = { scenario: 's', metric: 'x', atLeast: 5, times: 'best of the four' };
  const rate = { s: figures('x', { cenote: 100, worker: 90, poolifier: 25, tinypool: 50 }) };
  const { against, figure } = judge(bar, rate, [...peers, 'worker', 'tinypool']);
  assert.deepEqual([against, figure], ['tinypool', 2]);
  assert.deepEqual(judge(bar, { s: figures('x', { cenote: 1, worker: 1 }) }, ['worker']), {
    measured: false,
  });
});

test('a form of cenote is held against another where the bar says so', () => {
  const rate = { s: figures('x', { cenote: 100, 'cenote-piscina': 65, piscina: 10 }) };
  const bar = {
    ...{ scenario: 's', metric: 'x', pool: 'cenote-piscina' },
    ...{ atLeast: 0.7, times: 'cenote' },
  };
  const { against, figure, met } = judge(bar, rate, peers);
  assert.deepEqual([against, figure, met], ['cenote', 0.65, false]);
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
  // Nor with figures of a file that does not have this one.
  const other = { s: figures('y', { cenote: 1, piscina: 1 }) };
  assert.deepEqual(judge(bar, other, peers), { measured: false });
});

test('bars on pools that took no part are counted, those on pools that hung are shown', () => {
  const table = (pools) =>
    barsTable(
      { medians: {}, pools, cells: [{ scenario: 'c64-number' }] },
      { peers, metricsOf: (name) => scenarios.find((one) => one.name === name).metrics },
    );
  const alone = table(['cenote']);
  assert.deepEqual([alone.rows.length, alone.leftOut], [1, 2]);
  const beside = table(['cenote', 'knitting']);
  assert.deepEqual(
    beside.rows.map((row) => [row[2], row[4]]),
    [
      ['≥ 800,000 tasks/s', 'not measured'],
      ['≥ 1 × knitting', 'not measured'],
    ],
  );
});

test('every bar names a figure, a pool and an opponent that exist', () => {
  const names = pools.map(({ name }) => name);
  for (const bar of bars) {
    const scenario = scenarios.find(({ name }) => name === bar.scenario);
    assert.ok(scenario?.metrics[bar.metric], `${bar.scenario} ${bar.metric}`);
    if (bar.worst) assert.ok(scenario.metrics[bar.worst], bar.worst);
    if (bar.pool) assert.ok(names.includes(bar.pool), bar.pool);
    if (bar.times && !bar.times.startsWith('best '))
      assert.ok(names.includes(bar.times), bar.times);
  }
  for (const name of four) assert.equal(pools.find((pool) => pool.name === name)?.peer, true, name);
});
