// Two builds are run in pairs, each from its own folder, and their ratio says which way it went.
//
// The old build of these tests is a stand-in that runs its handlers on the main thread, so that a
// result tells which build gave it. The new one is this checkout's, which must be built.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { compareCells, comparisonJobs, comparisonTables } from '../lib/comparison.mjs';
import { startMeter } from '../lib/cpu.mjs';
import { parseCompareOptions, UsageError } from '../lib/options.mjs';
import { parseTicks, shares } from '../lib/surroundings.mjs';
import { renderText } from '../lib/table.mjs';
import { pools } from '../pools.mjs';
import { scenarios } from '../scenarios/index.mjs';

const script = fileURLToPath(new URL('../compare.mjs', import.meta.url));
const kGenerous = { timeout: 180_000 };

let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'compare-'));
  const write = (name, text) => writeFileSync(join(folder, name), text);
  write(
    'package.json',
    JSON.stringify({
      name: 'cenote',
      version: '0.0.7',
      exports: { '.': './index.cjs', './piscina': './piscina.cjs' },
    }),
  );
  write(
    'index.cjs',
    `exports.Pool = class {
      constructor({ filename }) { this.handler = require(filename); }
      async run(task) { return this.handler(task); }
      stats() { return { standIn: true }; }
      async destroy() {}
    };`,
  );
  write(
    'piscina.cjs',
    `exports.Piscina = class {
      async run() { return { a: 'from the stand-in' }; }
      async destroy() {}
    };`,
  );
});
after(() => rmSync(folder, { recursive: true }));

/** Runs the program to its end. */
function compare(...args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    );
  });
}

test('both builds run every scenario in turn, each from its own folder', kGenerous, async () => {
  const file = join(folder, 'results.json');
  const { code, stdout, stderr } = await compare(
    ...['--against', folder, '--rounds', '1', '--scale', '0.02', '--pool', 'cenote'],
    ...['--json', file],
  );
  assert.equal(code, 0, stdout + stderr);
  const { cells, rows } = JSON.parse(readFileSync(file, 'utf8'));
  const names = ['seq', 'c64', 'burst', 'users', 'buf64k', 'load50', 'mixed', 'trickle'];
  for (const name of names) {
    const pair = cells.filter(({ scenario }) => scenario === name);
    assert.deepEqual(pair.map(({ build }) => build).sort(), ['new', 'old'], name);
    for (const { build, outcome, details } of pair) {
      assert.equal(outcome, 'ok', `${name} ${build}`);
      assert.equal(details.standIn, build === 'old' ? true : undefined, `${name} ${build}`);
    }
    assert.ok(
      rows.some(({ scenario }) => scenario === name),
      name,
    );
    const cpu = rows.filter(({ scenario, metric }) => scenario === name && metric.endsWith('puNs'));
    const parts = { trickle: 0, c64: 2, burst: 2, users: 2 };
    assert.equal(cpu.length, parts[name] ?? 1, `CPU times in ${name}`);
  }
  assert.match(stdout, /^c64 cold, thousand\/s +[\d.,]+ +[\d.,]+ +[\d.]+$/m);
  assert.match(stdout, /^c64 warm, CPU µs a task +/m);
  assert.ok(stdout.includes('old: 0.0.7, '), stdout);
  assert.match(stdout, /^before: load average [\d.]+, CPUs busy .+, steal .+$/m);
  assert.match(stdout, /^after: {2}load average /m);
});

test('a wrong result of one build is its own, and the exit code says it', kGenerous, async () => {
  const { code, stdout } = await compare(
    ...['--against', folder, '--rounds', '1', '--scale', '0.02'],
    ...['--pool', 'cenote-piscina', '--scenario', 'seq'],
  );
  assert.equal(code, 1);
  assert.match(stdout, /^cenote-piscina \(old\) gave a wrong result in seq, round 1: /m);
  assert.doesNotMatch(stdout, /cenote-piscina \(new\)/);
});

test('a folder without a build is refused before anything runs', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'compare-empty-'));
  try {
    const { code, stdout, stderr } = await compare('--against', empty);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.ok(stderr.startsWith(`${empty}: cenote is not built (npm run build)\n`), stderr);
  } finally {
    rmSync(empty, { recursive: true });
  }
});

test('a pair runs side by side, and its order changes from round to round', () => {
  const jobs = comparisonJobs({
    rounds: 2,
    scenarios: [{ name: 's' }, { name: 't' }],
    pools: [{ name: 'p' }],
    scale: 1,
    against: '/old',
  });
  assert.deepEqual(
    jobs.map(({ scenario, round, build }) => `${round} ${scenario} ${build}`),
    [
      ...['1 s old', '1 s new', '1 t new', '1 t old'],
      ...['2 s new', '2 s old', '2 t old', '2 t new'],
    ],
  );
  for (const { build, checkout } of jobs) {
    assert.equal(checkout, build === 'old' ? '/old' : undefined);
  }
});

/** Cells of one scenario: `figures[build]` has a value for each round, undefined if it hung. */
const cellsOf = (scenario, metric, figures) =>
  Object.entries(figures).flatMap(([build, values]) =>
    values.map((value, i) => ({
      scenario,
      pool: 'cenote',
      round: i + 1,
      build,
      outcome: value === undefined ? 'hung' : 'ok',
      figures: value === undefined ? undefined : { [metric]: value },
    })),
  );

