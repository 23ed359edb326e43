// What is shown: aligned tables, honest gaps, and a results file that can be read back.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { parseOptions, UsageError } from '../lib/options.mjs';
import { markdownReport, textReport } from '../lib/report.mjs';
import { readResults, writeResults } from '../lib/results.mjs';
import { formatNumber, renderMarkdown, renderText } from '../lib/table.mjs';
import { pools } from '../pools.mjs';
import { scenarios } from '../scenarios/index.mjs';

const figure = (value) => ({ median: value, min: value, max: value });
const cell = (pool, outcome, more) => ({
  scenario: 'c64',
  pool,
  round: 1,
  outcome,
  destroyHung: false,
  ...more,
});

const results = {
  machine: {
    cpu: 'a CPU',
    cpus: 2,
    node: 'v20.0.0',
    system: 'Linux',
    load: 0.1,
    date: '2000-01-01',
    tuning: [],
  },
  versions: { piscina: '5.3.2' },
  surroundings: {
    before: { load: 0.1, busy: 1, steal: 0 },
    during: { busy: 80, steal: 2.34 },
    after: { load: 1.5, busy: 1, steal: undefined },
  },
  rounds: 1,
  quick: false,
  pools: ['cenote', 'piscina', 'poolifier', 'workerpool'],
  workers: { cenote: 2, piscina: 2, poolifier: 2, workerpool: 2 },
  skipped: [{ pool: 'tinypool', reason: 'not installed' }],
  medians: {
    c64: {
      cenote: { warmPerSecond: figure(600_000) },
      piscina: { warmPerSecond: { median: 40_000, min: 39_000, max: 45_000 } },
    },
  },
  cells: [
    cell('cenote', 'ok', { seconds: 3.2 }),
    cell('piscina', 'ok', { seconds: 8, destroyHung: true }),
    cell('poolifier', 'hung'),
    cell('workerpool', 'invalid', { message: 'got 1, not 2\n  at a place' }),
  ],
};
const context = {
  peers: ['piscina', 'poolifier', 'workerpool'],
  metricsOf: (scenario) => scenarios.find(({ name }) => name === scenario).metrics,
};

test('numbers are short, never is a word', () => {
  assert.deepEqual([123_456, 99.96, 12.34, 1.234, 16, Infinity].map(formatNumber), [
    '123,456',
    '100',
    '12.3',
    '1.23',
    '16',
    'never',
  ]);
});

test('columns of text are aligned', () => {
  const text = renderText({
    title: 'T',
    head: ['', 'wide head'],
    rows: [
      ['a', '1'],
      ['long', '22'],
    ],
  });
  assert.deepEqual(text.split('\n').slice(2), [
    '      wide head',
    '────  ─────────',
    'a             1',
    'long         22',
  ]);
});

test('a bar in a Markdown cell does not end the cell', () => {
  assert.match(renderMarkdown({ title: '', head: ['h'], rows: [['a|b']] }), /a\\\|b/);
});

test('the report names what was skipped, hung or wrong, and judges only what ran', () => {
  const text = textReport(results, context);
  assert.match(text, /^cenote +600$/m);
  assert.match(text, /^poolifier +hung$/m);
  assert.match(text, /^workerpool +invalid$/m);
  assert.match(text, /tinypool was skipped: not installed/);
  assert.match(text, /piscina: destroy\(\) did not return in 1 of 1 runs/);
  assert.match(text, /workerpool gave a wrong result in c64, round 1: got 1, not 2$/m);
  assert.match(text, /c64 warm rate .* ≥ 14 × piscina .* 15 × \(600,000 : 40,000 tasks\/s\) +met/);
  assert.doesNotMatch(text, /burst/);
  assert.match(text, /a CPU · 2 CPUs · Node v20.0.0/);
});

test('a machine that was busy before the run is pointed out', () => {
  const busy = { ...results, machine: { ...results.machine, load: 3.21 } };
  assert.match(textReport(busy, context), /busy before the run \(load average 3\.2\)/);
  assert.doesNotMatch(textReport(results, context), /The machine was busy/);
});

