// Which cells a run has, and in which order: no pool gains from its place.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matrixJobs } from '../lib/matrix.mjs';

const named = (...names) => names.map((name) => ({ name }));
const order = (options) =>
  matrixJobs(options).map(({ round, scenario, pool }) => `${round} ${scenario} ${pool}`);

test('all pools run a scenario before the next, and each round turns them round', () => {
  const pools = named('a', 'b', 'c');
  assert.deepEqual(order({ rounds: 3, scenarios: named('s', 't'), pools }), [
    ...['1 s a', '1 s b', '1 s c', '1 t a', '1 t b', '1 t c'],
    ...['2 s c', '2 s b', '2 s a', '2 t c', '2 t b', '2 t a'],
    ...['3 s b', '3 s c', '3 s a', '3 t b', '3 t c', '3 t a'],
  ]);
});

test('over two rounds all pools have the same mean place', () => {
  const pools = named('a', 'b', 'c', 'd', 'e');
  for (const first of [1, 3]) {
    const jobs = matrixJobs({ rounds: 4, scenarios: named('s'), pools });
    const places = pools.map(({ name }) =>
      [first, first + 1]
        .map((round) =>
          jobs.filter((job) => job.round === round).findIndex(({ pool }) => pool === name),
        )
        .reduce((sum, place) => sum + place),
    );
    assert.deepEqual(places, [4, 4, 4, 4, 4], `rounds ${first} and ${first + 1}`);
  }
});

test('a pool runs only where it is of use, and not where it cannot', () => {
  const pools = [{ name: 'a' }, { name: 'b', only: ['t'] }, { name: 'c', cannot: ['t'] }];
  assert.deepEqual(order({ rounds: 1, scenarios: named('s', 't'), pools }), [
    ...['1 s a', '1 s c', '1 t a', '1 t b'],
  ]);
});

test('only the peer that lies in a folder is told of it', () => {
  const pools = [{ name: 'a' }, { name: 'b', given: 'b' }];
  const jobs = matrixJobs({ rounds: 1, scenarios: named('s'), pools, folders: { b: '/b' } });
  assert.deepEqual(
    jobs.map(({ folder }) => folder),
    [undefined, '/b'],
  );
});