test('the ratio is that of the rounds, which drift together', () => {
  const [row] = compareCells(
    cellsOf('c64', 'coldPerSecond', { old: [100, 200, 400], new: [110, 220, 440] }),
  );
  assert.deepEqual([row.old.median, row.new.median], [200, 220]);
  for (const value of Object.values(row.ratio)) assert.ok(Math.abs(value - 1.1) < 1e-9);
});

test('a round that one build did not survive is left out', () => {
  const [row] = compareCells(
    cellsOf('c64', 'coldPerSecond', { old: [100, undefined, 100], new: [50, 1, 50] }),
  );
  assert.deepEqual([row.rounds, row.ratio.median], [2, 0.5]);
  assert.deepEqual(
    compareCells(cellsOf('c64', 'coldPerSecond', { old: [undefined], new: [1] })),
    [],
  );
});

test('a verdict knows which way is better, and needs every one of enough rounds', () => {
  const verdict = (scenario, metric, values) => {
    const [row] = compareCells(
      cellsOf(scenario, metric, { old: values.map(() => 100), new: values }),
    );
    return row.verdict;
  };
  const more = [110, 111, 112, 113, 114];
  const less = [90, 91, 92, 93, 94];
  assert.equal(verdict('c64', 'warmPerSecond', more), 'better');
  assert.equal(verdict('c64', 'warmPerSecond', less), 'worse');
  assert.equal(verdict('seq', 'p50', more), 'worse');
  assert.equal(verdict('c64', 'warmCpuNs', less), 'better');
  assert.equal(verdict('c64', 'warmPerSecond', [...more, 99]), '');
  assert.equal(verdict('c64', 'warmPerSecond', more.slice(0, 4)), '');
});

test('a table of slow and scattered figures fits 100 columns', () => {
  const cells = (scenario, metric, value) =>
    cellsOf(scenario, metric, { old: [value / 10, value], new: [value, value / 10] });
  const measured = scenarios.filter(({ metrics }) => !metrics.idleTimer);
  const rows = measured.flatMap(({ name, metrics }) => [
    ...Object.keys(metrics).flatMap((metric) =>
      compareCells(cells(name, metric, metric.endsWith('erSecond') ? 9_999_999 : 9_999)),
    ),
    ...['cpuNs', 'coldCpuNs'].flatMap((metric) => compareCells(cells(name, metric, 9_999_999))),
  ]);
  assert.ok(rows.length > 30, `${rows.length} rows`);
  for (const line of comparisonTables(rows).map(renderText).join('\n').split('\n')) {
    assert.ok(line.length <= 100, line);
  }
});

test('CPU time is that of the measured part, for each of its tasks', async () => {
  const meter = startMeter(async (task) => task);
  assert.deepEqual(meter.figures(), {});
  const burn = async (ms, tasks) => {
    const from = process.cpuUsage().user;
    while (process.cpuUsage().user - from < ms * 1000);
    for (let i = 0; i < tasks; i++) assert.equal(await meter.run(i), i);
    return 'result';
  };
  await burn(1, 1000);
  assert.equal(await meter.measured(() => burn(20, 4)), 'result');
  // 5 ms a task; were the 1,000 counted, it would be 20 µs.
  assert.ok(meter.figures().cpuNs >= 5e6, `${meter.figures().cpuNs} ns`);
  await meter.measured(() => burn(10, 1), 'warm');
  const { cpuNs, warmCpuNs, ...rest } = meter.figures();
  assert.ok(cpuNs >= 5e6 && warmCpuNs >= 10e6, `${cpuNs} ns, ${warmCpuNs} ns`);
  assert.deepEqual(rest, {});
});

test('shares are those between two readings, and unknown where there is none', () => {
  const from = parseTicks('cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n');
  const to = parseTicks('cpu  120 0 60 850 50 0 0 20 0 0\n');
  assert.deepEqual(shares(from, to), { busy: 30, steal: 20 });
  assert.deepEqual(shares(from, from), { busy: undefined, steal: undefined });
  assert.deepEqual(shares(undefined, undefined), { busy: undefined, steal: undefined });
  assert.equal(parseTicks('what another system says'), undefined);
});

test('options choose among the builds that can be replaced', () => {
  const parse = (...args) => parseCompareOptions(args, { scenarios, pools });
  const { pools: chosen, rounds, scale } = parse('--against', '.');
  assert.deepEqual(
    [chosen.map(({ name }) => name), rounds, scale],
    [['cenote', 'cenote-piscina'], 5, 1],
  );
  assert.deepEqual(
    parse('--against', '.', '--scenario', 'late,c64-flat').scenarios.map(({ name }) => name),
    ['late', 'c64-flat'],
  );
  assert.equal(parse('--help').help, true);
  for (const args of [
    [],
    ['--against', ''],
    ['--against', '.', '--pool', 'piscina'],
    ['--against', '.', '--scenario', 'idle'],
    ['--against', '.', '--rounds', '0'],
    ['--against', '.', '--scale', '0'],
  ]) {
    assert.throws(() => parse(...args), UsageError, args.join(' '));
  }
});