test('the report says what else the machine did, and where the time went', () => {
  const text = textReport(results, context);
  assert.match(text, /^before: load average 0\.10, CPUs busy 1\.0 %, steal 0\.0 %$/m);
  assert.match(text, /^during: steal 2\.3 %$/m);
  assert.match(text, /^after: {2}load average 1\.50, CPUs busy 1\.0 %, steal unknown$/m);
  assert.match(text, /^A round took 11 s: cenote 3, piscina 8, poolifier 0, workerpool 0\.$/m);
  assert.match(
    markdownReport(results, context),
    /Load average 0\.10 before the run, 1\.50 after it; steal 2\.3 % during it\./,
  );
});

test('a pool with one worker is named', () => {
  assert.match(textReport(results, context), /^2 workers\. One round/m);
  const workers = { ...results.workers, piscina: 1 };
  assert.match(textReport({ ...results, workers }, context), /^2 workers; 1 in piscina\. /m);
});

test('a pool has no row in a table of scenarios in which it takes no part', () => {
  const pools = [...results.pools, 'cenote-1'];
  assert.doesNotMatch(textReport({ ...results, pools }, context), /^cenote-1 /m);
});

test('how far the rounds are apart is shown, in brackets or as a share', () => {
  const two = { ...results, rounds: 2 };
  assert.match(textReport(two, context), /^piscina +40 \(39–45\)$/m);
  const markdown = markdownReport(two, context);
  assert.match(markdown, /^\| `c64` warm, .* \| 600 \| 40 \| hung \| invalid \| 15 % \|$/m);
  assert.match(markdown, /largest less smallest/);
  assert.doesNotMatch(markdownReport(results, context), /spread/);
});

test('the Markdown report has a column per pool', () => {
  assert.match(
    markdownReport(results, context),
    /\| +\| cenote \| piscina \| poolifier \| workerpool \|/,
  );
});

test('results survive the file, infinite ones too', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  try {
    const file = join(folder, 'new', 'results.json');
    writeResults(file, { figures: { timer: Infinity, rate: 1.5 } });
    assert.deepEqual(readResults(file), { figures: { timer: Infinity, rate: 1.5 } });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('options choose scenarios, pools and rounds', () => {
  const options = parseOptions(['--scenario', 'seq,c64', '--pool', 'piscina', '--rounds', '2'], {
    scenarios,
    pools,
  });
  assert.deepEqual(
    options.scenarios.map(({ name }) => name),
    ['seq', 'c64'],
  );
  assert.deepEqual(
    options.pools.map(({ name }) => name),
    ['piscina'],
  );
  assert.equal(options.rounds, 2);
  assert.equal(parseOptions([], { scenarios, pools }).rounds, 2);
  assert.equal(parseOptions(['--quick'], { scenarios, pools }).rounds, 1);
});

test('some scenarios run only if asked for', () => {
  const names = (...args) =>
    parseOptions(args, { scenarios, pools }).scenarios.map(({ name }) => name);
  assert.ok(names().includes('c64-number'));
  assert.ok(!names().includes('late'));
  assert.deepEqual(
    names('--all'),
    scenarios.map(({ name }) => name),
  );
  assert.deepEqual(names('--scenario', 'late'), ['late']);
});

test('a peer without a package takes part where its folder is given', () => {
  const parse = (...args) => parseOptions(args, { scenarios, pools });
  const names = (...args) => parse(...args).pools.map(({ name }) => name);
  assert.ok(!names().includes('knitting'));
  assert.ok(names('--peer', 'knitting=some/where').includes('knitting-1'));
  assert.deepEqual(parse('--peer', 'knitting=some/where').folders, {
    knitting: resolve('some/where'),
  });
  assert.deepEqual(names('--peer', 'knitting=.', '--pool', 'knitting'), ['knitting']);
});

test('a pool that is named runs in every scenario', () => {
  const only = (...args) =>
    parseOptions(args, { scenarios, pools }).pools.find(({ name }) => name === 'cenote-1').only;
  assert.ok(only().includes('load50'));
  assert.equal(only('--pool', 'cenote-1'), undefined);
});

test('a command line that cannot be followed is refused', () => {
  for (const args of [
    ['--scenario', 'nope'],
    ['--pool', ''],
    ['--rounds', '0'],
    ['--rounds', '1.5'],
    ['--pool', 'knitting'],
    ['--peer', 'knitting'],
    ['--peer', 'piscina=.'],
    ['--what'],
  ]) {
    assert.throws(() => parseOptions(args, { scenarios, pools }), UsageError, args.join(' '));
  }
});
