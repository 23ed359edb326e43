// Which figures are shown in which table.

import { formatNumber } from './table.mjs';

const kThousand = 1000;

/** The groups of the plain-text report. `divide` turns tasks/s into thousands. */
const groups = [
  {
    title: 'Throughput: thousand tasks per second (higher is better)',
    columns: [
      { head: 'c64', scenario: 'c64', metric: 'perSecond', divide: kThousand },
      { head: 'burst', scenario: 'burst', metric: 'perSecond', divide: kThousand },
      { head: 'users', scenario: 'users', metric: 'perSecond', divide: kThousand },
      { head: 'buf64k', scenario: 'buf64k', metric: 'perSecond', divide: kThousand },
    ],
  },
  {
    title: 'One task at a time: latency of run() (lower is better)',
    columns: [
      { head: 'seq p50 µs', scenario: 'seq', metric: 'p50' },
      { head: 'seq p99 µs', scenario: 'seq', metric: 'p99' },
    ],
  },
  {
    title: 'Open load: latency from the due time (lower is better)',
    columns: [
      { head: 'load50 p50 ms', scenario: 'load50', metric: 'p50' },
      { head: 'load50 p99 ms', scenario: 'load50', metric: 'p99' },
      { head: 'mixed short p50 ms', scenario: 'mixed', metric: 'p50' },
      { head: 'mixed short p99 ms', scenario: 'mixed', metric: 'p99' },
    ],
  },
  {
    title: 'Little or nothing to do: latency, and CPU time of the process (lower is better)',
    columns: [
      { head: 'trickle p50 µs', scenario: 'trickle', metric: 'p50' },
      { head: 'trickle CPU ms/s', scenario: 'trickle', metric: 'cpu' },
      { head: 'idle CPU ms/s', scenario: 'idle', metric: 'cpu' },
    ],
  },
  {
    title: 'detach, a 20 ms timer left behind by a task: fired after … ms',
    columns: [
      { head: 'pool idle', scenario: 'detach', metric: 'idleTimer' },
      { head: 'stream of 3 ms tasks', scenario: 'detach', metric: 'streamTimer' },
      { head: '64 in flight', scenario: 'detach', metric: 'loadTimer' },
    ],
  },
  {
    title: 'detach, a 50 ms HTTP call left behind by a task: done after … ms',
    columns: [
      { head: 'pool idle', scenario: 'detach', metric: 'idleHttp' },
      { head: 'stream of 3 ms tasks', scenario: 'detach', metric: 'streamHttp' },
      { head: '64 in flight', scenario: 'detach', metric: 'loadHttp' },
    ],
  },
  {
    title: 'Main thread blocked for 50 ms: tasks that ran meanwhile (higher is better)',
    columns: [{ head: 'of 16', scenario: 'blocked-main', metric: 'ran' }],
  },
];

/** What to show where no round was measured: how the last one went, or a dash if there was none. */
const absence = (cells, scenario, pool) =>
  cells.findLast((cell) => cell.scenario === scenario && cell.pool === pool)?.outcome ?? '–';

function shown(results, { scenario, metric, divide = 1 }, pool, withSpread) {
  const figure = results.medians[scenario]?.[pool]?.[metric];
  if (!figure) return absence(results.cells, scenario, pool);
  const [middle, min, max] = [figure.median, figure.min, figure.max].map((value) =>
    formatNumber(value / divide),
  );
  return withSpread && min !== max ? `${middle} (${min}–${max})` : middle;
}

const wasRun = (results, { scenario }) => results.cells.some((cell) => cell.scenario === scenario);

/**
 * One table per group of scenarios: a row per pool; medians, and smallest to largest in brackets.
 */
export function groupTables(results) {
  return groups
    .map(({ title, columns }) => ({
      title,
      columns: columns.filter((column) => wasRun(results, column)),
    }))
    .filter(({ columns }) => columns.length > 0)
    .map(({ title, columns }) => ({
      title,
      head: ['', ...columns.map(({ head }) => head)],
      rows: results.pools.map((pool) => [
        pool,
        ...columns.map((column) => shown(results, column, pool, true)),
      ]),
    }));
}

const overviewRows = [
  { head: '`c64`, thousand tasks/s', scenario: 'c64', metric: 'perSecond', divide: kThousand },
  { head: '`burst`, thousand tasks/s', scenario: 'burst', metric: 'perSecond', divide: kThousand },
  { head: '`seq` p50, µs', scenario: 'seq', metric: 'p50' },
  { head: '`seq` p99, µs', scenario: 'seq', metric: 'p99' },
  { head: '`users`, thousand tasks/s', scenario: 'users', metric: 'perSecond', divide: kThousand },
  {
    head: '`buf64k`, thousand tasks/s',
    scenario: 'buf64k',
    metric: 'perSecond',
    divide: kThousand,
  },
  { head: '`load50` p99, ms', scenario: 'load50', metric: 'p99' },
  { head: '`mixed` p99 of the short, ms', scenario: 'mixed', metric: 'p99' },
  { head: '`trickle` p50, µs', scenario: 'trickle', metric: 'p50' },
  { head: '`trickle` CPU, ms/s', scenario: 'trickle', metric: 'cpu' },
  { head: '`idle` CPU, ms/s', scenario: 'idle', metric: 'cpu' },
  { head: '20 ms timer left behind, idle: ms', scenario: 'detach', metric: 'idleTimer' },
  { head: '… under 3 ms tasks: ms', scenario: 'detach', metric: 'streamTimer' },
  { head: '… under 64 in flight: ms', scenario: 'detach', metric: 'loadTimer' },
  { head: '50 ms HTTP call left behind, idle: ms', scenario: 'detach', metric: 'idleHttp' },
  { head: 'tasks of 16 run while main is blocked', scenario: 'blocked-main', metric: 'ran' },
];

/** All figures in one table, a column per pool: medians only. */
export function overviewTable(results) {
  return {
    title: 'Overview',
    head: ['', ...results.pools],
    rows: overviewRows
      .filter((row) => wasRun(results, row))
      .map((row) => [row.head, ...results.pools.map((pool) => shown(results, row, pool, false))]),
  };
}
