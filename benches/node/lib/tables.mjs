// Which figures are shown in which table.

import { formatNumber } from './table.mjs';

const kThousand = 1000;

const cold = { metric: 'coldPerSecond', divide: kThousand };
const warm = { metric: 'warmPerSecond', divide: kThousand };
/** Values by the name of their scenario, in two tables of the same columns. */
const byValue = [
  { head: 'number', scenario: 'c64-number' },
  { head: 'short string', scenario: 'c64-string' },
  { head: 'flat object', scenario: 'c64-flat' },
  { head: '1 KiB', scenario: 'c64-1k' },
  { head: '10 KiB object', scenario: 'c64-10k' },
];

/**
 * The groups of the plain-text report. `divide` turns tasks/s into thousands, and ns into µs.
 */
const groups = [
  {
    title: 'Thousand tasks per second, cold: as the process starts (higher is better)',
    higherIsBetter: true,
    columns: [
      { head: 'c64', scenario: 'c64', ...cold },
      { head: 'burst', scenario: 'burst', ...cold },
      { head: 'users', scenario: 'users', ...cold },
      { head: 'buf64k', scenario: 'buf64k', metric: 'perSecond', divide: kThousand },
    ],
  },
  {
    title: 'Thousand tasks per second, warm: after more of the same work (higher is better)',
    higherIsBetter: true,
    columns: [
      { head: 'c64', scenario: 'c64', ...warm },
      { head: 'burst', scenario: 'burst', ...warm },
      { head: 'users', scenario: 'users', ...warm },
    ],
  },
  {
    title: 'c64 with other values, cold: thousand tasks per second (higher is better)',
    higherIsBetter: true,
    columns: byValue.map((column) => ({ ...column, ...cold })),
  },
  {
    title: 'c64 with other values, warm: thousand tasks per second (higher is better)',
    higherIsBetter: true,
    columns: byValue.map((column) => ({ ...column, ...warm })),
  },
  {
    title: 'CPU time of all threads per task, warm (lower is better)',
    columns: [
      { head: 'c64 µs', scenario: 'c64', metric: 'warmCpuNs', divide: kThousand },
      { head: 'burst µs', scenario: 'burst', metric: 'warmCpuNs', divide: kThousand },
      { head: 'users µs', scenario: 'users', metric: 'warmCpuNs', divide: kThousand },
    ],
  },
  {
    title: 'One task at a time: latency of run() (lower is better)',
    columns: [
      { head: 'seq p50 µs', scenario: 'seq', metric: 'p50' },
      { head: 'seq p99 µs', scenario: 'seq', metric: 'p99' },
      { head: 'seq-number p50 µs', scenario: 'seq-number', metric: 'p50' },
      { head: 'seq-number p99 µs', scenario: 'seq-number', metric: 'p99' },
    ],
  },
  {
    title: 'A task of 5 to 50 ms: from its end to its result on the main thread (lower is better)',
    columns: [
      { head: 'late p50 µs', scenario: 'late', metric: 'p50' },
      { head: 'late p99 µs', scenario: 'late', metric: 'p99' },
    ],
  },
  {
    title: 'Open load: latency from the due time (lower is better)',
    columns: [
      { head: 'load50 p50 ms', scenario: 'load50', metric: 'p50' },
      { head: 'load50 p99 ms', scenario: 'load50', metric: 'p99' },
      { head: 'load50 p99 warm ms', scenario: 'load50', metric: 'warmP99' },
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
    higherIsBetter: true,
    columns: [{ head: 'of 16', scenario: 'blocked-main', metric: 'ran' }],
  },
];

/** The shown figures of a scenario: { head, scenario, metric, divide, higherIsBetter }. */
export const columnsOf = (name) =>
  groups.flatMap(({ columns, higherIsBetter = false }) =>
    columns
      .filter(({ scenario }) => scenario === name)
      .map((column) => ({ ...column, higherIsBetter })),
  );

/** What to show where there is no figure: how the last round went, or a dash if it has none. */
function absence(cells, scenario, pool) {
  const last = cells.findLast((cell) => cell.scenario === scenario && cell.pool === pool);
  return last && last.outcome !== 'ok' ? last.outcome : '–';
}

function shown(results, { scenario, metric, divide = 1 }, pool, withSpread) {
  const figure = results.medians[scenario]?.[pool]?.[metric];
  if (!figure) return absence(results.cells, scenario, pool);
  const [middle, min, max] = [figure.median, figure.min, figure.max].map((value) =>
    formatNumber(value / divide),
  );
  return withSpread && min !== max ? `${middle} (${min}–${max})` : middle;
}

const wasRun = (results, { scenario }) => results.cells.some((cell) => cell.scenario === scenario);

/** The pools that ran in the scenario of one of the columns. */
const poolsOf = ({ pools, cells }, columns) =>
  pools.filter((pool) =>
    columns.some(({ scenario }) =>
      cells.some((cell) => cell.pool === pool && cell.scenario === scenario),
    ),
  );

/** One table per group of scenarios: a row per pool; medians, smallest to largest in brackets. */
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
      rows: poolsOf(results, columns).map((pool) => [
        pool,
        ...columns.map((column) => shown(results, column, pool, true)),
      ]),
    }));
}

