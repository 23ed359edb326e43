// What a run of Piscina's tests counts as: that every way in which one can be missing, fail, or
// deviate is noticed.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { conformanceCounts } from './counts.mjs';
import { readDeviations } from './expected.mjs';
import { judge as judgeOn } from './judge.mjs';

const linux = { platform: 'linux', node: 20, cpus: 2 };
const judge = (given) =>
  judgeOn({ listed: [], results: [], deviations: [], machine: linux, ...given });
const ended = (status, ...name) => ({ name, status, inner: false });
const failedInside = (...name) => ({ name, status: 'fail', inner: true });
const clean = { passed: 0, skipped: 0, deviating: 0, failures: [] };

describe('a test that passes with Piscina', () => {
  const listed = [{ name: 'a' }];

  it('counts when it passes', () => {
    assert.deepEqual(judge({ listed, results: [ended('pass', 'a')] }), { ...clean, passed: 1 });
  });

  it('fails the suite when it fails, is skipped, or never ends', () => {
    for (const results of [[ended('fail', 'a')], [ended('skip', 'a')], []]) {
      assert.equal(judge({ listed, results }).failures.length, 1, JSON.stringify(results));
    }
  });

  it('has to pass as often as it is there', () => {
    const twice = [{ name: 'a' }, { name: 'a' }];
    assert.equal(judge({ listed: twice, results: [ended('pass', 'a')] }).failures.length, 1);
    assert.equal(
      judge({ listed: twice, results: [ended('pass', 'a'), ended('fail', 'a')] }).failures.length,
      1,
    );
    assert.deepEqual(
      judge({ listed: twice, results: [ended('pass', 'a'), ended('pass', 'a')] }).failures,
      [],
    );
  });

  it('is not replaced by one of another name', () => {
    assert.equal(judge({ listed, results: [ended('pass', 'b')] }).failures.length, 1);
  });
});

describe('a test that runs only in some places', () => {
  const elsewhere = [{ platform: 'win32' }, { platform: 'not linux' }, { node: 24 }, { cpus: 1 }];
  const here = [{ platform: 'linux' }, { platform: 'not win32' }, { node: 20 }, { cpus: 2 }];

  it('may be skipped in the others, with what is inside', () => {
    for (const only of elsewhere) {
      const listed = [
        { name: 'a', only },
        { name: 'a > b', only },
      ];
      assert.deepEqual(judge({ listed, results: [ended('skip', 'a')] }), { ...clean, skipped: 1 });
    }
  });

  it('must pass in those', () => {
    for (const only of here) {
      const listed = [{ name: 'a', only }];
      assert.equal(judge({ listed, results: [ended('skip', 'a')] }).failures.length, 1);
      assert.deepEqual(judge({ listed, results: [ended('pass', 'a')] }), { ...clean, passed: 1 });
    }
  });
});

describe('a file', () => {
  it('fails the suite by itself, even when all its tests passed', () => {
    const verdict = judge({
      listed: [{ name: 'a' }],
      results: [ended('pass', 'a')],
      fault: 'hung',
    });
    assert.deepEqual(verdict, { ...clean, passed: 1, failures: ['hung'] });
  });

  it('fails the suite by a failed test that is not in the list', () => {
    assert.equal(judge({ results: [ended('fail', 'a')] }).failures.length, 1);
  });
});

describe('a test that is meant to deviate', () => {
  const listed = [{ name: 'a > b' }, { name: 'a > c' }, { name: 'a' }];
  const deviations = [{ name: 'a > b', always: true }];

  it('does not fail the suite when it fails, and neither does the test around it', () => {
    const results = [ended('fail', 'a', 'b'), ended('pass', 'a', 'c'), failedInside('a')];
    assert.deepEqual(judge({ listed, results, deviations }), { ...clean, passed: 1, deviating: 2 });
  });

  it('excuses nothing else inside the test around it, nor what that test does itself', () => {
    const alsoInside = [ended('fail', 'a', 'b'), ended('fail', 'a', 'c'), failedInside('a')];
    assert.equal(judge({ listed, results: alsoInside, deviations }).failures.length, 2);
    const itself = [ended('fail', 'a', 'b'), ended('pass', 'a', 'c'), ended('fail', 'a')];
    assert.equal(judge({ listed, results: itself, deviations }).failures.length, 1);
  });

  it('fails the suite when it passes', () => {
    const results = [ended('pass', 'a', 'b'), ended('pass', 'a', 'c'), ended('pass', 'a')];
    assert.match(
      judge({ listed, results, deviations }).failures.join(),
      /passes, though .*: a > b$/,
    );
  });

  it('may pass where the table says so', () => {
    const results = [ended('pass', 'a', 'b'), ended('pass', 'a', 'c'), ended('pass', 'a')];
    assert.deepEqual(judge({ listed, results, deviations: [{ name: 'a > b', always: false }] }), {
      ...clean,
      passed: 3,
    });
  });

  it('has to be one of the tests', () => {
    assert.match(
      judge({ deviations: [{ name: 'z', always: true }] }).failures.join(),
      /no such test: z$/,
    );
  });

  it('is named in the first column of the table', () => {
    const head = 'Text.\n\n| test | when | defect | instead |\n|---|---|---|---|\n';
    assert.deepEqual(readDeviations(head), []);
    const rows =
      '| `pool.test.ts: a > b` | always | x | y |\n| pool-close.test.ts: c \\| d | sometimes | x | y |\n';
    assert.deepEqual(readDeviations(head + rows), [
      { test: 'pool.test.ts: a > b', always: true },
      { test: 'pool-close.test.ts: c | d', always: false },
    ]);
    assert.throws(
      () => readDeviations(`${head}| a test of no file | always | x | y |\n`),
      /names no test/,
    );
    assert.throws(
      () => readDeviations(`${head}| a.test.ts: b | now and then | x | y |\n`),
      /does not say when/,
    );
  });
});

describe('the closing line', () => {
  it('gives the counts, a deviation among the skipped', () => {
    const line =
      'the tests of Piscina 5.3.2, with cenote: 151 passed, 1 failed, 3 skipped, 1 deviating';
    assert.deepEqual(conformanceCounts(`  pool  1 passed, 0 failed\n${line}\n`), {
      passed: 151,
      failed: 1,
      skipped: 4,
    });
  });

  it('is missing when the run did not get to its end', () => {
    assert.equal(conformanceCounts('  pool  1 passed, 0 failed\n'), undefined);
  });
});