const rate = 'thousand tasks/s';
const overviewRows = [
  ...[
    { head: '`c64`', scenario: 'c64' },
    ...byValue.map(({ head, scenario }) => ({ head: `\`${scenario}\` (${head})`, scenario })),
    { head: '`burst`', scenario: 'burst' },
    { head: '`users`', scenario: 'users' },
  ].flatMap(({ head, scenario }) => [
    { head: `${head} cold, ${rate}`, scenario, ...cold },
    { head: `${head} warm, ${rate}`, scenario, ...warm },
  ]),
  { head: `\`buf64k\`, ${rate}`, scenario: 'buf64k', metric: 'perSecond', divide: kThousand },
  { head: '`c64` warm, CPU µs a task', scenario: 'c64', metric: 'warmCpuNs', divide: kThousand },
  { head: '`seq` p50, µs', scenario: 'seq', metric: 'p50' },
  { head: '`seq` p99, µs', scenario: 'seq', metric: 'p99' },
  { head: '`seq-number` p50, µs', scenario: 'seq-number', metric: 'p50' },
  { head: '`load50` p99, ms', scenario: 'load50', metric: 'p99' },
  { head: '`load50` p99 after 7 s, ms', scenario: 'load50', metric: 'warmP99' },
  { head: '`mixed` p99 of the short, ms', scenario: 'mixed', metric: 'p99' },
  { head: '`late` p50, µs', scenario: 'late', metric: 'p50' },
  { head: '`late` p99, µs', scenario: 'late', metric: 'p99' },
  { head: '`trickle` p50, µs', scenario: 'trickle', metric: 'p50' },
  { head: '`trickle` CPU, ms/s', scenario: 'trickle', metric: 'cpu' },
  { head: '`idle` CPU, ms/s', scenario: 'idle', metric: 'cpu' },
  { head: '20 ms timer left behind, idle: ms', scenario: 'detach', metric: 'idleTimer' },
  { head: '… under 3 ms tasks: ms', scenario: 'detach', metric: 'streamTimer' },
  { head: '… under 64 in flight: ms', scenario: 'detach', metric: 'loadTimer' },
  { head: '50 ms HTTP call left behind, idle: ms', scenario: 'detach', metric: 'idleHttp' },
  { head: 'tasks of 16 run while main is blocked', scenario: 'blocked-main', metric: 'ran' },
];

/**
 * How far apart the rounds of a row are: of the pool for which they are farthest apart, largest to
 * smallest as a share of the median, in per cent.
 */
function spread(results, { scenario, metric }) {
  const shares = Object.values(results.medians[scenario] ?? {})
    .map((byMetric) => byMetric[metric])
    .filter((figure) => figure?.median > 0 && Number.isFinite(figure.max))
    .map(({ median, min, max }) => ((max - min) / median) * 100);
  return shares.length === 0 ? '–' : `${Math.max(...shares).toFixed(0)} %`;
}

/**
 * All figures in one table, a column per pool: medians, and in the last column, if there was more
 * than one round, the widest spread among the pools.
 */
export function overviewTable(results) {
  const last = results.rounds > 1 ? ['spread'] : [];
  return {
    title: 'Overview',
    head: ['', ...results.pools, ...last],
    rows: overviewRows
      .filter((row) => wasRun(results, row))
      .map((row) => [
        row.head,
        ...results.pools.map((pool) => shown(results, row, pool, false)),
        ...last.map(() => spread(results, row)),
      ]),
  };
}
